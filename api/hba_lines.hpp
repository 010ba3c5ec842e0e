// People's lines of pg_hba.conf, spec.postgres.hba: what can be said of them without PostgreSQL. Pure.
#pragma once
#include <string>
#include <vector>

#include "api/validate.hpp"

namespace twinspan::api {

void check_hba(const std::vector<std::string>& lines, std::vector<FieldError>& errors);
void warn_of_hba(const std::vector<std::string>& lines, std::vector<std::string>& warnings);

// Tells these lines from those before.
std::string hba_fingerprint(const std::vector<std::string>& lines);

}  // namespace twinspan::api
