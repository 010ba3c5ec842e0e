// What holds of every repository that pgBackRest is to use.
#pragma once
#include <string>
#include <vector>

#include "api/validate.hpp"

namespace twinspan::api {

void check_repository(const S3Destination& s3, const std::string& place, std::vector<FieldError>& errors);

}  // namespace twinspan::api
