#include "controllers/backup/repository_decide.hpp"

#include <gtest/gtest.h>

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;
using std::chrono::minutes, std::chrono::seconds;

constexpr const char* kStanza = "orders-12345678-77";
const WallTime kNow = *parse_rfc3339("2026-11-29T12:00:00Z");

int64_t unix(WallTime time) { return std::chrono::duration_cast<seconds>(time.time_since_epoch()).count(); }

backup::BackupSet full(const char* label, uint64_t segment, const char* stopped) {
  backup::BackupSet made;
  made.label = label;
  made.timeline = 1;
  made.start = {segment * backup::kSegmentBytes + 40};
  made.stop = {segment * backup::kSegmentBytes + 400};
  made.started_at = made.stopped_at = *parse_rfc3339(stopped);
  made.stored_bytes = 7;
  return made;
}

struct World {
  BackupReport report;
  std::vector<backup::BackupSet> backups{full("20261101-020000F", 5, "2026-11-01T02:04:09Z"),
                                         full("20261115-020000F", 50, "2026-11-15T02:04:09Z")};
  std::vector<backup::SegmentRun> log{{1, 3, 99}};
  api::BackupScheduleStatus status;
  std::optional<Position> log_from;

  World() {
    report.stanza = kStanza;
    report.repository.emplace().listed = unix(kNow - minutes(4));
    report.repository->lineage = {backup::line_of(backup::Line{{0}, 1, 0, {}})};
    report.repository->commit_log = backup::line_of(backup::SegmentRun{1, 98, 98});
    report.repository->commit = unix(kNow - minutes(5));
  }
  RepositoryView look() {
    report.repository->backups = backup::lines_of(backups);
    report.repository->log.clear();
    for (const auto& run : log) report.repository->log.push_back(backup::line_of(run));
    const RepositoryView view = view_of_repository(&report, kStanza, "", kNow);
    note_repository(view, log_from, kNow, status);
    return view;
  }
  std::string said() {
    const api::Condition found = restorable_condition(look(), status);
    return std::string(to_string(found.status)) + " " + found.reason + ": " + found.message;
  }
  std::string continuous(BackupReport::Cause cause = BackupReport::Cause::kNone) {
    const api::Condition found = continuous_condition({"east", true, true, cause, "west: words"}, look(), status);
    return std::string(to_string(found.status)) + " " + found.reason + ": " + found.message;
  }
};

TEST(RepositoryDecide, WhatIsThereAndSinceWhenAnyTimeCanBeRestored) {
  World world;
  EXPECT_EQ(world.said(), "True Restorable: any time since 2026-11-01 02:04 UTC can be restored");
  ASSERT_EQ(world.status.windows.size(), 1u);
  EXPECT_EQ(world.status.windows[0].from, "2026-11-01T02:04:09Z");
  EXPECT_EQ(world.status.windows[0].to, to_rfc3339(kNow - minutes(5)));
  EXPECT_TRUE(world.status.windows[0].open);
  EXPECT_EQ(world.status.repository->backups, 2) << "whoever made them";
  EXPECT_EQ(world.status.repository->stored_bytes, 14);
  EXPECT_EQ(world.status.repository->newest, "20261115-020000F");
  EXPECT_EQ(world.continuous(), "True Continuous: east stores the log without a gap");
}

TEST(RepositoryDecide, AGapSplitsTheWindowsAndIsTold) {
  World world;
  world.log = {{1, 3, 19}, {1, 22, 99}};
  EXPECT_EQ(world.said(), "True Restorable: any time since 2026-11-15 02:04 UTC can be restored");
  ASSERT_EQ(world.status.windows.size(), 2u);
  EXPECT_FALSE(world.status.windows[0].open);
  EXPECT_FALSE(world.status.windows[0].to) << "nobody said of when the log before the gap is";
  ASSERT_EQ(world.status.gaps.size(), 1u);
  EXPECT_EQ(world.status.gaps[0].from, "000000010000000000000014");
  EXPECT_EQ(world.status.gaps[0].to, "000000010000000000000015");
  EXPECT_EQ(world.continuous(),
            "False WalGap: 000000010000000000000014 to 000000010000000000000015: not in the "
            "repository");
  world.status.gaps[0].at = "2026-11-20T00:00:00Z";
  world.status.gaps[0].cause = "let go, the volume was full";
  (void)world.look();
  EXPECT_EQ(world.status.gaps[0].at, "2026-11-20T00:00:00Z");
  EXPECT_EQ(world.status.gaps[0].cause, "let go, the volume was full") << "whoever let go knows why";
  world.log_from = Position{50 * backup::kSegmentBytes};
  EXPECT_EQ(world.continuous().substr(0, 4), "True") << "retention lets go of log on purpose";
  EXPECT_TRUE(world.status.gaps.empty());
}

TEST(RepositoryDecide, WhereLogIsMissingAfterTheNewestBackupThePresentCantBeRestored) {
  World world;
  world.log = {{1, 3, 60}, {1, 62, 99}};
  EXPECT_EQ(world.said(),
            "False LogMissing: from 2026-11-01 02:04 UTC can be restored, and nothing after it until "
            "there is another full backup: 00000001000000000000003D is not in the repository");
}

// It ended after the replica that was promoted had left its timeline: of what is written now nothing can be restored.
TEST(RepositoryDecide, ABackupOfWhatAFailoverLostIsNoBeginning) {
  World world;
  world.backups.erase(world.backups.begin());
  world.log = {{1, 3, 52}, {2, 50, 99}};
  world.report.repository->lineage.push_back(
      backup::line_of(backup::Line{{1}, 2, 1, {50 * backup::kSegmentBytes + 200}}));
  world.report.repository->commit_log = backup::line_of(backup::SegmentRun{2, 98, 98});
  EXPECT_EQ(world.said(),
            "False LogMissing: from 2026-11-15 02:04 UTC can be restored, and nothing after it until there is another "
            "full backup");
  EXPECT_FALSE(world.status.windows[0].open);
}

TEST(RepositoryDecide, WithoutABackupOrWithNoneThatIsWholeNothingCanBeRestored) {
  World world;
  world.log = {{1, 60, 99}};
  EXPECT_EQ(world.said(),
            "False NothingRestorable: none of 2 backups can be restored: what they need is not all in "
            "the repository");
  world.backups.clear();
  EXPECT_EQ(world.said(), "False NoBackup: there is no backup yet");
}

// Nothing is claimed of what is old, of another clock, of another stanza, not whole, or can't be read; what was said
// before stays.
TEST(RepositoryDecide, WhatIsNotKnownIsUnknown) {
  for (int flaw = 0; flaw < 8; ++flaw) {
    World world;
    (void)world.look();
    const api::BackupScheduleStatus before = world.status;
    std::string stanza = kStanza;
    const BackupReport* report = &world.report;
    switch (flaw) {
      case 0: report = nullptr; break;
      case 1: stanza = "other"; break;
      case 2: world.report.repository.reset(); break;
      case 3: world.report.repository->listed = unix(kNow - kListingStale) - 1; break;
      case 4: world.report.repository->listed = unix(kNow) + 301; break;
      case 5: world.report.repository->trouble = "1001 backups"; break;
      case 6: world.report.repository->lineage.clear(); break;
      case 7: world.report.repository->log.push_back("what is this"); break;
    }
    const RepositoryView view = view_of_repository(report, stanza, "", kNow);
    EXPECT_FALSE(view.doubt.empty()) << flaw;
    note_repository(view, std::nullopt, kNow, world.status);
    EXPECT_EQ(world.status, before) << flaw;
    EXPECT_EQ(restorable_condition(view, world.status).status, ConditionStatus::kUnknown) << flaw;
    EXPECT_EQ(continuous_condition({"east", true, true, {}, ""}, view, world.status).status, ConditionStatus::kUnknown);
  }
}

// After a conflict another's bytes lie under the names.
TEST(RepositoryDecide, WhatWasLetGoIsNotThereWhateverLiesUnderItsName) {
  World world;
  world.report.dropped = {
      {"000000010000000000000014", "000000010000000000000015", "let go", "2026-11-28T12:00:00Z", true}};
  (void)world.look();
  ASSERT_EQ(world.status.windows.size(), 2u) << "up to segment 0x14, and from the backup at 50 on";
  ASSERT_EQ(world.status.gaps.size(), 1u);
  EXPECT_EQ(world.status.gaps[0].from, "000000010000000000000014");
  EXPECT_EQ(world.status.gaps[0].to, "000000010000000000000015");
}

TEST(RepositoryDecide, AnotherPlacesListingSaysNothingOfThisOne) {
  World world;
  world.look();
  world.report.repository->place = "https://s3.example/a";
  EXPECT_TRUE(view_of_repository(&world.report, kStanza, "https://s3.example/a", kNow).doubt.empty());
  const RepositoryView other = view_of_repository(&world.report, kStanza, "https://s3.example/b", kNow);
  EXPECT_FALSE(other.doubt.empty());
  EXPECT_FALSE(other.listing);
  world.report.repository->place.clear();
  EXPECT_TRUE(view_of_repository(&world.report, kStanza, "https://s3.example/b", kNow).doubt.empty())
      << "an agent of before places were told";
}

TEST(RepositoryDecide, WhatMembersSayOfTheLogComesFirst) {
  World world;
  EXPECT_EQ(world.continuous(BackupReport::Cause::kConflict), "False WalConflict: west: words");
  EXPECT_EQ(world.continuous(BackupReport::Cause::kUnreachable), "False RepositoryUnreachable: west: words");
  EXPECT_EQ(world.continuous(BackupReport::Cause::kBehind), "False WalBehind: west: words");
  const RepositoryView view = world.look();
  for (const bool heard : {false, true})
    for (const bool stores : {false, true})
      EXPECT_EQ(continuous_condition({"east", heard, stores, {}, ""}, view, world.status).status,
                heard && stores ? ConditionStatus::kTrue : ConditionStatus::kUnknown);
}

}  // namespace
}  // namespace twinspan::controllers
