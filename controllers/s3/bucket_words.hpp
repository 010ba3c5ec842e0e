// How S3 calls what failover/flow decides about.
#pragma once
#include "failover/flow/place.hpp"

namespace twinspan::controllers {

inline constexpr FlowWords kBucketWords{"bucket", "buckets", "key", "keys", "maxMissingKeys"};

}  // namespace twinspan::controllers
