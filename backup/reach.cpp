#include "backup/reach.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backup/archive.hpp"

namespace twinspan::backup {
namespace {

// In whole seconds, and only what ended before it, as pgBackRest chooses.
std::optional<std::string> why_no_backup(const ReachSeen& seen) {
  if (seen.backups.empty()) return "nothing is backed up";
  const auto first =
      std::ranges::min_element(seen.backups, {}, [](const BackupSet& one) { return one.stopped_at; })->stopped_at;
  if (first < std::chrono::floor<std::chrono::seconds>(seen.moment)) return std::nullopt;
  return fmt::format("the first backup was whole at {}, not before it", to_rfc3339(first));
}

std::string what_is_stored(const ReachSeen& seen) {
  if (seen.newest_segment.empty()) return "no log is stored";
  return fmt::format("the log that is stored ends with {}{}", seen.newest_segment,
                     seen.newest_stored_at ? ", of " + to_rfc3339(*seen.newest_stored_at) : "");
}

}  // namespace

ReachVerdict judge_reach(const ReachSeen& seen) {
  const std::string moment = to_rfc3339(seen.moment);
  const auto never = [&](const std::string& why) {
    return ReachVerdict{Reach::kNever, fmt::format("{} can't be restored: {}", moment, why)};
  };
  if (const auto why = why_no_backup(seen)) return never(*why);
  const bool tried = !seen.exhausted.empty();
  const Timeline newest = is_segment(seen.newest_segment) ? timeline_of(seen.newest_segment) : 0;
  if (tried && newest > seen.timeline)
    return never(fmt::format("the log of timeline {} ended before it, and timeline {} is stored by now: restore again",
                             seen.timeline, newest));
  // The bucket's clock may be wrong: once there is no more time, recovery itself has the last word.
  if (seen.now >= seen.until)
    return tried ? never(fmt::format("{}, and was waited for until {}: take an earlier time, or latest",
                                     what_is_stored(seen), to_rfc3339(seen.until)))
                 : ReachVerdict{};
  const bool stored_before = !seen.newest_stored_at || *seen.newest_stored_at <= seen.moment;
  if (!stored_before && seen.exhausted != seen.newest_segment) return {};
  return {Reach::kWait, fmt::format("{} is not stored yet: {}; it is waited for until {}", moment, what_is_stored(seen),
                                    to_rfc3339(seen.until))};
}

}  // namespace twinspan::backup
