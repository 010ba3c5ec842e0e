#include "engines/postgres/sql_objects.hpp"

#include <fmt/format.h>

namespace twinspan::postgres {
namespace {

std::string quoted(std::string_view text, char mark) {
  std::string out(1, mark);
  for (const char c : text) {
    if (c == mark) out += mark;
    out += c;
  }
  return out + mark;
}

std::string options_of(const RoleAttributes& one) {
  const auto said = [](bool has, const char* word) { return fmt::format("{}{}", has ? "" : "NO", word); };
  return fmt::format("{} {} {} {} {} {} CONNECTION LIMIT {}", said(one.login, "LOGIN"),
                     said(one.superuser, "SUPERUSER"), said(one.createdb, "CREATEDB"),
                     said(one.createrole, "CREATEROLE"), said(one.replication, "REPLICATION"),
                     said(one.bypassrls, "BYPASSRLS"), one.connection_limit);
}

const SeenRole* find(const SeenObjects& seen, const std::string& name) {
  const auto found = seen.roles.find(name);
  return found == seen.roles.end() ? nullptr : &found->second;
}

void plan_role(const WantedRole& role, const SeenRole* there, std::vector<Statement>& plan) {
  const bool new_password = role.verifier && (!there || there->verifier != *role.verifier);
  if (there && there->attributes == role.attributes && !new_password) return;
  std::string sql = fmt::format("{} ROLE {} WITH {}", there ? "ALTER" : "CREATE", quoted_identifier(role.name),
                                options_of(role.attributes));
  if (new_password) sql += " PASSWORD " + quoted_literal(*role.verifier);
  plan.push_back({"role " + role.name, std::move(sql)});
}

void plan_memberships(const WantedRole& role, const SeenRole* there, std::vector<Statement>& plan) {
  static const std::set<std::string> kNone;
  const std::set<std::string>& has = there ? there->member_of : kNone;
  const std::string name = quoted_identifier(role.name);
  for (const std::string& group : role.member_of)
    if (!has.contains(group))
      plan.push_back({"role " + role.name, fmt::format("GRANT {} TO {}", quoted_identifier(group), name)});
  for (const std::string& group : has)
    if (!role.member_of.contains(group))
      plan.push_back({"role " + role.name, fmt::format("REVOKE {} FROM {}", quoted_identifier(group), name)});
}

}  // namespace

std::string quoted_identifier(std::string_view name) { return quoted(name, '"'); }
std::string quoted_literal(std::string_view text) { return quoted(text, '\''); }

std::vector<Statement> plan_objects(const std::vector<WantedRole>& roles, const std::vector<WantedDatabase>& databases,
                                    const SeenObjects& seen) {
  std::vector<Statement> plan;
  for (const WantedRole& role : roles)
    if (!role.absent) plan_role(role, find(seen, role.name), plan);
  for (const WantedRole& role : roles)
    if (!role.absent) plan_memberships(role, find(seen, role.name), plan);
  for (const WantedDatabase& database : databases) {
    if (database.made_elsewhere) continue;
    const auto there = seen.databases.find(database.name);
    const std::string name = quoted_identifier(database.name), owner = quoted_identifier(database.owner);
    if (there == seen.databases.end())
      plan.push_back({"database " + database.name, fmt::format("CREATE DATABASE {} OWNER {}", name, owner)});
    else if (there->second != database.owner)
      plan.push_back({"database " + database.name, fmt::format("ALTER DATABASE {} OWNER TO {}", name, owner)});
  }
  for (const WantedRole& role : roles)
    if (role.absent && find(seen, role.name))
      plan.push_back({"role " + role.name, fmt::format("DROP ROLE {}", quoted_identifier(role.name))});
  return plan;
}

std::vector<Statement> plan_extensions(const WantedDatabase& database,
                                       const std::map<std::string, std::string>& installed) {
  std::vector<Statement> plan;
  for (const WantedExtension& extension : database.extensions) {
    const std::string object = fmt::format("extension {} of {}", extension.name, database.name);
    const std::string name = quoted_identifier(extension.name);
    const auto there = installed.find(extension.name);
    if (there == installed.end())
      plan.push_back({object, fmt::format("CREATE EXTENSION {}{}", name,
                                          extension.version ? " VERSION " + quoted_literal(*extension.version) : "")});
    else if (extension.version && there->second != *extension.version)
      plan.push_back(
          {object, fmt::format("ALTER EXTENSION {} UPDATE TO {}", name, quoted_literal(*extension.version))});
  }
  return plan;
}

}  // namespace twinspan::postgres
