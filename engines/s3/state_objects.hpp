// Small JSON objects under the reserved prefix.
#pragma once
#include <stop_token>
#include <string>

#include "core/json.hpp"
#include "s3/bucket.hpp"

namespace twinspan::s3 {

Status write_state(Bucket& bucket, const std::string& key, const Json& state, const std::stop_token& stop);
Result<std::string> read_state(Bucket& bucket, const std::string& key, const std::stop_token& stop);  // at most 16 MiB

}  // namespace twinspan::s3
