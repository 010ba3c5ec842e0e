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

bool covers(const ReachSeen& seen) {
  const int64_t moment = std::chrono::ceil<std::chrono::seconds>(seen.goal.moment).time_since_epoch().count();
  return seen.mark && seen.mark->timeline == seen.timeline && seen.mark->at >= moment &&
         Position{seen.mark->position} <= end_of_stored(seen);
}

// Nothing was written from before the moment on, by a mark behind which nothing is stored: where there is more, the log
// itself has the word.
bool is_idle_then(const ReachSeen& seen) {
  const int64_t moment = std::chrono::floor<std::chrono::seconds>(seen.goal.moment).time_since_epoch().count();
  return covers(seen) && seen.mark->since <= moment && end_of_stored(seen) <= Position{seen.mark->position};
}

}  // namespace

std::string frontier_of(const std::string& newest_segment, std::optional<Position> tail_end) {
  return tail_end ? fmt::format("{} {}", newest_segment, to_string(*tail_end)) : newest_segment;
}

std::optional<Position> whole_if_read(const ReachSeen& seen) {
  if (seen.goal.kind != Goal::Kind::kTime) return std::nullopt;
  if (covers(seen)) return end_of_stored(seen);
  return seen.tail_at && *seen.tail_at > seen.goal.moment ? seen.tail_end : std::nullopt;
}

ReachVerdict judge_reach(const ReachSeen& seen) {
  const std::string goal = words_of(seen.goal);
  const auto never_for = [&](const std::string& why) {
    return ReachVerdict{Reach::kNever, never(seen.goal, why).message};
  };
  const bool tried = !seen.exhausted.empty();
  if (seen.goal.kind == Goal::Kind::kTime && tried && seen.whole_until) return {Reach::kTry, "", seen.whole_until};
  if (seen.goal.kind == Goal::Kind::kTime && is_idle_then(seen))
    return {Reach::kTry, "", Position{seen.mark->position}};
  if (seen.goal.kind == Goal::Kind::kImmediate) return {};
  if (seen.goal.kind == Goal::Kind::kLatest)
    return seen.waits && seen.later != 0
               ? never_for(fmt::format("timeline {} is stored by now, of a primary after the one of timeline {}: "
                                       "restore again",
                                       seen.later, seen.timeline))
               : ReachVerdict{};
  if (tried && seen.later != 0)
    return never_for(
        fmt::format("the log of timeline {} ended before it, and timeline {} is stored by now: restore "
                    "again",
                    seen.timeline, seen.later));
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
