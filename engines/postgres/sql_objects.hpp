// Roles, databases and extensions: from what is there and what is wanted to the statements that lead from one to the
// other. Where nothing differs there are none. Nothing is ever dropped but a role that is wanted absent, which
// PostgreSQL refuses by itself while it owns anything. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace twinspan::postgres {

// Quoted as SQL wants it, for sessions with standard_conforming_strings.
std::string quoted_identifier(std::string_view name);
std::string quoted_literal(std::string_view text);

struct RoleAttributes {
  bool login = false, superuser = false, createdb = false, createrole = false, replication = false, bypassrls = false;
  int64_t connection_limit = -1;  // any number
  bool operator==(const RoleAttributes&) const = default;
};
struct WantedRole {
  std::string name;
  bool absent = false;
  RoleAttributes attributes;
  std::set<std::string> member_of;      // exactly
  std::optional<std::string> verifier;  // of the password; nullopt: what is there stays
};
struct WantedExtension {
  std::string name;
  std::optional<std::string> version;  // nullopt: PostgreSQL's choice, and what is there stays
};
struct WantedDatabase {
  std::string name, owner;
  bool made_elsewhere = false;  // the link's own: owner.hpp makes it, and gives it its owner
  std::vector<WantedExtension> extensions;
};

struct SeenRole {
  RoleAttributes attributes;
  std::set<std::string> member_of;
  std::string verifier;  // empty: no password
};
struct SeenObjects {
  std::map<std::string, SeenRole> roles;
  std::map<std::string, std::string> databases;  // whose owner is
};

struct Statement {
  std::string object;  // for people: "role reports"
  std::string sql;
  bool operator==(const Statement&) const = default;
};

// Roles first, then who is a member of whom, then databases, then what is to be absent.
std::vector<Statement> plan_objects(const std::vector<WantedRole>& roles, const std::vector<WantedDatabase>& databases,
                                    const SeenObjects& seen);
// In a session of that database. `installed`: its extensions with their versions.
std::vector<Statement> plan_extensions(const WantedDatabase& database,
                                       const std::map<std::string, std::string>& installed);

}  // namespace twinspan::postgres
