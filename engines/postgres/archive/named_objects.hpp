// Empty objects of a folder in a bucket, whose names say all there is.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "s3/bucket.hpp"

namespace twinspan::postgres {

// Below `folder`, which ends with a slash; without it.
Result<std::vector<std::string>> list_names(s3::Bucket& bucket, const std::string& folder, const std::string& prefix,
                                            const std::stop_token& stop);
Status put_name(s3::Bucket& bucket, const std::string& folder, const std::string& name, const std::stop_token& stop);

}  // namespace twinspan::postgres
