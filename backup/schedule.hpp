// Which backup is to be begun now. Pure: the caller keeps ScheduleState (in status), stores it before it acts on the
// plan, and asks again when a run ends, when the rules change and at ScheduleDecision.next.
//
// - Due together: the most valuable one begins (Full before Differential before Incremental), the others are covered by
//   it. What was missed while nobody looked is due together: the most valuable one, once.
// - One run at a time: what is more valuable than what runs waits, as a Full always does; anything else is skipped.
// - Failed: again after 1, 2, 4, 8, 16 and then every 30 minutes, until its kind is due anew or a more valuable one
//   begins. Less valuable ones go on meanwhile.
// - No whole Full in the repository: whatever is due is made as a Full.
// - Suspended: nothing begins, and what is due meanwhile is over, as is what failed before.
// - The clock set back: what was served is not due again. By more than three hours: it was corrected, and what it says
//   counts from then on (as in Vixie's, cron(8)).
#pragma once
#include <array>
#include <chrono>
#include <optional>
#include <variant>

#include "backup/types.hpp"
#include "core/cron.hpp"
#include "core/zone.hpp"

namespace twinspan::backup {

struct Timetable {
  std::array<std::optional<Cron>, 3> crons;  // by Kind; nullopt: not on schedule
  TimeZone zone;
  bool suspend = false;
  bool immediate = false;  // a Full now, where there is no whole one
};

struct FailedRun {
  WallTime due;        // when it should have been begun
  int failures = 0;    // of it, in a row; from 1
  WallTime failed_at;  // the last time
  bool operator==(const FailedRun&) const = default;
};

struct ScheduleState {
  // What the crons name up to then is over. To begin with: when the schedule was made; other crons were accepted: the
  // time of that.
  WallTime served_until{};
  std::array<std::optional<FailedRun>, 3> failed;  // by Kind; nullopt: its last run did not fail
  bool operator==(const ScheduleState&) const = default;
};

struct ScheduleSeen {
  WallTime now;
  bool full_exists = false;        // a whole Full is in the repository, by its own listing
  std::optional<Kind> running;     // of this link, whoever asked for it
  std::optional<WallTime> newest;  // when the newest backup of the repository ended; nullopt: there is none
};

enum class RunCause { kScheduled, kImmediate, kAgain, kNoFull };

struct Begin {
  Kind kind;
  RunCause cause;
  WallTime due;     // since when; of what was missed several times, the first
  int covered = 0;  // other times that it stands for, kCoveredMax at most
  bool operator==(const Begin&) const = default;
};
inline constexpr int kCoveredMax = 999;

struct Skip {  // and asked again, nothing is left of it
  Kind kind;
  WallTime due;
  bool operator==(const Skip&) const = default;
};

enum class Rest { kNothingDue, kSuspended, kAnotherRuns };

using SchedulePlan = std::variant<Rest, Begin, Skip>;

struct ScheduleDecision {
  ScheduleState state;
  SchedulePlan plan;
  bool clock_suspect = false;    // the last run or the newest backup lies in the future: nothing may be expired
  std::optional<WallTime> next;  // when something will be due or tried again; nullopt: never by itself
};

ScheduleDecision decide(const Timetable& timetable, const ScheduleState& state, const ScheduleSeen& seen);

// Once a run has ended: whatever it stands for need not be tried again; or it is tried again after a while.
ScheduleState after_success(ScheduleState state, Kind kind);
ScheduleState after_failure(ScheduleState state, const Begin& run, WallTime at);

// How long after its n-th failure in a row a run is tried again: 1, 2, 4, 8, 16, 30, 30 … minutes.
std::chrono::minutes retry_after(int failures);

}  // namespace twinspan::backup
