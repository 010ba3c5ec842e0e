#include "api/declared_objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

constexpr std::string_view kReserved = "belongs to PostgreSQL or to Twinspan, choose another name";

bool is_absent(const PostgresSettings& settings, const std::string& name) {
  return std::any_of(settings.roles.begin(), settings.roles.end(),
                     [&](const DeclaredRole& role) { return role.name == name && role.ensure == Ensure::kAbsent; });
}

// Whether membership leads from `name` back to it, by what is declared.
bool leads_back(const PostgresSettings& settings, const std::string& name) {
  std::set<std::string> passed;
  std::vector<std::string> next{name};
  while (!next.empty()) {
    const std::string at = next.back();
    next.pop_back();
    for (const DeclaredRole& role : settings.roles) {
      if (role.name != at) continue;
      for (const std::string& group : role.in_roles) {
        if (group == name) return true;
        if (passed.insert(group).second) next.push_back(group);
      }
    }
  }
  return false;
}

void check_memberships(const PostgresSettings& settings, const DeclaredRole& role, const std::string& field,
                       Errors& errors) {
  for (size_t i = 0; i < role.in_roles.size(); ++i) {
    const std::string& group = role.in_roles[i];
    const std::string at = fmt::format("{}.inRoles[{}]", field, i);
    if (is_reserved_role(group) && !group.starts_with("pg_"))
      errors.push_back({at, fmt::format("is \"{}\", which {}", group, kReserved)});
    else if (is_absent(settings, group))
      errors.push_back({at, fmt::format("is \"{}\", which is declared with ensure: Absent", group)});
  }
  if (leads_back(settings, role.name))
    errors.push_back({field + ".inRoles", fmt::format("leads back to \"{}\": a role can't be a member of itself, also "
                                                      "not through others",
                                                      role.name)});
}

void check_role(const ReplicationLink& link, const DeclaredRole& role, const std::string& field, Errors& errors) {
  const PostgresSettings& settings = link.spec.postgres;
  if (is_reserved_role(role.name)) errors.push_back({field + ".name", fmt::format("\"{}\" {}", role.name, kReserved)});
  if (!settings.owner_secret_ref && role.name == settings.database)
    errors.push_back({field + ".name", fmt::format("\"{}\" is the database's owner, made with a Secret of its own: "
                                                   "choose another name, or another owner in ownerSecretRef",
                                                   role.name)});
  if (role.password_secret_ref && !role.login)
    errors.push_back(
        {field + ".passwordSecretRef", "means nothing where login is false, set login to true or leave it out"});
  check_memberships(settings, role, field, errors);
}

void check_database(const PostgresSettings& settings, const DeclaredDatabase& database, const std::string& field,
                    Errors& errors) {
  if (database.name == "postgres" || database.name == "template0" || database.name == "template1")
    errors.push_back(
        {field + ".name", fmt::format("{} belongs to PostgreSQL itself, choose another name", database.name)});
  if (!database.owner) return;
  if (database.name == settings.database)
    errors.push_back({field + ".owner", fmt::format("is \"{}\", but spec.postgres.database belongs to the role of "
                                                    "ownerSecretRef, leave it out",
                                                    *database.owner)});
  if (is_reserved_role(*database.owner))
    errors.push_back({field + ".owner", fmt::format("is \"{}\", which {}", *database.owner, kReserved)});
  else if (is_absent(settings, *database.owner))
    errors.push_back({field + ".owner", fmt::format("is \"{}\", which is declared with ensure: Absent in "
                                                    "spec.postgres.roles",
                                                    *database.owner)});
}

// A field that an older version does not know, left at its default, makes no difference.
template <class Declared>
Json but_for_defaults(const Declared& declared) {
  Json json = to_json(declared);
  const Json blank = to_json(Declared{});
  for (const auto& [key, value] : blank.items())
    if (member_of(json, key) == value) json.erase(key);
  return json;
}

}  // namespace

bool is_reserved_role(std::string_view name) {
  return name == "postgres" || name == "public" || name == "none" || name == "twinspan_replication" ||
         name == "twinspan_metrics" || name.starts_with("pg_");
}

void check_objects(const ReplicationLink& link, Errors& errors) {
  const PostgresSettings& settings = link.spec.postgres;
  for (size_t i = 0; i < settings.roles.size(); ++i)
    check_role(link, settings.roles[i], fmt::format("spec.postgres.roles[{}]", i), errors);
  for (size_t i = 0; i < settings.databases.size(); ++i)
    check_database(settings, settings.databases[i], fmt::format("spec.postgres.databases[{}]", i), errors);
}

void check_initdb(const InitdbSettings& initdb, Errors& errors) {
  if ((initdb.locale_provider == LocaleProvider::kIcu) != initdb.icu_locale.has_value())
    errors.push_back(
        {"spec.postgres.initdb.icuLocale", "is required where localeProvider is Icu, and means nothing otherwise"});
  if (initdb.locale.ends_with(".UTF-8") && initdb.encoding != Encoding::kUTF8)
    errors.push_back({"spec.postgres.initdb.encoding", fmt::format("is {}, but locale {} is one of UTF8: initdb would "
                                                                   "refuse it",
                                                                   to_string(initdb.encoding), initdb.locale)});
}

void warn_of_undeclared(const PostgresSettings& before, const PostgresSettings& after,
                        std::vector<std::string>& warnings) {
  const auto named = [](const auto& list, const std::string& name) {
    return std::find_if(list.begin(), list.end(), [&](const auto& one) { return one.name == name; });
  };
  const auto warn = [&](const char* list, const std::string& what, const char* next) {
    warnings.push_back(
        fmt::format("spec.postgres.{}: {} is no longer declared and stays in PostgreSQL: {}", list, what, next));
  };
  for (const DeclaredRole& role : before.roles)
    if (role.ensure == Ensure::kPresent && named(after.roles, role.name) == after.roles.end())
      warn("roles", "role " + role.name, "to have it dropped, declare it with ensure: Absent");
  for (const DeclaredDatabase& database : before.databases) {
    const auto now = named(after.databases, database.name);
    if (now == after.databases.end()) {
      if (database.name != before.database) warn("databases", "database " + database.name, "drop it by SQL");
      continue;
    }
    for (const DeclaredExtension& extension : database.extensions)
      if (named(now->extensions, extension.name) == now->extensions.end())
        warn("databases", "extension " + extension.name + " of " + database.name, "drop it by SQL");
  }
}

std::string objects_fingerprint(const PostgresSettings& settings) {
  Fingerprint all;
  for (const DeclaredRole& role : settings.roles) all.add(but_for_defaults(role).dump());
  for (const DeclaredDatabase& database : settings.databases) all.add(but_for_defaults(database).dump());
  return all.hex();
}

}  // namespace twinspan::api
