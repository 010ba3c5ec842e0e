// What a worker of an S3 link says for the failover's sake: `details.failover` of its GET /status. Durations are
// durations: the clocks of worker and operator are never compared.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/bucket.hpp"
#include "failover/drill.hpp"

namespace twinspan {

struct BucketReport {
  std::string member{};          // whose; not sent along
  std::string measured_at;       // another one with every measurement: a worker that hangs repeats itself
  std::optional<Epoch> adopted;  // nothing is carried by an older assignment; absent while another holds the lease
  std::vector<BucketSeen> buckets;
  std::optional<RehearsalReport> rehearsal{};
};

Json to_json(const BucketReport& report);
Result<BucketReport> parse_bucket_report(const Json& json);

// What several workers of one link say, each of its own share of the keys: together it answers where it answers any of
// them, and has what all of them say it has.
std::vector<BucketSeen> together(const std::vector<std::string>& names, const std::vector<BucketReport>& reports);

}  // namespace twinspan
