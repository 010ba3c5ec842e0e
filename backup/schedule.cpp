#include "backup/schedule.hpp"

#include <algorithm>

namespace twinspan::backup {
namespace {

constexpr std::chrono::hours kCorrected{3};

size_t index(Kind kind) { return static_cast<size_t>(kind); }

struct Due {
  WallTime since;
  int times = 0;
};
using DueKinds = std::array<std::optional<Due>, 3>;

DueKinds newly_due(const Timetable& timetable, WallTime served_until, WallTime now) {
  DueKinds due;
  for (const Kind kind : kKinds) {
    const auto& cron = timetable.crons[index(kind)];
    if (!cron) continue;
    for (auto at = next_after(*cron, served_until, timetable.zone); at && *at <= now;
         at = next_after(*cron, *at, timetable.zone)) {
      auto& found = due[index(kind)];
      if (!found) found = Due{*at};
      if (++found->times > kCoveredMax) break;
    }
  }
  return due;
}

// A failure in the future is one before the clock was set back.
bool ready(const FailedRun& failed, WallTime now) {
  return failed.failed_at > now || failed.failed_at + retry_after(failed.failures) <= now;
}

// The most valuable of what is due and of what is to be tried again.
std::optional<Begin> candidate(const Timetable& timetable, const ScheduleState& state, const ScheduleSeen& seen,
                               const DueKinds& due) {
  const auto& failed_full = state.failed[index(Kind::kFull)];
  const bool full_waits = failed_full && !ready(*failed_full, seen.now) && !due[index(Kind::kFull)];
  if (timetable.immediate && !seen.full_exists && !failed_full && !due[index(Kind::kFull)])
    return Begin{Kind::kFull, RunCause::kImmediate, seen.now};
  for (const Kind kind : kKinds) {
    const auto& failed = state.failed[index(kind)];
    std::optional<Begin> run;
    if (due[index(kind)])
      run = Begin{kind, RunCause::kScheduled, due[index(kind)]->since};
    else if (failed && ready(*failed, seen.now))
      run = Begin{kind, RunCause::kAgain, failed->due};
    if (!run) continue;
    if (kind == Kind::kFull || seen.full_exists) return run;
    if (full_waits) return std::nullopt;
    return Begin{Kind::kFull, RunCause::kNoFull, run->due};
  }
  return std::nullopt;
}

int covered_by(const Begin& run, const DueKinds& due) {
  int times = 0;
  for (const auto& one : due)
    if (one) times += one->times;
  const bool itself = run.cause == RunCause::kScheduled || run.cause == RunCause::kNoFull;
  return std::clamp(times - (itself ? 1 : 0), 0, kCoveredMax);
}

ScheduleState begun(ScheduleState state, const Begin& run, WallTime now) {
  state.served_until = std::max(state.served_until, now);
  if (run.cause == RunCause::kScheduled) state.failed[index(run.kind)].reset();
  for (const Kind kind : kKinds)
    if (kind > run.kind) state.failed[index(kind)].reset();
  return state;
}

std::optional<WallTime> next_look(const Timetable& timetable, const ScheduleState& state, WallTime now) {
  std::optional<WallTime> next;
  const auto at = [&](std::optional<WallTime> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  for (const Kind kind : kKinds) {
    if (const auto& cron = timetable.crons[index(kind)])
      at(next_after(*cron, std::max(state.served_until, now), timetable.zone));
    if (const auto& failed = state.failed[index(kind)]; failed && !ready(*failed, now))
      at(failed->failed_at + retry_after(failed->failures));
  }
  return next;
}

SchedulePlan choose(const Timetable& timetable, ScheduleState& state, const ScheduleSeen& seen) {
  const DueKinds due = newly_due(timetable, state.served_until, seen.now);
  const bool any_due = std::any_of(due.begin(), due.end(), [](const auto& one) { return one.has_value(); });
  if (timetable.suspend) {
    if (any_due) state.served_until = seen.now;
    state.failed = {};
    return Rest::kSuspended;
  }
  auto run = candidate(timetable, state, seen, due);
  if (!run) {
    if (any_due) state.served_until = seen.now;  // they wait with the Full that is to be tried again
    return Rest::kNothingDue;
  }
  const bool waits = seen.running && (run->kind == Kind::kFull || run->kind < *seen.running || !any_due);
  if (waits) return Rest::kAnotherRuns;
  if (seen.running) {
    state.served_until = seen.now;
    return Skip{run->kind, run->due};
  }
  run->covered = covered_by(*run, due);
  state = begun(state, *run, seen.now);
  return *run;
}

}  // namespace

ScheduleDecision decide(const Timetable& timetable, const ScheduleState& state, const ScheduleSeen& seen) {
  ScheduleDecision decision{state, Rest::kNothingDue, false, std::nullopt};
  decision.clock_suspect = state.served_until > seen.now || (seen.newest && *seen.newest > seen.now);
  if (state.served_until > seen.now + kCorrected) decision.state.served_until = seen.now;
  decision.plan = choose(timetable, decision.state, seen);
  decision.next = next_look(timetable, decision.state, seen.now);
  return decision;
}

ScheduleState after_success(ScheduleState state, Kind kind) {
  for (const Kind other : kKinds)
    if (other >= kind) state.failed[index(other)].reset();
  return state;
}

ScheduleState after_failure(ScheduleState state, const Begin& run, WallTime at) {
  auto& failed = state.failed[index(run.kind)];
  failed = FailedRun{run.due, failed ? failed->failures + 1 : 1, at};
  return state;
}

std::chrono::minutes retry_after(int failures) {
  return std::chrono::minutes(failures > 5 ? 30 : 1 << std::max(failures - 1, 0));
}

}  // namespace twinspan::backup
