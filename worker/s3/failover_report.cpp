#include "worker/s3/failover_report.hpp"

#include <algorithm>

namespace twinspan::worker_s3 {

std::optional<uint64_t> MissingKeys::count(const std::string& target, std::optional<uint64_t> known,
                                           bool primary_reachable) {
  std::optional<uint64_t>& most = most_[target];
  if (primary_reachable || !most)
    most = known;
  else if (known)
    most = std::max(*most, *known);
  return most;
}

FlowReport failover_report(const std::vector<PlaceSeen>& probes, const std::vector<TargetSnapshot>& targets,
                           const std::string& primary, std::optional<int64_t> adopted, MissingKeys& missing,
                           WallTime now) {
  FlowReport report;
  report.measured_at = to_rfc3339_micro(now);
  if (adopted) report.adopted = Epoch{*adopted};
  report.places = probes;
  const auto source = std::find_if(probes.begin(), probes.end(), [&](const auto& one) { return one.name == primary; });
  const bool reachable = source != probes.end() && source->reach == Reach::kReachable;
  for (PlaceSeen& bucket : report.places) {
    std::optional<uint64_t> known = 0;
    bool run = false, first = true;
    bucket.complete_once = bucket.caught_up = true;
    for (const TargetSnapshot& seen : targets) {  // several where several runs share the keys
      if (seen.name != bucket.name) continue;
      run = true;
      bucket.complete_once = bucket.complete_once && !seen.record.listed_at.empty() && !seen.forbidden;
      bucket.caught_up = bucket.caught_up && seen.caught_up;
      bucket.listed_at = first ? seen.record.listed_at : std::min(bucket.listed_at, seen.record.listed_at);
      first = false;
      bucket.sync_took = std::max(bucket.sync_took, seen.record.sync_took);
      known = known && seen.engine ? std::optional(*known + seen.engine->outstanding_keys) : std::nullopt;
    }
    if (!run) bucket.complete_once = bucket.caught_up = false;
    if (run) bucket.missing = missing.count(bucket.name, known, reachable);
  }
  return report;
}

}  // namespace twinspan::worker_s3
