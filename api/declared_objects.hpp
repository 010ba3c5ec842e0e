// What people declare inside PostgreSQL: spec.postgres.roles, .databases with their extensions, and .initdb. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/types.hpp"
#include "api/validate.hpp"

namespace twinspan::api {

// Roles of PostgreSQL itself and of Twinspan: nobody declares them, owns a database as one of them, or is a member of
// one, but for pg_…, which others may be members of.
bool is_reserved_role(std::string_view name);

void check_objects(const ReplicationLink& link, std::vector<FieldError>& errors);
// initdb is asked once, for the first primary.
void check_initdb(const InitdbSettings& initdb, std::vector<FieldError>& errors);

// What was declared before and no longer is: it stays in PostgreSQL, which whoever took it off the list should know.
void warn_of_undeclared(const PostgresSettings& before, const PostgresSettings& after,
                        std::vector<std::string>& warnings);

// Tells what is declared from what was declared before: of roles and databases, without any password.
std::string objects_fingerprint(const PostgresSettings& settings);

}  // namespace twinspan::api
