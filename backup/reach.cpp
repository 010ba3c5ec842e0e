#include "backup/reach.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backup/archive.hpp"

namespace twinspan::backup {
namespace {

std::string what_is_stored(const ReachSeen& seen) {
  if (seen.newest_segment.empty()) return "no log is stored";
  if (seen.tail_end && seen.tail_at)
    return fmt::format("the log that is stored ends with {} and, at {}, {}", seen.newest_segment,
                       to_string(*seen.tail_end), to_rfc3339(*seen.tail_at));
  return fmt::format("the log that is stored ends with {}{}", seen.newest_segment,
                     seen.newest_stored_at ? ", of " + to_rfc3339(*seen.newest_stored_at) : "");
}

// Whether the log may have come to the goal. A time has passed once anything was stored after it.
bool may_be_stored(const ReachSeen& seen) {
  if (seen.goal.kind == Goal::Kind::kTime)
    return (seen.newest_stored_at && *seen.newest_stored_at > seen.goal.moment) ||
           (seen.tail_at && *seen.tail_at > seen.goal.moment);
  if (seen.goal.kind != Goal::Kind::kLsn) return true;
  if (seen.tail_end && *seen.tail_end > seen.goal.position) return true;
  const auto newest = number_of(seen.newest_segment);
  return newest && *newest >= segment_number(seen.goal.position.value);
}

Position end_of_stored(const ReachSeen& seen) {
  const auto newest = number_of(seen.newest_segment);
  const Position whole{newest ? (*newest + 1) * kSegmentBytes : 0};
  return std::max(whole, seen.tail_end.value_or(Position{}));
}

// That everything of before the moment is stored, and lies before this position; nullopt: nobody says so. `read`: an
// attempt has read the log to its present end, and found no commit after the moment.
std::optional<Position> whole_before(const ReachSeen& seen, bool read) {
  const int64_t moment = std::chrono::ceil<std::chrono::seconds>(seen.goal.moment).time_since_epoch().count();
  if (const auto& mark = seen.mark; mark && mark->timeline == seen.timeline && mark->at >= moment &&
                                    Position{mark->position} <= end_of_stored(seen) && (read || mark->since < moment))
    return Position{mark->position};
  if (read && seen.tail_at && *seen.tail_at > seen.goal.moment) return seen.tail_end;
  return std::nullopt;
}

}  // namespace

std::string frontier_of(const std::string& newest_segment, std::optional<Position> tail_end) {
  return tail_end ? fmt::format("{} {}", newest_segment, to_string(*tail_end)) : newest_segment;
}

ReachVerdict judge_reach(const ReachSeen& seen) {
  const std::string goal = words_of(seen.goal);
  const auto never_for = [&](const std::string& why) {
    return ReachVerdict{Reach::kNever, never(seen.goal, why).message};
  };
  const bool tried = !seen.exhausted.empty();
  const bool read = tried && seen.exhausted == frontier_of(seen.newest_segment, seen.tail_end);
  if (seen.goal.kind == Goal::Kind::kTime)
    if (const auto end = whole_before(seen, read)) return {Reach::kTry, "", end};
  const Timeline newest = is_segment(seen.newest_segment) ? timeline_of(seen.newest_segment) : 0;
  if (seen.goal.kind == Goal::Kind::kImmediate) return {};
  if (seen.goal.kind == Goal::Kind::kLatest)
    return seen.waits && newest > seen.timeline
               ? never_for(fmt::format("timeline {} is stored by now, of a primary after the one of timeline {}: "
                                       "restore again",
                                       newest, seen.timeline))
               : ReachVerdict{};
  if (tried && newest > seen.timeline)
    return never_for(
        fmt::format("the log of timeline {} ended before it, and timeline {} is stored by now: restore "
                    "again",
                    seen.timeline, newest));
  // The bucket's clock may be wrong: once there is no more time, recovery itself has the last word.
  const bool beyond = seen.goal.kind == Goal::Kind::kLsn && !may_be_stored(seen);
  if (seen.now >= seen.until)
    return tried || beyond
               ? never_for(fmt::format("{}{}: take an earlier target, or latest", what_is_stored(seen),
                                       seen.waits ? ", and was waited for until " + to_rfc3339(seen.until) : ""))
               : ReachVerdict{};
  if (may_be_stored(seen) && seen.exhausted != frontier_of(seen.newest_segment, seen.tail_end)) return {};
  return {Reach::kWait, fmt::format("{} is not stored yet: {}; it is waited for until {}", goal, what_is_stored(seen),
                                    to_rfc3339(seen.until))};
}

}  // namespace twinspan::backup
