// What becomes of differential and incremental runs: which of several is made, and what stands in for one that can't
// be.
#include <gtest/gtest.h>

#include "api/validate.hpp"
#include "contract/names.hpp"
#include "controllers/backup/run_decide.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupKind, api::BackupPhase;
using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;

WallTime at(const char* text) { return *parse_rfc3339(text); }

// Full on Sundays at 2, differentials on the other days, increments every hour; 29 November 2026 is a Sunday.
struct Runs {
  api::BackupSchedule schedule;
  std::vector<api::Backup> backups;
  std::set<std::string> without_parent;
  WallTime now = at("2026-11-28T00:30:00Z");

  Runs() {
    schedule.metadata.name = "orders";
    schedule.metadata.ns = "shop";
    schedule.metadata.creation_timestamp = "2026-11-28T00:30:00Z";
    schedule.spec.full = api::ScheduledRuns{"0 2 * * 0"};
    schedule.spec.differential = api::ScheduledRuns{"0 2 * * 1-6"};
    schedule.spec.incremental = api::ScheduledRuns{"0 * * * *"};
    schedule.spec.destination.s3.endpoint = "https://s3.example";
  }
  RunsLook step() {
    RunsSeen seen;
    seen.schedule = &schedule;
    for (const api::Backup& one : backups)
      seen.backups.push_back({std::make_shared<const api::Backup>(one), one.status});
    seen.stanza = "orders-1-77";
    seen.without_parent = without_parent;
    seen.now = now;
    RunsLook look = decide_runs(seen, schedule.status);
    if (look.create) {
      look.create->metadata.uid = "u" + std::to_string(backups.size());
      backups.push_back(*look.create);
    }
    return look;
  }
  RunsLook step_at(const char* text) {
    now = at(text);
    return step();
  }
  api::Backup& by_hand(BackupKind kind) {
    api::Backup& one = backups.emplace_back();
    one.metadata.name = "mine-" + std::to_string(backups.size());
    one.metadata.uid = one.metadata.name;
    one.spec.kind = kind;
    return one;
  }
  void end(BackupPhase phase, bool corrupt = false) {
    api::BackupStatus& status = backups.back().status;
    status.phase = phase;
    status.stanza = "orders-1-77";
    status.repository = api::repository_of(schedule.spec.destination.s3);
    status.started_at = to_rfc3339(now);
    status.corrupt = corrupt;
  }
  // A full one that is whole, taken by hand; what follows builds on it.
  void begin_with_a_full(bool corrupt = false) {
    by_hand(BackupKind::kFull);
    end(BackupPhase::kCompleted, corrupt);
    step();
  }
  std::string skipped() const { return schedule.status.last_skipped.value_or(""); }
};

std::optional<BackupKind> kind_of(const RunsLook& look) {
  return look.create ? std::optional(look.create->spec.kind) : std::nullopt;
}

TEST(RunKinds, OfWhatIsDueTogetherTheMostValuableIsMade) {
  for (int due = 1; due < 8; ++due) {
    Runs runs;
    runs.begin_with_a_full();
    const auto cron = [&](int bit) { return api::ScheduledRuns{due & bit ? "0 2 * * *" : "0 23 * * *"}; };
    runs.schedule.spec.full = cron(1);
    runs.schedule.spec.differential = cron(2);
    runs.schedule.spec.incremental = cron(4);
    runs.step();  // other times
    const RunsLook look = runs.step_at("2026-11-28T02:00:01Z");
    EXPECT_EQ(kind_of(look), due & 1   ? BackupKind::kFull
                             : due & 2 ? BackupKind::kDifferential
                                       : BackupKind::kIncremental)
        << due;
    EXPECT_EQ(look.create->metadata.name, "orders-20261128-020000");
    EXPECT_EQ(runs.schedule.status.runs->current->kind, look.create->spec.kind);
    EXPECT_EQ(runs.skipped().find("stands for") != std::string::npos, __builtin_popcount(due) > 1) << runs.skipped();
    runs.step();
    runs.end(BackupPhase::kCompleted);
    runs.now += minutes(5);
    EXPECT_FALSE(runs.step().create) << "the rest is covered";
  }
}

TEST(RunKinds, OfWhatWasMissedTheMostValuableIsMadeOnce) {
  const std::pair<const char*, BackupKind> cases[] = {{"2026-11-28T01:30:00Z", BackupKind::kIncremental},
                                                      {"2026-11-28T09:30:00Z", BackupKind::kDifferential},
                                                      {"2026-12-09T09:30:00Z", BackupKind::kFull}};
  for (const auto& [back, kind] : cases) {
    Runs runs;
    runs.begin_with_a_full();
    EXPECT_EQ(kind_of(runs.step_at(back)), kind) << back;
    runs.end(BackupPhase::kCompleted);
    runs.now += minutes(1);
    EXPECT_FALSE(runs.step().create);
  }
}

TEST(RunKinds, AFullWaitsForWhatRunsAndAnIncrementIsSkipped) {
  for (const BackupKind running : {BackupKind::kFull, BackupKind::kDifferential, BackupKind::kIncremental}) {
    Runs runs;
    runs.begin_with_a_full();
    runs.by_hand(running);
    const RunsLook increment = runs.step_at("2026-11-28T01:00:00Z");
    EXPECT_FALSE(increment.create);
    ASSERT_EQ(increment.events.size(), 1u);
    EXPECT_EQ(increment.events[0].reason, "BackupSkipped");
    EXPECT_EQ(runs.skipped(), "Incremental that was due at 2026-11-28T01:00:00Z: another backup runs");
    EXPECT_TRUE(runs.step().events.empty()) << "once";
    EXPECT_FALSE(runs.step_at("2026-11-29T02:00:00Z").create);
    runs.end(BackupPhase::kCompleted);
    runs.now += minutes(7);
    EXPECT_EQ(kind_of(runs.step()), BackupKind::kFull);
    EXPECT_EQ(runs.backups.back().metadata.name, "orders-20261129-020000");
  }
}

TEST(RunKinds, WithoutAFullOneWhateverIsDueIsMadeInFullAndSaidToBe) {
  Runs runs;
  runs.step();
  const RunsLook look = runs.step_at("2026-11-28T01:00:00Z");
  EXPECT_EQ(kind_of(look), BackupKind::kFull);
  EXPECT_NE(runs.skipped().find("is a full one: what was due at 2026-11-28T01:00:00Z had nothing to build on"),
            std::string::npos)
      << runs.skipped();
  runs.end(BackupPhase::kCompleted);
  EXPECT_EQ(kind_of(runs.step_at("2026-11-28T02:00:00Z")), BackupKind::kDifferential);
}

// The repository lost what the status knew of: the agent says so, and nothing is asked of it a second time.
TEST(RunKinds, AnIncrementThatFindsNothingToBuildOnIsMadeInFullAtOnce) {
  for (const bool suspended : {false, true}) {
    Runs runs;
    runs.begin_with_a_full();
    runs.step_at("2026-11-28T01:00:00Z");
    runs.step();
    runs.schedule.spec.suspend = suspended;
    runs.end(BackupPhase::kFailed);
    runs.without_parent = {runs.backups.back().metadata.uid};
    runs.now += seconds(20);
    const RunsLook look = runs.step();
    EXPECT_EQ(look.events.at(0).reason, "BackupFailed");
    ASSERT_EQ(look.create.has_value(), !suspended);
    if (suspended) continue;
    EXPECT_EQ(look.create->spec.kind, BackupKind::kFull);
    EXPECT_EQ(look.create->metadata.name, "orders-20261128-010020");
    EXPECT_EQ(runs.skipped(),
              "Backup orders-20261128-010020 is a full one in the place of orders-20261128-010000, which had nothing "
              "to build on");
    EXPECT_EQ(runs.schedule.status.runs->current->due, "2026-11-28T01:00:00Z") << "since when one is owed";
    EXPECT_FALSE(runs.step().create) << "once";
    runs.end(BackupPhase::kCompleted);
    runs.now += minutes(10);
    EXPECT_FALSE(runs.step().create);
    EXPECT_FALSE(runs.schedule.status.runs->failed);
  }
  // Nor while somebody else's waits, nor in the place of a full one.
  for (const bool full : {false, true}) {
    Runs runs;
    runs.begin_with_a_full();
    runs.step_at(full ? "2026-11-29T02:00:00Z" : "2026-11-28T01:00:00Z");
    runs.step();
    runs.end(BackupPhase::kFailed);
    runs.without_parent = {runs.backups.back().metadata.uid};
    if (!full) runs.by_hand(BackupKind::kFull);
    EXPECT_FALSE(runs.step().create);
    EXPECT_TRUE(runs.schedule.status.runs->failed);
  }
}

TEST(RunKinds, WhatFailedIsTriedAgainAsTheKindThatItWas) {
  const std::pair<const char*, BackupKind> cases[] = {{"2026-11-28T01:00:00Z", BackupKind::kIncremental},
                                                      {"2026-11-28T02:00:00Z", BackupKind::kDifferential},
                                                      {"2026-11-29T02:00:00Z", BackupKind::kFull}};
  for (const auto& [due, kind] : cases) {
    Runs runs;
    runs.begin_with_a_full();
    ASSERT_EQ(kind_of(runs.step_at(due)), kind);
    for (const int pause : {1, 2, 4, 8}) {
      runs.step();
      runs.end(BackupPhase::kFailed);
      EXPECT_FALSE(runs.step().create);
      runs.now += minutes(pause) - seconds(1);
      EXPECT_FALSE(runs.step().create) << pause;
      runs.now += seconds(1);
      EXPECT_EQ(kind_of(runs.step()), kind) << pause;
      EXPECT_EQ(runs.schedule.status.runs->current->due, due);
    }
  }
}

// A week may pass until the next full one is due: what builds on the last one goes on, and does not take its place.
TEST(RunKinds, AFullThatFailedIsOwedWhileIncrementsGoOn) {
  Runs runs;
  runs.begin_with_a_full();
  ASSERT_EQ(kind_of(runs.step_at("2026-11-29T02:00:00Z")), BackupKind::kFull);
  runs.step();
  runs.now = at("2026-11-29T02:59:30Z");
  runs.end(BackupPhase::kFailed);
  runs.step();
  EXPECT_EQ(kind_of(runs.step_at("2026-11-29T03:00:00Z")), BackupKind::kIncremental);
  for (const BackupPhase phase : {BackupPhase::kCompleted, BackupPhase::kFailed}) {
    Runs again = runs;
    again.step();
    again.end(phase);
    again.step();
    EXPECT_EQ(again.schedule.status.runs->failed->due, "2026-11-29T02:00:00Z");
    EXPECT_EQ(kind_of(again.step_at("2026-11-29T03:00:40Z")), BackupKind::kFull);
  }
}

TEST(RunKinds, APersonsFullEndsWhatFailedAndAPersonsIncrementNoFull) {
  for (const BackupKind taken : {BackupKind::kFull, BackupKind::kDifferential, BackupKind::kIncremental}) {
    Runs runs;
    runs.begin_with_a_full();
    runs.step_at("2026-11-29T02:00:00Z");
    runs.step();
    runs.end(BackupPhase::kFailed);
    runs.step();
    runs.now += seconds(30);
    runs.by_hand(taken);
    runs.end(BackupPhase::kCompleted);
    runs.step();
    runs.now += minutes(1);
    EXPECT_EQ(runs.step().create.has_value(), taken != BackupKind::kFull);
  }
}

// It would be refused by the agent, and a full one in its place, every hour, would hold the same pages.
TEST(RunKinds, NothingIsBuiltOnAFullOneWithDamagedPages) {
  Runs runs;
  runs.begin_with_a_full(true);
  const RunsLook look = runs.step_at("2026-11-28T01:00:00Z");
  EXPECT_FALSE(look.create);
  EXPECT_NE(runs.skipped().find("holds damaged pages"), std::string::npos) << runs.skipped();
  EXPECT_TRUE(runs.step().events.empty()) << "once";
  EXPECT_EQ(kind_of(runs.step_at("2026-11-29T02:00:00Z")), BackupKind::kFull);
}

TEST(RunKinds, OtherTimesOfAnyKindOweNothingOfBefore) {
  for (const auto& change : std::vector<std::function<void(api::BackupScheduleSpec&)>>{
           [](auto& spec) { spec.differential = api::ScheduledRuns{"0 1 * * 6"}; },
           [](auto& spec) { spec.incremental = api::ScheduledRuns{"30 * * * *"}; },
           [](auto& spec) { spec.incremental.reset(); }}) {
    Runs runs;
    runs.begin_with_a_full();
    change(runs.schedule.spec);
    EXPECT_FALSE(runs.step_at("2026-11-28T03:10:00Z").create);
  }
}

}  // namespace
}  // namespace twinspan::controllers
