#include "controllers/backup/expiry_decide.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "contract/names.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::days, std::chrono::minutes, std::chrono::seconds;

const WallTime kNow = *parse_rfc3339("2026-11-29T12:00:00Z");

// A full every ten days, the log whole; ten days stay.
struct World {
  api::BackupSchedule schedule;
  BackupReport report;
  std::vector<int> ages{50, 40, 30, 20, 5};
  ExpirySeen seen;

  World() {
    schedule.spec.retention.days = 10;
    seen.now = kNow;
    report.stanza = "s";
    report.repository.emplace().lineage = {backup::line_of(backup::Line{{0}, 1, 0, {}})};
    report.repository->listed = std::chrono::duration_cast<seconds>((kNow - minutes(1)).time_since_epoch()).count();
    report.repository->log = {backup::line_of(backup::SegmentRun{1, 0, 100})};
    report.repository->clock_ahead = 1;
  }
  static std::string label(int age) { return std::to_string(age) + "F"; }
  ExpiryLook look() {
    std::vector<backup::BackupSet> backups;
    for (const int age : ages) {
      backup::BackupSet& one = backups.emplace_back();
      one.label = label(age);
      one.timeline = 1;
      one.start = {static_cast<uint64_t>(60 - age) * backup::kSegmentBytes + 40};
      one.stop = {one.start.value + 400};
      one.started_at = one.stopped_at = kNow - days(age);
    }
    report.repository->backups = backup::lines_of(backups);
    const RepositoryView view = view_of_repository(&report, "s", "", kNow);
    seen.schedule = &schedule;
    seen.view = &view;
    seen.archiver = &report;
    api::BackupScheduleStatus after = schedule.status;
    const ExpiryLook found = decide_expiry(seen, after);
    schedule.status = after;
    seen.outstanding = found.assignment;
    return found;
  }
  std::string refused() const { return schedule.status.expiry->refused.value_or(""); }
  std::vector<std::string> intent() const { return schedule.status.expiry->intent; }
};

const std::vector<std::string> kOld{"30F", "40F", "50F"};

TEST(ExpiryDecide, TheIntentIsStoredBeforeItIsAskedFor) {
  World world;
  world.schedule.spec.retention.max_delete_percent = 60;
  const ExpiryLook first = world.look();
  EXPECT_FALSE(first.assignment);
  EXPECT_TRUE(first.busy);
  EXPECT_EQ(world.intent(), kOld);
  EXPECT_EQ(first.possible.reason, "Possible");
  const ExpiryLook second = world.look();
  ASSERT_TRUE(second.assignment);
  EXPECT_EQ(second.assignment->labels, kOld);
  EXPECT_EQ(second.assignment->keep_log_from, "20F");
  const ExpiryLook third = world.look();
  EXPECT_EQ(third.assignment, second.assignment) << "asked for once";
  EXPECT_EQ(world.intent(), kOld);
  world.report.expired = {second.assignment->asked, true, {}, ""};
  EXPECT_TRUE(world.look().assignment) << "while it runs";
  world.report.expired = {second.assignment->asked, false, kOld, ""};
  world.ages = {20, 5};
  world.report.repository->log = {backup::line_of(backup::SegmentRun{1, 40, 100})};
  EXPECT_FALSE(world.look().assignment);
  EXPECT_TRUE(world.intent().empty());
  EXPECT_EQ(world.schedule.status.expiry->last, kOld);
  EXPECT_EQ(world.schedule.status.expiry->last_at, to_rfc3339(kNow));
  EXPECT_EQ(world.refused(), "");
  EXPECT_FALSE(world.look().assignment) << "and nothing is left to do";
}

TEST(ExpiryDecide, WithoutARuleEverythingIsKept) {
  World world;
  world.schedule.spec.retention.days.reset();
  for (int i = 0; i < 3; ++i) {
    const ExpiryLook look = world.look();
    EXPECT_FALSE(look.assignment);
    EXPECT_FALSE(look.log_from);
    EXPECT_EQ(look.possible.reason, "NoRule");
    EXPECT_TRUE(world.intent().empty());
  }
}

// Each thing that stands against it, before it is asked for and while it is.
TEST(ExpiryDecide, WhateverStandsAgainstItIsSaidAndCallsItOff) {
  for (int flaw = 0; flaw < 8; ++flaw)
    for (const int steps : {0, 1, 2}) {
      World world;
      world.schedule.spec.retention.max_delete_percent = 60;
      for (int i = 0; i < steps; ++i) (void)world.look();
      switch (flaw) {
        case 0: world.report.repository->trouble = "1001 backups"; break;
        case 1: world.report.repository->listed -= 3600; break;
        case 2: world.report.repository->clock_ahead = 300; break;
        case 3: world.report.repository->clock_ahead.reset(); break;
        case 4: world.seen.clock_suspect = true; break;
        case 5: world.seen.backup_runs = true; break;
        case 6: world.seen.reader = "Restore before"; break;
        case 7: world.schedule.spec.retention.max_delete_percent = 59; break;
      }
      const ExpiryLook look = world.look();
      EXPECT_FALSE(look.assignment) << flaw;
      EXPECT_NE(world.refused(), "") << flaw;
      EXPECT_NE(look.possible.status, api::ConditionStatus::kTrue) << flaw;
      EXPECT_TRUE(world.intent().empty()) << flaw;
      EXPECT_FALSE(world.look().assignment) << flaw;
    }
}

// What was ordered a moment ago is not wanted for that reason.
TEST(ExpiryDecide, AnOrderGoesOnOnlyWhileAllOfItIsWanted) {
  const std::vector<std::function<void(World&)>> changes{
      [](World& world) { world.schedule.spec.retention.days = 300; },
      [](World& world) { world.schedule.spec.retention.days = 35; },
      [](World& world) { world.schedule.spec.retention.days.reset(); },
      [](World& world) { world.schedule.spec.retention.minimum_full = 5; },
      [](World& world) { world.seen.forever = {"40F"}; }};
  for (size_t change = 0; change < changes.size(); ++change)
    for (const bool runs : {false, true}) {
      World world;
      world.schedule.spec.retention.max_delete_percent = 60;
      (void)world.look();
      const auto ordered = world.look().assignment;
      ASSERT_TRUE(ordered);
      if (runs) world.report.expired = {ordered->asked, true, {}, ""};
      EXPECT_EQ(world.look().assignment, ordered);
      changes[change](world);
      EXPECT_FALSE(world.look().assignment) << change;
    }
  World world;
  world.schedule.spec.retention.days.reset();
  world.schedule.metadata.annotations[std::string(kDeleteDataAnnotation)] = "40F";
  (void)world.look();
  ASSERT_TRUE(world.look().assignment);
  world.schedule.metadata.annotations.clear();
  EXPECT_FALSE(world.look().assignment);
}

// Git leaves it there.
TEST(ExpiryDecide, ALabelThatMayNotGoHoldsUpNoRule) {
  World world;
  world.schedule.spec.retention.max_delete_percent = 60;
  world.schedule.metadata.annotations[std::string(kDeleteDataAnnotation)] = "5F";
  (void)world.look();
  const auto ordered = world.look().assignment;
  ASSERT_TRUE(ordered);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(world.look().assignment, ordered);
    EXPECT_NE(world.refused().find("5F is the newest"), std::string::npos) << world.refused();
  }
}

TEST(ExpiryDecide, WhatABackupKeepsForeverStays) {
  World world;
  world.seen.forever = {"40F"};
  (void)world.look();
  EXPECT_EQ(world.intent(), (std::vector<std::string>{"30F", "50F"}));
}

TEST(ExpiryDecide, WhatFailedIsSaidAndTriedAgainAfterAWhile) {
  World world;
  world.schedule.spec.retention.max_delete_percent = 60;
  (void)world.look();
  const std::string asked = world.look().assignment->asked;
  world.report.expired = {asked, false, {}, "words"};
  EXPECT_FALSE(world.look().assignment);
  EXPECT_EQ(world.refused(), "words");
  EXPECT_FALSE(world.look().assignment);
  EXPECT_TRUE(world.intent().empty());
  world.report.expired->asked = to_rfc3339(kNow - minutes(11));
  (void)world.look();
  EXPECT_EQ(world.intent(), kOld);
}

TEST(ExpiryDecide, WhatNobodyCarriesOutIsNotWaitedForForever) {
  World world;
  world.schedule.spec.retention.max_delete_percent = 60;
  world.seen.outstanding = api::ExpireAssignment{to_rfc3339(kNow - minutes(11)), kOld, "20F"};
  EXPECT_FALSE(world.look().assignment);
}

TEST(ExpiryDecide, LogAloneGoesOnceAnHour) {
  World world;
  world.ages = {20, 5};
  const ExpiryLook look = world.look();
  ASSERT_TRUE(look.assignment);
  EXPECT_TRUE(look.assignment->labels.empty());
  EXPECT_EQ(look.assignment->keep_log_from, "20F");
  world.report.expired = {look.assignment->asked, false, {}, ""};
  EXPECT_FALSE(world.look().assignment);
  EXPECT_FALSE(world.look().assignment) << "it was just done";
  world.schedule.status.expiry->last_at = to_rfc3339(kNow - minutes(60));
  EXPECT_TRUE(world.look().assignment);
}

TEST(ExpiryDecide, APersonNamesOne) {
  World world;
  world.schedule.spec.retention.days.reset();
  auto& annotation = world.schedule.metadata.annotations[std::string(kDeleteDataAnnotation)];
  for (const auto& [label, reason] : {std::pair{"5F", "Newest"}, {"none", "NoRule"}}) {
    annotation = label;
    const ExpiryLook look = world.look();
    EXPECT_EQ(look.possible.reason, reason);
    EXPECT_TRUE(world.intent().empty());
  }
  annotation = "40F";
  world.seen.forever = {"40F"};
  EXPECT_EQ(world.look().possible.reason, "KeptForever");
  world.seen.forever.clear();
  (void)world.look();
  EXPECT_EQ(world.intent(), std::vector<std::string>{"40F"});
  const ExpiryLook look = world.look();
  ASSERT_TRUE(look.assignment);
  EXPECT_FALSE(look.assignment->keep_log_from) << "all log stays";
}

}  // namespace
}  // namespace twinspan::controllers
