#include "backup/windows.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

WallTime day(int n) { return *parse_rfc3339("2026-11-01T00:00:00Z") + std::chrono::days(n); }

BackupSet backup(const char* label, Timeline timeline, uint64_t start, uint64_t stop, int on,
                 std::vector<std::string> needs = {}) {
  BackupSet made;
  made.label = label;
  made.kind = needs.empty() ? Kind::kFull : Kind::kIncremental;
  made.timeline = timeline;
  made.start = {start};
  made.stop = {stop};
  made.started_at = made.stopped_at = day(on);
  made.needs = std::move(needs);
  return made;
}
WalRange wal(Timeline timeline, uint64_t from, uint64_t until, std::optional<int> covers = std::nullopt) {
  return {timeline, {from}, {until}, covers ? std::optional(day(*covers)) : std::nullopt};
}
Line line(int64_t epoch, Timeline timeline, Timeline parent = 0, uint64_t fork = 0) {
  return {{epoch}, timeline, parent, {fork}};
}

std::string name(const std::optional<WallTime>& time) {
  return time ? std::to_string(std::chrono::duration_cast<std::chrono::days>(*time - day(0)).count()) : "?";
}
// "1: 0..5 [20, 100)": timeline, days, positions.
std::string told(const Restorable& found) {
  if (!found.windows || !found.gaps) return "Unknown";
  std::string out;
  for (const Window& one : *found.windows)
    out += std::to_string(one.timeline) + ": " + name(one.from) + ".." + name(one.to) + " [" +
           std::to_string(one.start.value) + ", " + std::to_string(one.end.value) + ")\n";
  for (const Gap& gap : *found.gaps)
    out += "gap " + std::to_string(gap.timeline) + " [" + std::to_string(gap.from.value) + ", " +
           std::to_string(gap.until.value) + ")\n";
  return out;
}

TEST(BackupWindows, BeginWhereABackupIsConsistentAndEndWithItsWal) {
  EXPECT_EQ(
      told(restorable({{backup("a", 1, 10, 20, 1), backup("b", 1, 50, 60, 3)}, {{wal(1, 0, 100, 5)}}, {line(1, 1)}})),
      "1: 1..5 [20, 100)\n");
  EXPECT_EQ(told(restorable({{}, {{wal(1, 0, 100, 5)}}, {line(1, 1)}})), "") << "WAL alone brings nothing back";
}

// Recovery to a moment stops at a commit after it. What a later backup says of when it ended is none, and neither is a
// commit that the backup has already, of a clock that was ahead then.
TEST(BackupWindows, EndAtACommitAtWhichRecoveryCanStop) {
  const std::vector<BackupSet> backups = {backup("a", 1, 10, 20, 1), backup("b", 1, 80, 90, 7)};
  EXPECT_EQ(told(restorable({backups, {{wal(1, 0, 100, 5)}}, {line(1, 1)}})), "1: 1..5 [20, 100)\n");
  WalRange ahead = wal(1, 0, 100, 5);
  ahead.seen = Position{16};
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {{ahead}}, {line(1, 1)}})), "1: 1..1 [20, 100)\n");
  ahead.seen = Position{32};
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {{ahead}}, {line(1, 1)}})), "1: 1..5 [20, 100)\n");
}

TEST(BackupWindows, OneOfATimelineThatWasLeftBeforeItsEndIsOver) {
  const Lineage lineage = {line(1, 1), line(2, 2, 1, 50)};
  const auto window = [](Timeline timeline, uint64_t end) {
    return Window{day(1), std::nullopt, timeline, {20}, {end}};
  };
  EXPECT_TRUE(goes_on(window(2, 60), lineage));
  EXPECT_TRUE(goes_on(window(1, 50), lineage)) << "all of it is the newest one's, too";
  EXPECT_FALSE(goes_on(window(1, 51), lineage));
  EXPECT_FALSE(goes_on(window(3, 60), lineage));
  EXPECT_FALSE(goes_on(window(1, 50), {}));
}

TEST(BackupWindows, WhatIsNotKnownIsNotClaimed) {
  const std::vector<BackupSet> backups = {backup("a", 1, 10, 20, 1), backup("b", 1, 50, 60, 3, {"gone"})};
  const Restorable unlisted = restorable({backups, std::nullopt, {line(1, 1)}});
  EXPECT_EQ(told(unlisted), "Unknown");
  EXPECT_EQ(unlisted.backups.at("a"), Answer::kUnknown);
  EXPECT_EQ(unlisted.backups.at("b"), Answer::kNo) << "what is known to be missing is known";
  const Restorable without_lineage = restorable({backups, {{wal(1, 0, 100, 5)}}, {}});
  EXPECT_EQ(told(without_lineage), "Unknown");
  EXPECT_EQ(without_lineage.backups.at("a"), Answer::kUnknown);
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {{wal(1, 0, 100)}}, {line(1, 1)}})), "1: 1..? [20, 100)\n");
}

TEST(BackupWindows, AGapSplitsThem) {
  const std::vector<BackupSet> backups = {backup("a", 1, 10, 20, 1), backup("b", 1, 50, 60, 3)};
  EXPECT_EQ(told(restorable({backups, {{wal(1, 0, 40, 2), wal(1, 45, 100, 5)}}, {line(1, 1)}})),
            "1: 1..2 [20, 40)\n1: 3..5 [60, 100)\ngap 1 [40, 45)\n");
}

// One backup, one gap of five bytes at every place: the window ends there, and where the backup's own WAL is hit there
// is none.
TEST(BackupWindows, WhereverTheGapIsNothingBehindItIsClaimed) {
  for (uint64_t gap = 0; gap <= 95; ++gap) {
    const Restorable found =
        restorable({{backup("a", 1, 10, 20, 1)}, {{wal(1, 0, gap, 2), wal(1, gap + 5, 100, 5)}}, {line(1, 1)}});
    const bool whole = gap >= 20 || gap + 5 <= 10;
    EXPECT_EQ(found.backups.at("a"), whole ? Answer::kYes : Answer::kNo) << gap;
    const uint64_t end = gap >= 20 && gap < 95 ? gap : gap == 95 ? 95 : 100;
    EXPECT_EQ(told(found).substr(0, told(found).find('\n')), !whole ? ""
                                                                    : "1: 1.." +
                                                                          std::string(end == 20    ? "1"
                                                                                      : end == 100 ? "5"
                                                                                                   : "2") +
                                                                          " [20, " + std::to_string(end) + ")")
        << gap;
  }
}

TEST(BackupWindows, GoOnOverAFailover) {
  const Lineage lineage = {line(1, 1), line(2, 2, 1, 70)};
  // Timeline 2's first segment [64, …) begins with what timeline 1 wrote; timeline 1's own last segment was never full.
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {{wal(1, 0, 64, 2), wal(2, 64, 100, 5)}}, lineage})),
            "2: 1..5 [20, 100)\n");
  // What the old primary had not stored is missing for good.
  EXPECT_EQ(
      told(restorable(
          {{backup("a", 1, 10, 20, 1), backup("b", 2, 80, 90, 4)}, {{wal(1, 0, 48, 2), wal(2, 64, 100, 5)}}, lineage})),
      "1: 1..2 [20, 48)\n2: 4..5 [90, 100)\ngap 1 [48, 64)\n");
  // The old primary wrote and stored more than the new one had: both are there, and each is named.
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {{wal(1, 0, 80, 3), wal(2, 64, 100, 5)}}, lineage})),
            "1: 1..3 [20, 80)\n2: 1..5 [20, 100)\n");
}

TEST(BackupWindows, OverFiveFailoversEverySegmentCounts) {
  Lineage lineage = {line(1, 1)};
  std::vector<WalRange> stored = {wal(1, 0, 96)};
  for (Timeline t = 2; t <= 6; ++t) {
    lineage.push_back(line(t, t, t - 1, (t - 1) * 100));
    stored.push_back(wal(t, (t - 1) * 100 - 4, t == 6 ? 600 : t * 100 - 4, 9));
  }
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {stored}, lineage})), "6: 1..9 [20, 600)\n");
  for (size_t missing = 0; missing < stored.size(); ++missing) {
    std::vector<WalRange> holed = stored;
    holed.erase(holed.begin() + static_cast<ptrdiff_t>(missing));
    const Restorable found = restorable({{backup("a", 1, 10, 20, 1)}, {holed}, lineage});
    if (missing == 0) {
      EXPECT_EQ(told(found), "");
    } else {
      EXPECT_EQ(found.windows->front().end, stored[missing].from) << missing;
    }
    if (missing > 0 && missing < 5) {
      EXPECT_EQ(found.gaps,
                (std::vector<Gap>{{static_cast<Timeline>(missing), stored[missing].from, stored[missing + 1].from}}))
          << missing;
    }
  }
}

TEST(BackupWindows, AFailedPromotionsTimelineIsNeverFollowed) {
  // Timeline 2 was a promotion that failed; timeline 3 was forked from 1, too.
  const Lineage lineage = {line(1, 1), line(3, 3, 1, 70)};
  const Restorable found = restorable({{backup("a", 1, 10, 20, 1), backup("x", 2, 62, 66, 3)},
                                       {{wal(1, 0, 64, 2), wal(2, 48, 200, 9), wal(3, 64, 100, 5)}},
                                       lineage});
  EXPECT_EQ(told(found), "3: 1..5 [20, 100)\n");
  EXPECT_EQ(found.backups.at("x"), Answer::kNo);
}

TEST(BackupWindows, BothTimelinesStayAfterARestoreInPlace) {
  // Restored to 40 and gone on as timeline 2, when timeline 1 had been written up to 100.
  const Lineage lineage = {line(1, 1), line(2, 2, 1, 40)};
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1), backup("b", 1, 50, 60, 3), backup("c", 2, 90, 95, 7)},
                             {{wal(1, 0, 100, 5), wal(2, 32, 120, 8)}},
                             lineage})),
            "1: 1..5 [20, 100)\n2: 1..8 [20, 120)\n");
  // A backup of the part that was given up serves its own timeline only.
  EXPECT_EQ(told(restorable({{backup("b", 1, 50, 60, 3)}, {{wal(1, 0, 100, 5), wal(2, 32, 120, 8)}}, lineage})),
            "1: 3..5 [60, 100)\n");
}

// Taken back behind the gap: the backup after it began later than what goes on, and is of what was given up.
TEST(BackupWindows, TheLastIsOfThePresentHoweverLateAnotherBegan) {
  const Lineage lineage = {line(1, 1), line(2, 2, 1, 40)};
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1), backup("b", 1, 60, 70, 3)},
                             {{wal(1, 0, 48), wal(1, 56, 100, 5), wal(2, 32, 120, 8)}},
                             lineage})),
            "1: 1..? [20, 48)\n1: 3..5 [70, 100)\n2: 1..8 [20, 120)\n");
}

TEST(BackupWindows, WhatTheParentWroteBeyondTheForkIsNotTheChilds) {
  const Lineage lineage = {line(1, 1), line(2, 2, 1, 40)};
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {{wal(1, 0, 100, 5)}}, lineage})), "1: 1..5 [20, 100)\n");
  EXPECT_EQ(told(restorable({{backup("a", 1, 10, 20, 1)}, {{wal(1, 0, 100, 5), wal(2, 60, 120, 8)}}, lineage})),
            "1: 1..5 [20, 100)\ngap 2 [40, 60)\n");
}

TEST(BackupWindows, ABackupByItselfIsAMoment) {
  EXPECT_EQ(
      told(restorable(
          {{backup("a", 1, 10, 20, 1), backup("b", 1, 50, 60, 3)}, {{wal(1, 8, 20), wal(1, 48, 60)}}, {line(1, 1)}})),
      "1: 1..1 [20, 20)\n1: 3..3 [60, 60)\ngap 1 [20, 48)\n");
}

TEST(BackupWindows, AnIncrementWithoutItsFullIsNone) {
  for (const bool there : {false, true}) {
    std::vector<BackupSet> backups = {backup("i", 1, 50, 60, 3, {"a"})};
    if (there) backups.push_back(backup("a", 1, 10, 20, 1));
    EXPECT_EQ(restorable({backups, {{wal(1, 45, 100, 5)}}, {line(1, 1)}}).backups.at("i"),
              there ? Answer::kYes : Answer::kNo);
  }
}

}  // namespace
}  // namespace twinspan::backup
