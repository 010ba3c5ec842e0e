// What the schema of an S3 link cannot say.
#pragma once
#include <vector>

#include "api/validate.hpp"

namespace twinspan::api {

void check_s3(const ReplicationLink& link, std::vector<FieldError>& errors);

}  // namespace twinspan::api
