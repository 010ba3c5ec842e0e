#include "backup/schedule.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;

WallTime at(const char* text) { return *parse_rfc3339(text); }

Timetable weekly() {
  Timetable timetable;
  timetable.crons = {*parse_cron("0 2 * * 0"), *parse_cron("0 2 * * 1-6"), *parse_cron("0 * * * *")};
  return timetable;
}

// 29 November 2026 is a Sunday.
const WallTime kFull = at("2026-11-29T02:00:00Z");

ScheduleSeen seen(WallTime now, std::optional<Kind> running = std::nullopt, bool full_exists = true) {
  return {now, full_exists, running, std::nullopt};
}

// "Full Scheduled 2026-11-29T02:00:00Z +1"; "Skip Incremental …"; "NothingDue".
std::string told(const SchedulePlan& plan) {
  if (const Rest* rest = std::get_if<Rest>(&plan))
    return *rest == Rest::kNothingDue ? "NothingDue" : *rest == Rest::kSuspended ? "Suspended" : "AnotherRuns";
  if (const Skip* skip = std::get_if<Skip>(&plan))
    return "Skip " + std::string(to_string(skip->kind)) + " " + to_rfc3339(skip->due);
  const Begin& run = std::get<Begin>(plan);
  const char* causes[] = {"Scheduled", "Immediate", "Again", "NoFull"};
  return std::string(to_string(run.kind)) + " " + causes[static_cast<int>(run.cause)] + " " + to_rfc3339(run.due) +
         (run.covered ? " +" + std::to_string(run.covered) : "");
}

TEST(BackupSchedule, OfWhatIsDueTogetherTheMostValuableRunsAndCoversTheRest) {
  for (int due = 0; due < 8; ++due) {
    Timetable timetable;
    for (int kind = 0; kind < 3; ++kind)
      timetable.crons[static_cast<size_t>(kind)] = *parse_cron(due & 1 << kind ? "0 2 * * *" : "0 23 * * *");
    const ScheduleDecision decision = decide(timetable, {kFull - minutes(30), {}}, seen(kFull));
    const Begin* run = std::get_if<Begin>(&decision.plan);
    ASSERT_EQ(run != nullptr, due != 0) << due;
    if (!run) continue;
    EXPECT_EQ(static_cast<int>(run->kind), due & 1 ? 0 : due & 2 ? 1 : 2) << due;
    EXPECT_EQ(run->covered, __builtin_popcount(static_cast<unsigned>(due)) - 1) << due;
    EXPECT_EQ(told(decide(timetable, decision.state, seen(kFull + seconds(5))).plan), "NothingDue") << "once";
    EXPECT_EQ(decision.next, due != 7 ? at("2026-11-29T23:00:00Z") : kFull + hours(24));
  }
}

TEST(BackupSchedule, OfWhatWasMissedTheMostValuableRunsOnce) {
  const std::pair<const char*, const char*> cases[] = {
      {"2026-11-29T01:59:59Z", "Incremental Scheduled 2026-11-29T01:00:00Z"},
      {"2026-11-29T02:00:00Z", "Full Scheduled 2026-11-29T02:00:00Z +2"},
      {"2026-11-29T05:30:00Z", "Full Scheduled 2026-11-29T02:00:00Z +5"},
      {"2026-12-14T00:30:00Z", "Full Scheduled 2026-11-29T02:00:00Z +374"},  // 360 hours, 12 differentials, 3 fulls
  };
  for (const auto& [now, expected] : cases) {
    const ScheduleDecision decision = decide(weekly(), {at("2026-11-29T00:30:00Z"), {}}, seen(at(now)));
    EXPECT_EQ(told(decision.plan), expected) << now;
    EXPECT_EQ(told(decide(weekly(), decision.state, seen(at(now))).plan), "NothingDue") << now;
  }
  const ScheduleDecision year = decide(weekly(), {kFull, {}}, seen(at("2027-11-29T05:30:00Z")));
  EXPECT_EQ(std::get<Begin>(year.plan).covered, kCoveredMax);
}

TEST(BackupSchedule, WhatIsMoreValuableThanWhatRunsWaitsAndTheRestIsSkipped) {
  for (const Kind due : kKinds)
    for (const Kind running : kKinds) {
      Timetable timetable;
      timetable.crons[static_cast<size_t>(due)] = *parse_cron("0 2 * * *");
      const ScheduleState before{kFull - hours(1), {}};
      const ScheduleDecision decision = decide(timetable, before, seen(kFull, running));
      const bool waits = due == Kind::kFull || due < running;
      EXPECT_EQ(told(decision.plan),
                waits ? "AnotherRuns" : "Skip " + std::string(to_string(due)) + " 2026-11-29T02:00:00Z");
      const ScheduleDecision later = decide(timetable, decision.state, seen(kFull + minutes(90)));
      EXPECT_EQ(told(later.plan),
                waits ? std::string(to_string(due)) + " Scheduled 2026-11-29T02:00:00Z" : "NothingDue");
    }
}

TEST(BackupSchedule, WhatFailedIsTriedAgainEverLater) {
  const int expected[] = {1, 2, 4, 8, 16, 30, 30, 30};
  Timetable timetable;
  timetable.crons[0] = *parse_cron("0 2 * * 0");
  ScheduleDecision decision = decide(timetable, {kFull - hours(1), {}}, seen(kFull));
  WallTime now = kFull;
  for (const int wait : expected) {
    const ScheduleState failed = after_failure(decision.state, std::get<Begin>(decision.plan), now + seconds(10));
    now += seconds(10) + minutes(wait);
    const ScheduleDecision early = decide(timetable, failed, seen(now - seconds(1)));
    EXPECT_EQ(told(early.plan), "NothingDue");
    EXPECT_EQ(early.next, now);
    decision = decide(timetable, failed, seen(now));
    EXPECT_EQ(told(decision.plan), "Full Again 2026-11-29T02:00:00Z") << wait;
  }
  const ScheduleState done = after_success(decision.state, Kind::kFull);
  EXPECT_EQ(told(decide(timetable, done, seen(now + hours(1))).plan), "NothingDue");
  // The next Full is due: a new run, whose failures are counted anew.
  const ScheduleState failed =
      after_failure(decision.state, std::get<Begin>(decision.plan), kFull + hours(24 * 7) - minutes(5));
  const ScheduleDecision next = decide(timetable, failed, seen(kFull + hours(24 * 7)));
  EXPECT_EQ(told(next.plan), "Full Scheduled 2026-12-06T02:00:00Z");
  EXPECT_EQ(after_failure(next.state, std::get<Begin>(next.plan), kFull).failed[0]->failures, 1);
}

TEST(BackupSchedule, AFullThatFailsStopsNoIncrements) {
  const ScheduleDecision full = decide(weekly(), {kFull - minutes(30), {}}, seen(kFull));
  ScheduleState state = full.state;
  for (int i = 0; i < 6; ++i)
    state = after_failure(state, std::get<Begin>(full.plan), kFull + minutes(45));  // again at 3:15
  const ScheduleDecision increment = decide(weekly(), state, seen(kFull + minutes(60)));
  EXPECT_EQ(told(increment.plan), "Incremental Scheduled 2026-11-29T03:00:00Z");
  EXPECT_EQ(told(decide(weekly(), increment.state, seen(kFull + minutes(75), Kind::kIncremental)).plan), "AnotherRuns");
  EXPECT_EQ(told(decide(weekly(), after_success(increment.state, Kind::kIncremental), seen(kFull + minutes(75))).plan),
            "Full Again 2026-11-29T02:00:00Z");
  // Both at once: the Full covers the increment.
  EXPECT_EQ(told(decide(weekly(), increment.state, seen(kFull + minutes(125))).plan),
            "Full Again 2026-11-29T02:00:00Z +1");
}

TEST(BackupSchedule, SuccessCoversWhatIsLessValuable) {
  for (const Kind kind : kKinds) {
    ScheduleState state;
    for (auto& failed : state.failed) failed = FailedRun{kFull, 1, kFull};
    const ScheduleState after = after_success(state, kind);
    for (const Kind other : kKinds) EXPECT_EQ(after.failed[static_cast<size_t>(other)].has_value(), other < kind);
  }
}

TEST(BackupSchedule, WithoutAFullWhateverIsDueBecomesOne) {
  EXPECT_EQ(told(decide(weekly(), {kFull + minutes(30), {}}, seen(kFull + hours(1), std::nullopt, false)).plan),
            "Full NoFull 2026-11-29T03:00:00Z");
  // It failed a moment ago: the next increment does not call it earlier.
  const ScheduleDecision first =
      decide(weekly(), {kFull + minutes(30), {}}, seen(kFull + hours(1), std::nullopt, false));
  ScheduleState state = first.state;
  for (int i = 0; i < 6; ++i) state = after_failure(state, std::get<Begin>(first.plan), kFull + minutes(110));
  EXPECT_EQ(told(decide(weekly(), state, seen(kFull + hours(2), std::nullopt, false)).plan), "NothingDue");
  EXPECT_EQ(told(decide(weekly(), state, seen(kFull + minutes(140), std::nullopt, false)).plan),
            "Full Again 2026-11-29T03:00:00Z +1");
}

TEST(BackupSchedule, ImmediateIsAFullNowWhereThereIsNone) {
  for (const bool immediate : {false, true})
    for (const bool exists : {false, true})
      for (const bool suspend : {false, true})
        for (const bool busy : {false, true}) {
          Timetable timetable = weekly();
          timetable.immediate = immediate;
          timetable.suspend = suspend;
          const auto running = busy ? std::optional(Kind::kIncremental) : std::nullopt;
          const ScheduleDecision decision = decide(timetable, {kFull, {}}, seen(kFull + minutes(10), running, exists));
          EXPECT_EQ(told(decision.plan), suspend                ? "Suspended"
                                         : !immediate || exists ? "NothingDue"
                                         : busy                 ? "AnotherRuns"
                                                                : "Full Immediate 2026-11-29T02:10:00Z");
          if (!std::holds_alternative<Begin>(decision.plan)) continue;
          const ScheduleState failed =
              after_failure(decision.state, std::get<Begin>(decision.plan), kFull + minutes(11));
          EXPECT_EQ(told(decide(timetable, failed, seen(kFull + minutes(11) + seconds(59), std::nullopt, false)).plan),
                    "NothingDue");
          EXPECT_EQ(told(decide(timetable, failed, seen(kFull + minutes(12), std::nullopt, false)).plan),
                    "Full Again 2026-11-29T02:10:00Z");
        }
}

TEST(BackupSchedule, WhatIsDueWhileSuspendedIsOver) {
  Timetable timetable = weekly();
  timetable.suspend = true;
  const ScheduleDecision suspended = decide(timetable, {kFull - hours(1), {}}, seen(kFull + minutes(10)));
  EXPECT_EQ(told(suspended.plan), "Suspended");
  EXPECT_EQ(told(decide(weekly(), suspended.state, seen(kFull + minutes(20))).plan), "NothingDue");
  EXPECT_EQ(told(decide(weekly(), suspended.state, seen(kFull + minutes(60))).plan),
            "Incremental Scheduled 2026-11-29T03:00:00Z");
}

TEST(BackupSchedule, AClockSetBackRepeatsNothing) {
  const ScheduleDecision run = decide(weekly(), {kFull - minutes(30), {}}, seen(kFull + seconds(2)));
  EXPECT_FALSE(run.clock_suspect);
  for (int back = 1; back <= 180; ++back)
    for (const WallTime now : {kFull + seconds(2) - minutes(back), kFull, kFull + seconds(1)}) {
      const ScheduleDecision decision = decide(weekly(), run.state, seen(now));
      EXPECT_EQ(told(decision.plan), "NothingDue");
      EXPECT_TRUE(decision.clock_suspect);
      EXPECT_EQ(decision.next, kFull + hours(1));
    }
}

// A run that begins after the clock was set back moves nothing back either.
TEST(BackupSchedule, ARunBeforeWhatWasServedRepeatsNothing) {
  const WallTime now = kFull - minutes(30);
  const ScheduleState state{kFull + seconds(2), {FailedRun{kFull, 1, now - minutes(5)}}};
  const ScheduleDecision again = decide(weekly(), state, seen(now));
  EXPECT_EQ(told(again.plan), "Full Again 2026-11-29T02:00:00Z");
  EXPECT_EQ(again.state.served_until, state.served_until);
  EXPECT_EQ(told(decide(weekly(), after_success(again.state, Kind::kFull), seen(kFull)).plan), "NothingDue");
}

TEST(BackupSchedule, AClockSetBackByAYearGoesOnAndIsSuspect) {
  const ScheduleState future{kFull + hours(24 * 365), {}};
  ScheduleSeen now = seen(kFull - minutes(30));
  now.newest = kFull + hours(24 * 365);
  const ScheduleDecision corrected = decide(weekly(), future, now);
  EXPECT_EQ(told(corrected.plan), "NothingDue");
  EXPECT_TRUE(corrected.clock_suspect);
  EXPECT_EQ(corrected.next, kFull);
  now.now = kFull;
  const ScheduleDecision goes_on = decide(weekly(), corrected.state, now);
  EXPECT_EQ(told(goes_on.plan), "Full Scheduled 2026-11-29T02:00:00Z +1");
  EXPECT_TRUE(goes_on.clock_suspect) << "as long as a backup of the future is there";
}

TEST(BackupSchedule, AFailureOfTheFutureIsTriedAtOnce) {
  Timetable timetable;
  timetable.crons[0] = *parse_cron("0 2 * * 0");
  const ScheduleState state{kFull, {FailedRun{kFull, 3, kFull + hours(24 * 365)}}};
  EXPECT_EQ(told(decide(timetable, state, seen(kFull + minutes(1))).plan), "Full Again 2026-11-29T02:00:00Z");
}

TEST(BackupSchedule, RunsByTheClockOfItsZone) {
  Timetable timetable;
  timetable.crons[0] = *parse_cron("0 2 * * *");
  timetable.zone = *load_zone("Europe/Berlin");
  // 25 October has two o'clock twice, 29 March none.
  ScheduleState state{at("2026-10-24T12:00:00Z"), {}};
  std::string runs;
  for (WallTime now = at("2026-10-24T12:00:00Z"); now < at("2026-10-27T00:00:00Z"); now += minutes(10)) {
    const ScheduleDecision decision = decide(timetable, state, seen(now));
    state = decision.state;
    if (std::holds_alternative<Begin>(decision.plan)) runs += told(decision.plan) + "\n";
  }
  EXPECT_EQ(runs, "Full Scheduled 2026-10-25T00:00:00Z\nFull Scheduled 2026-10-26T01:00:00Z\n");
  EXPECT_EQ(decide(timetable, {at("2026-03-28T12:00:00Z"), {}}, seen(at("2026-03-28T12:00:00Z"))).next,
            at("2026-03-29T01:00:00Z"));
}

}  // namespace
}  // namespace twinspan::backup
