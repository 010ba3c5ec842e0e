#include "controllers/backup/dropped_log.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "backup/archive.hpp"

namespace twinspan::controllers {
namespace {

std::string segment(int number) { return fmt::format("0000000100000000{:08X}", number); }

DroppedLog dropped(int from, int to, const char* at) { return {segment(from), segment(to), "let go", at}; }

TEST(DroppedGaps, AreToldWithTheirCauseAndOnce) {
  std::vector<api::LogGap> gaps;
  for (int time = 0; time < 2; ++time) note_dropped(gaps, {dropped(4, 6, "2026-11-29T12:00:00Z")});
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].timeline, 1);
  EXPECT_EQ(gaps[0].from, segment(4));
  EXPECT_EQ(gaps[0].to, segment(6));
  EXPECT_EQ(gaps[0].cause, "let go");
  EXPECT_EQ(gaps[0].at, "2026-11-29T12:00:00Z");
  // One that grew, and one that was found by looking.
  gaps.push_back(gaps[0]);
  gaps[1].from = gaps[1].to = segment(9);
  gaps[1].cause = "is not stored";
  note_dropped(gaps, {dropped(4, 7, "2026-11-29T12:00:00Z"), dropped(9, 9, "2026-11-29T13:00:00Z")});
  ASSERT_EQ(gaps.size(), 2u);
  EXPECT_EQ(gaps[0].to, segment(7));
  EXPECT_EQ(gaps[1].cause, "let go");
  note_dropped(gaps, {{"?", "?", "let go", ""}});
  EXPECT_EQ(gaps.size(), 2u) << "what is no segment is no gap";
}

Beginning beginning(backup::Timeline timeline, uint64_t number) {
  return {timeline, {number * backup::kSegmentBytes + 40}};
}

TEST(DroppedGaps, OweAFullBackupOnceTheRepositoryIsBack) {
  BackupReport report;
  report.ready = true;
  report.timeline = 1;
  std::vector<Beginning> backups;
  EXPECT_FALSE(full_is_owed(report, backups)) << "nothing was let go";
  report.dropped = {dropped(4, 6, "2026-11-29T12:00:00Z"), dropped(9, 9, "2026-11-29T13:00:00Z")};
  EXPECT_TRUE(full_is_owed(report, backups));
  EXPECT_EQ(broken_since(report.dropped, backups), *parse_rfc3339("2026-11-29T12:00:00Z"));
  backups = {beginning(1, 3), beginning(1, 6)};
  EXPECT_EQ(broken_since(report.dropped, backups), *parse_rfc3339("2026-11-29T12:00:00Z")) << "they need what is gone";
  backups.push_back(beginning(1, 7));
  EXPECT_TRUE(full_is_owed(report, backups)) << "it began before the last gap";
  EXPECT_EQ(broken_since(report.dropped, backups), *parse_rfc3339("2026-11-29T13:00:00Z"));
  for (const auto& change : std::vector<std::function<void(BackupReport&)>>{
           [](BackupReport& one) { one.ready = false; }, [](BackupReport& one) { one.trouble = "away"; },
           [](BackupReport& one) { one.waiting = segment(10); }, [](BackupReport& one) { one.timeline = 0; }}) {
    BackupReport away = report;
    change(away);
    EXPECT_FALSE(full_is_owed(away, backups)) << "it would fail, or nobody has looked what is stored after all";
  }
  backups.push_back(beginning(1, 10));
  EXPECT_FALSE(full_is_owed(report, backups));
}

// Whatever clocks said when it was let go.
TEST(DroppedGaps, AreOverByPositionAndByNoClock) {
  for (const char* at : {"2020-01-01T00:00:00Z", "2026-11-29T12:00:00Z", "2030-01-01T00:00:00Z"}) {
    const std::vector<DroppedLog> gone{dropped(4, 6, at)};
    EXPECT_TRUE(broken_since(gone, {beginning(1, 5)})) << at;
    EXPECT_FALSE(broken_since(gone, {beginning(1, 7)})) << at;
    EXPECT_FALSE(broken_since(gone, {beginning(2, 7)})) << at << ": a later timeline's";
  }
  EXPECT_TRUE(broken_since({{"000000020000000000000004", "000000020000000000000004", "", "2026-11-29T12:00:00Z"}},
                           {beginning(1, 9)}))
      << "of a timeline that was left";
}

TEST(DroppedGaps, ThatRetentionGaveUpAreNone) {
  std::vector<api::LogGap> gaps;
  const std::vector<DroppedLog> gone{dropped(4, 6, "2026-11-29T12:00:00Z")};
  note_dropped(gaps, gone, Position{7 * backup::kSegmentBytes});
  EXPECT_TRUE(gaps.empty());
  note_dropped(gaps, gone, Position{6 * backup::kSegmentBytes});
  EXPECT_EQ(gaps.size(), 1u) << "a part of it would be kept";
}

}  // namespace
}  // namespace twinspan::controllers
