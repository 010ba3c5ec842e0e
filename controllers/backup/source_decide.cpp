#include "controllers/backup/source_decide.hpp"

#include <fmt/format.h>

namespace twinspan::controllers {
namespace {

// Why this replica is not to be taken; empty: it may be.
std::string unfit(const std::string& endpoint, const MemberSeen& replica, const MemberSeen& primary,
                  const SourceSeen& seen) {
  if (replica.system_id != primary.system_id) return "holds another database";
  if (!replica.backup.at_replicas) return "runs an older worker, which can't be backed up";
  if (replica.backup.stanza != seen.stanza || !replica.backup.ready || !replica.backup.archiving)
    return "is not ready to store anything";
  const auto downstream = primary.downstreams.find(endpoint);
  if (downstream == primary.downstreams.end() || !downstream->second.streams())
    return "does not stream from the primary";
  if (!replica.timeline || replica.timeline != primary.timeline) return "is on another timeline";
  // Either side may be the one that is behind in what it says.
  const auto& seen_there = downstream->second.lag_seconds;
  if (!replica.lag_seconds) return "has not measured its lag";
  const double lag = std::max(*replica.lag_seconds, seen_there.value_or(0));
  if (lag > static_cast<double>(seen.spec.max_lag_seconds))
    return fmt::format("is {:.0f} s behind, maxLagSeconds is {}", lag, seen.spec.max_lag_seconds);
  return "";
}

// Where replicas failed twice the primary's data are taken, if they may be.
constexpr int64_t kAttemptsAtReplicas = kBackupAttempts - 1;

}  // namespace

Source choose_source(const SourceSeen& seen) {
  const Source at_primary{seen.primary, ""};
  const bool primary_may = seen.spec.take_from != api::TakeFrom::kReplica;
  if (seen.spec.take_from == api::TakeFrom::kPrimary || (primary_may && seen.status.attempts >= kAttemptsAtReplicas))
    return at_primary;
  const auto primary = seen.members.find(seen.primary);
  const bool helps = primary != seen.members.end() && primary->second.backup.at_replicas &&
                     writes(primary->second.backup, seen.stanza);
  if (!helps)
    return primary_may ? at_primary
                       : Source{"", fmt::format("waits for {}: a backup of a replica needs the primary", seen.primary)};
  // Commits that wait for a replica would wait for its disk, too; and whoever failed before comes last.
  const auto rank = [&](const std::string& endpoint) {
    const bool failed_before = seen.status.attempts > 0 && endpoint == seen.status.endpoint;
    return 2 * failed_before + primary->second.downstreams.at(endpoint).commits_wait_for_it();
  };
  Source best;
  std::string reasons;
  for (const auto& [endpoint, replica] : seen.members) {
    if (endpoint == seen.primary) continue;
    const std::string why = unfit(endpoint, replica, primary->second, seen);
    if (!why.empty())
      reasons += fmt::format("{}{} {}", reasons.empty() ? ": " : "; ", endpoint, why);
    else if (best.endpoint.empty() || rank(endpoint) < rank(best.endpoint))
      best.endpoint = endpoint;
  }
  if (!best.endpoint.empty()) return best;
  if (primary_may) return at_primary;
  return {"", "waits for a replica that can be backed up" + (reasons.empty() ? ": none answers" : reasons)};
}

}  // namespace twinspan::controllers
