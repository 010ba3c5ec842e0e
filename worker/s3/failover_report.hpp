// What the worker says for the failover's sake, from its probes and its runs. Pure but for what it remembers.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "failover/flow/report.hpp"
#include "worker/s3/target_run.hpp"

namespace twinspan::worker_s3 {

// How many keys are known to be at the primary and not at each target. While the primary is away nothing is carried,
// but what was known is given up, forgotten with the queue, and listed in vain: the most that was known since it
// answered last is what counts.
class MissingKeys {
 public:
  // nullopt: the run doesn't know.
  std::optional<uint64_t> count(const std::string& target, std::optional<uint64_t> known, bool primary_reachable);
  void forget() { most_.clear(); }  // after a change of direction

 private:
  std::map<std::string, std::optional<uint64_t>> most_;
};

// `adopted`: the epoch of the assignment that nothing older than runs here. `targets`: the runs of that direction.
FlowReport failover_report(const std::vector<PlaceSeen>& probes, const std::vector<TargetSnapshot>& targets,
                           const std::string& primary, std::optional<int64_t> adopted, MissingKeys& missing,
                           WallTime now);

}  // namespace twinspan::worker_s3
