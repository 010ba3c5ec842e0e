#include "worker/postgres/desired_objects.hpp"

#include "api/declared_objects.hpp"

namespace twinspan::worker {
namespace {

DesiredObjects::Role role_from(const api::DeclaredRole& declared) {
  DesiredObjects::Role role;
  role.wanted.name = declared.name;
  role.wanted.absent = declared.ensure == api::Ensure::kAbsent;
  role.wanted.attributes = {declared.login,       declared.superuser, declared.createdb,        declared.createrole,
                            declared.replication, declared.bypassrls, declared.connection_limit};
  role.wanted.member_of = {declared.in_roles.begin(), declared.in_roles.end()};
  role.password = declared.password_secret_ref;
  return role;
}

}  // namespace

std::vector<std::string> DesiredObjects::of_the_owner() const {
  std::vector<std::string> out;
  for (const postgres::WantedDatabase& database : databases)
    if (database.owner.empty()) out.push_back(database.name);
  return out;
}

std::vector<std::string> DesiredObjects::names() const {
  std::vector<std::string> names;
  for (const Role& role : roles) names.push_back("role " + role.wanted.name);
  for (const postgres::WantedDatabase& database : databases) {
    names.push_back("database " + database.name);
    for (const auto& extension : database.extensions)
      names.push_back("extension " + extension.name + " of " + database.name);
  }
  return names;
}

DesiredObjects objects_from(const api::PostgresSettings& settings) {
  DesiredObjects objects;
  if (settings.roles.empty() && settings.databases.empty()) return objects;
  objects.asked = api::objects_fingerprint(settings);
  for (const api::DeclaredRole& role : settings.roles) objects.roles.push_back(role_from(role));
  for (const api::DeclaredDatabase& declared : settings.databases) {
    postgres::WantedDatabase database{
        declared.name, declared.owner.value_or(""), declared.name == settings.database, {}};
    for (const api::DeclaredExtension& extension : declared.extensions)
      database.extensions.push_back({extension.name, extension.version});
    objects.databases.push_back(std::move(database));
  }
  return objects;
}

}  // namespace twinspan::worker
