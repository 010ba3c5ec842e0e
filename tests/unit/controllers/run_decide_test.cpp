#include "controllers/backup/run_decide.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "api/validate.hpp"
#include "contract/names.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupPhase;
using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;

WallTime at(const char* text) { return *parse_rfc3339(text); }

// A schedule and the Backups that there are. What is decided is carried out only as far as the test says.
struct Runs {
  api::BackupSchedule schedule;
  std::vector<api::Backup> backups;
  bool name_taken = false;
  WallTime now = at("2026-11-29T01:30:00Z");
  int made = 0;

  explicit Runs(const char* cron = "0 2 * * *") {
    schedule.metadata.name = "orders";
    schedule.metadata.ns = "shop";
    schedule.metadata.creation_timestamp = "2026-11-29T01:30:00Z";
    schedule.spec.full = api::ScheduledRuns{cron};
    schedule.spec.destination.s3.endpoint = "https://s3.example";
    schedule.spec.destination.s3.bucket = "backups";
  }
  RunsLook look(api::BackupScheduleStatus& status) const {
    RunsSeen seen;
    seen.schedule = &schedule;
    for (const api::Backup& one : backups)
      seen.backups.push_back({std::make_shared<const api::Backup>(one), one.status});
    seen.name_taken = name_taken;
    seen.stanza = "orders-1-77";
    seen.now = now;
    return decide_runs(seen, status);
  }
  RunsLook write_status() {  // and be stopped before anything else
    api::BackupScheduleStatus status = schedule.status;
    RunsLook look = this->look(status);
    schedule.status = status;
    return look;
  }
  RunsLook step() {
    RunsLook look = write_status();
    if (look.create) add(*look.create);
    for (const auto& gone : look.remove)
      std::erase_if(backups, [&](const api::Backup& one) { return one.metadata.name == gone->metadata.name; });
    return look;
  }
  api::Backup& add(api::Backup made_now) {
    made_now.metadata.uid = "u" + std::to_string(++made);
    return backups.emplace_back(std::move(made_now));
  }
  api::Backup& by_hand(const char* name) {
    api::Backup one;
    one.metadata.name = name;
    one.spec.schedule_ref.name = "orders";
    return add(one);
  }
  void end(BackupPhase phase, const char* endpoint = "https://s3.example") {
    api::Backup& one = backups.back();
    one.status.phase = phase;
    one.status.label = "L-" + one.metadata.name;
    one.status.stanza = "orders-1-77";
    api::S3Destination s3 = schedule.spec.destination.s3;
    s3.endpoint = endpoint;
    one.status.repository = api::repository_of(s3);
    one.status.started_at = to_rfc3339(now);
    one.status.completed_at = to_rfc3339(now + minutes(1));
    one.status.message = "words";
  }
  void fail_the_first() {
    step();
    now = at("2026-11-29T02:00:00Z");
    step();
    end(BackupPhase::kFailed);
    step();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const api::Backup& one : backups) out.push_back(one.metadata.name);
    return out;
  }
};

using Names = std::vector<std::string>;

TEST(RunDecide, ADueRunIsNamedForItsTimeAndMadeOnce) {
  Runs runs;
  EXPECT_FALSE(runs.step().create);
  EXPECT_EQ(runs.schedule.status.next, "2026-11-29T02:00:00Z");
  runs.now = at("2026-11-29T02:00:03Z");
  const RunsLook look = runs.step();
  ASSERT_TRUE(look.create);
  EXPECT_EQ(look.create->metadata.name, "orders-20261129-020000");
  EXPECT_EQ(look.create->metadata.labels.at(std::string(kScheduleLabel)), "orders");
  EXPECT_EQ(look.create->spec.schedule_ref.name, "orders");
  EXPECT_EQ(look.create->spec.kind, api::BackupKind::kFull);
  EXPECT_EQ(look.events.at(0).reason, "BackupScheduled");
  EXPECT_EQ(runs.schedule.status.last_scheduled, "2026-11-29T02:00:03Z");
  EXPECT_EQ(runs.schedule.status.next, "2026-11-30T02:00:00Z");
  for (int again = 0; again < 3; ++again, runs.now += seconds(5)) EXPECT_FALSE(runs.step().create);
  runs.end(BackupPhase::kCompleted);
  for (int again = 0; again < 3; ++again, runs.now += hours(1)) EXPECT_FALSE(runs.step().create);
  EXPECT_EQ(runs.names(), Names{"orders-20261129-020000"});
}

// The status is written first: whoever is stopped after it, or after the Backup was made, the next one makes it once.
TEST(RunDecide, ARestartBetweenAnyTwoWritesMakesItOnce) {
  for (const bool was_made : {false, true}) {
    Runs runs;
    runs.step();
    runs.now = at("2026-11-29T02:00:03Z");
    const RunsLook stopped = runs.write_status();
    ASSERT_TRUE(stopped.create);
    if (was_made) runs.add(*stopped.create);
    runs.now += hours(3);
    const RunsLook next = runs.step();
    EXPECT_EQ(next.create.has_value(), !was_made);
    runs.step();
    EXPECT_EQ(runs.names(), Names{"orders-20261129-020000"});
    EXPECT_EQ(runs.schedule.status.runs->current->uid, "u1");
  }
}

// Somebody else who saw the same decides the same name: the API takes one of the two.
TEST(RunDecide, TwoOperatorsDecideTheSame) {
  Runs runs;
  runs.step();
  runs.now = at("2026-11-29T02:00:03Z");
  api::BackupScheduleStatus one = runs.schedule.status, two = runs.schedule.status;
  const RunsLook first = runs.look(one);
  runs.now += seconds(4);
  EXPECT_EQ(runs.look(two).create->metadata.name, first.create->metadata.name);
}

TEST(RunDecide, WhatWasMissedIsMadeUpOnce) {
  Runs runs;
  runs.step();
  runs.now = at("2026-12-03T09:00:00Z");
  const RunsLook look = runs.step();
  ASSERT_TRUE(look.create);
  EXPECT_EQ(look.create->metadata.name, "orders-20261129-020000");
  EXPECT_NE(runs.schedule.status.last_skipped->find("stands for 4 more"), std::string::npos)
      << *runs.schedule.status.last_skipped;
  runs.end(BackupPhase::kCompleted);
  for (int again = 0; again < 3; ++again, runs.now += hours(1)) EXPECT_FALSE(runs.step().create);
  // While the schedule was not looked at since it was made, too.
  Runs unseen;
  unseen.now = at("2026-12-03T09:00:00Z");
  EXPECT_TRUE(unseen.step().create);
}

TEST(RunDecide, WhatAutumnRepeatsRunsOnce) {
  Runs runs("30 2 * * *");
  runs.schedule.metadata.creation_timestamp = "2026-10-24T12:00:00Z";
  runs.schedule.spec.time_zone = "Europe/Berlin";
  for (runs.now = at("2026-10-24T12:00:00Z"); runs.now < at("2026-10-25T22:00:00Z"); runs.now += minutes(5))
    if (runs.step().create) runs.end(BackupPhase::kCompleted);
  EXPECT_EQ(runs.names(), Names{"orders-20261025-003000"});
}

TEST(RunDecide, NeverASecondOneWhileOneOfTheScheduleRuns) {
  for (const BackupPhase phase : {BackupPhase::kPending, BackupPhase::kRunning, BackupPhase::kWaitingForWal,
                                  BackupPhase::kCompleted, BackupPhase::kFailed}) {
    Runs runs;
    runs.by_hand("mine").status.phase = phase;
    runs.step();
    runs.now = at("2026-11-29T02:00:03Z");
    const bool over = phase == BackupPhase::kCompleted || phase == BackupPhase::kFailed;
    EXPECT_EQ(runs.step().create.has_value(), over);
    if (over) continue;
    runs.now = at("2026-12-01T03:00:00Z");
    EXPECT_FALSE(runs.step().create);
    runs.end(BackupPhase::kCompleted);
    EXPECT_TRUE(runs.step().create) << "it waited, and stands for those that came meanwhile";
    EXPECT_NE(runs.schedule.status.last_skipped->find("stands for 2 more"), std::string::npos);
  }
}

TEST(RunDecide, WhatIsDueWhileSuspendedIsLeftOutAndSaid) {
  Runs runs;
  runs.schedule.spec.suspend = true;
  runs.schedule.spec.immediate = true;
  runs.step();
  EXPECT_FALSE(runs.schedule.status.next);
  runs.now = at("2026-11-29T02:00:03Z");
  const RunsLook look = runs.step();
  EXPECT_FALSE(look.create);
  ASSERT_EQ(look.events.size(), 1u);
  EXPECT_EQ(look.events[0].reason, "BackupSkipped");
  EXPECT_NE(runs.schedule.status.last_skipped->find("suspended"), std::string::npos);
  runs.schedule.spec.immediate = false;
  runs.step();
  runs.schedule.spec.suspend = false;
  EXPECT_FALSE(runs.step().create) << "it is over";
  runs.now += hours(24);
  EXPECT_TRUE(runs.step().create);
}

TEST(RunDecide, ImmediateIsAFullWhereTheRepositoryHasNone) {
  for (const bool immediate : {false, true})
    for (const char* endpoint : {"", "https://s3.example", "https://former.example"}) {
      Runs runs;
      runs.schedule.spec.immediate = immediate;
      if (*endpoint) {
        runs.by_hand("mine");
        runs.end(BackupPhase::kCompleted, endpoint);
      }
      const bool exists = std::string(endpoint) == "https://s3.example";
      EXPECT_EQ(runs.step().create.has_value(), immediate && !exists) << endpoint;
      EXPECT_EQ(runs.schedule.status.last.has_value(), exists) << endpoint;
    }
  // Nor a second one once the object is gone: its data are not.
  Runs runs;
  runs.schedule.spec.immediate = true;
  runs.step();
  runs.end(BackupPhase::kCompleted);
  runs.step();
  runs.backups.clear();
  EXPECT_FALSE(runs.step().create);
  EXPECT_EQ(runs.schedule.status.last->label, "L-orders-20261129-013000");
}

TEST(RunDecide, LastIsTheNewestOfThePresentRepository) {
  Runs runs;
  runs.by_hand("older");
  runs.end(BackupPhase::kCompleted);
  runs.now += minutes(1);
  runs.by_hand("newer");
  runs.end(BackupPhase::kCompleted);
  runs.backups.back().status.corrupt = true;
  runs.now += minutes(1);
  runs.by_hand("failed");
  runs.end(BackupPhase::kFailed);
  runs.step();
  EXPECT_EQ(runs.schedule.status.last->backup, "newer");
  EXPECT_EQ(runs.schedule.status.last->started_at, "2026-11-29T01:31:00Z");
  EXPECT_EQ(runs.schedule.status.last->completed_at, "2026-11-29T01:32:00Z");
  EXPECT_EQ(runs.schedule.status.last->corrupt, true);
  runs.schedule.spec.destination.s3.endpoint = "https://S3.example:443/";
  runs.step();
  EXPECT_TRUE(runs.schedule.status.last) << "the same, written otherwise";
  runs.schedule.spec.destination.s3.endpoint = "https://moved.example";
  runs.step();
  EXPECT_FALSE(runs.schedule.status.last);
  runs.schedule.spec.destination.s3.endpoint = "https://s3.example";
  for (api::Backup& one : runs.backups) one.status.stanza = "orders-1-66";
  runs.step();
  EXPECT_FALSE(runs.schedule.status.last) << "of other data";
}

TEST(RunDecide, WhatFailedIsTriedAgainUnderAnotherName) {
  Runs runs;
  runs.step();
  runs.now = at("2026-11-29T02:00:00Z");
  runs.step();
  runs.now += minutes(10);
  runs.end(BackupPhase::kFailed);
  const RunsLook failed = runs.step();
  EXPECT_FALSE(failed.create);
  EXPECT_EQ(failed.events, (std::vector<RunEvent>{{true, "BackupFailed", "Backup orders-20261129-020000: words"}}));
  EXPECT_EQ(runs.schedule.status.next, "2026-11-29T02:11:00Z");
  runs.now += seconds(59);
  EXPECT_FALSE(runs.step().create);
  runs.now += seconds(1);
  EXPECT_TRUE(runs.step().create);
  EXPECT_EQ(runs.names().back(), "orders-20261129-021100");
  runs.end(BackupPhase::kCompleted);
  runs.step();
  EXPECT_FALSE(runs.schedule.status.runs->failed);
  EXPECT_EQ(runs.schedule.status.next, "2026-11-30T02:00:00Z");
}

TEST(RunDecide, WhatFailedIsNotTriedAgainOnceAPersonHasTakenOne) {
  for (const BackupPhase phase : {BackupPhase::kCompleted, BackupPhase::kFailed}) {
    Runs runs;
    runs.fail_the_first();
    runs.now += seconds(30);
    runs.by_hand("mine");
    runs.end(phase);
    runs.step();
    runs.now += minutes(1);
    EXPECT_EQ(runs.step().create.has_value(), phase == BackupPhase::kFailed);
  }
}

TEST(RunDecide, ANameThatIsTakenIsAFailureAndSaid) {
  Runs runs;
  runs.step();
  runs.now = at("2026-11-29T02:00:00Z");
  runs.write_status();
  runs.name_taken = true;
  EXPECT_FALSE(runs.step().create);
  EXPECT_NE(runs.schedule.status.last_skipped->find("another schedule's"), std::string::npos);
  runs.name_taken = false;
  runs.now += minutes(1);
  EXPECT_EQ(runs.step().create->metadata.name, "orders-20261129-020100");
  // Its own of former times: the clock was set back.
  Runs back;
  back.by_hand("orders-20261129-020000");
  back.end(BackupPhase::kCompleted);
  back.step();
  back.now = at("2026-11-29T02:00:00Z");
  EXPECT_EQ(back.step().create->metadata.name, "orders-20261129-020000-2");
}

TEST(RunDecide, ARunThatIsDeletedIsNotMadeAgain) {
  for (const bool anew : {false, true}) {
    Runs runs;
    runs.step();
    runs.now = at("2026-11-29T02:00:00Z");
    runs.step();
    runs.step();
    runs.backups.clear();
    if (anew) runs.by_hand("orders-20261129-020000");
    EXPECT_FALSE(runs.step().create);
    EXPECT_FALSE(runs.schedule.status.runs->current);
    EXPECT_NE(runs.schedule.status.last_skipped->find("deleted"), std::string::npos);
  }
}

// Neither of one that was tried again; `immediate` has none yet, and asks again after a while.
TEST(RunDecide, ADeletedRunEndsWhatItWasToMakeGood) {
  Runs runs;
  runs.fail_the_first();
  runs.now += minutes(2);
  ASSERT_TRUE(runs.step().create) << "tried again";
  runs.step();
  std::erase_if(runs.backups, [&](const api::Backup& one) { return one.status.phase != BackupPhase::kFailed; });
  for (int look = 0; look < 60; ++look, runs.now += minutes(1)) EXPECT_FALSE(runs.step().create) << look;

  Runs first("0 2 * * 0");
  first.schedule.spec.immediate = true;
  ASSERT_TRUE(first.step().create);
  first.step();
  first.backups.clear();
  EXPECT_FALSE(first.step().create);
  first.now += minutes(2);
  EXPECT_TRUE(first.step().create);
}

// Since when a backup is due is told from the first that was not completed, however often others were due since.
TEST(RunDecide, WhatIsOwedGrowsOlderUntilOneIsCompleted) {
  Runs runs("0 */4 * * *");
  runs.step();
  const auto due = [&] {
    const auto& its = runs.schedule.status.runs;
    return its->current ? its->current->due : its->failed ? its->failed->due : "nothing";
  };
  for (runs.now = at("2026-11-29T04:00:00Z"); runs.now < at("2026-11-30T03:00:00Z"); runs.now += minutes(10)) {
    runs.step();
    runs.step();
    if (!runs.backups.empty() && runs.backups.back().status.phase == BackupPhase::kPending)
      runs.end(BackupPhase::kFailed);
    runs.step();
    EXPECT_EQ(due(), "2026-11-29T04:00:00Z") << to_rfc3339(runs.now);
  }
  while (!runs.schedule.status.runs->current) runs.now += minutes(10), runs.step();
  runs.step();
  runs.end(BackupPhase::kCompleted);
  runs.step();
  EXPECT_EQ(due(), "nothing");
}

TEST(RunDecide, SuspendedEndsWhatFailedBefore) {
  Runs runs;
  runs.fail_the_first();
  runs.schedule.spec.suspend = true;
  runs.now += hours(30);
  runs.step();
  runs.schedule.spec.suspend = false;
  EXPECT_FALSE(runs.step().create);
  EXPECT_FALSE(runs.schedule.status.runs->failed);
}

// A backup that a clock of next year began does not count as newer than what comes.
TEST(RunDecide, ALastOfTheFutureSaysNothing) {
  Runs runs;
  runs.by_hand("ahead");
  runs.end(BackupPhase::kCompleted);
  runs.backups.back().status.started_at = "2027-11-29T01:00:00Z";
  runs.fail_the_first();
  EXPECT_TRUE(runs.schedule.status.runs->failed);
  runs.now += minutes(2);
  EXPECT_TRUE(runs.step().create) << "it is tried again all the same";
  runs.step();
  runs.end(BackupPhase::kCompleted);
  runs.step();
  EXPECT_NE(runs.schedule.status.last->started_at, "2027-11-29T01:00:00Z");
}

TEST(RunDecide, OtherTimesOweNothingOfBefore) {
  for (const auto& change : std::vector<std::function<void(api::BackupScheduleSpec&)>>{
           [](auto& spec) { spec.full = api::ScheduledRuns{"0 1 * * *"}; },
           [](auto& spec) { spec.time_zone = "Europe/Berlin"; }, [](auto& spec) { spec.full.reset(); }}) {
    Runs runs;
    runs.step();
    change(runs.schedule.spec);
    runs.now = at("2026-11-29T02:30:00Z");
    EXPECT_FALSE(runs.step().create);
    runs.now = at("2026-11-30T02:30:00Z");
    EXPECT_EQ(runs.step().create.has_value(), runs.schedule.spec.full.has_value());
  }
}

// Retention would delete its data once the object is gone.
TEST(RunDecide, WhatIsKeptForeverStaysToBeSeen) {
  Runs runs;
  runs.schedule.spec.retention.objects = 1;
  for (int i = 0; i < 4; ++i) {
    api::Backup& one = runs.by_hand(("by-schedule-" + std::to_string(i)).c_str());
    one.metadata.labels[std::string(kScheduleLabel)] = "orders";
    if (i == 0) one.spec.keep = api::BackupKeep::kForever;
    runs.end(BackupPhase::kCompleted);
  }
  const RunsLook look = runs.step();
  EXPECT_EQ(look.remove.size(), 2u);
  for (const auto& gone : look.remove) EXPECT_NE(gone->metadata.name, "by-schedule-0");
}

TEST(RunDecide, SoManyOfTheSchedulesOwnAreShownAndTheNewestCompletedInAnyCase) {
  for (const int64_t objects : {1, 2, 3, 20})
    for (const size_t completed : {size_t{0}, size_t{2}, size_t{4}}) {  // the rest failed
      Runs runs;
      runs.schedule.spec.retention.objects = objects;
      runs.by_hand("mine");
      runs.end(BackupPhase::kFailed);
      for (size_t i = 0; i < 5; ++i) {
        api::Backup& one = runs.by_hand(("by-schedule-" + std::to_string(i)).c_str());
        one.metadata.labels[std::string(kScheduleLabel)] = "orders";
        runs.end(i == completed ? BackupPhase::kCompleted : BackupPhase::kFailed);
      }
      api::Backup& goes_on = runs.by_hand("goes-on");
      goes_on.metadata.labels[std::string(kScheduleLabel)] = "orders";
      runs.step();
      Names expected{"mine"};
      for (size_t i = 0; i < 5; ++i)
        if (i == completed || static_cast<int64_t>(5 - i) <= objects)
          expected.push_back("by-schedule-" + std::to_string(i));
      expected.push_back("goes-on");
      EXPECT_EQ(runs.names(), expected) << objects << " " << completed;
    }
}

}  // namespace
}  // namespace twinspan::controllers
