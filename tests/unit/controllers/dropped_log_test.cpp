#include "controllers/backup/dropped_log.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

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

TEST(DroppedGaps, OweAFullBackupOnceTheRepositoryIsBack) {
  BackupReport report;
  report.ready = true;
  std::optional<api::LastBackup> last;
  EXPECT_FALSE(full_is_owed(report, last)) << "nothing was let go";
  report.dropped = {dropped(4, 6, "2026-11-29T12:00:00Z"), dropped(9, 9, "2026-11-29T13:00:00Z")};
  EXPECT_TRUE(full_is_owed(report, last));
  EXPECT_EQ(broken_since(report.dropped, last), *parse_rfc3339("2026-11-29T12:00:00Z"));
  last.emplace().started_at = "2026-11-29T12:30:00Z";
  EXPECT_TRUE(full_is_owed(report, last)) << "it began before the last gap";
  EXPECT_EQ(broken_since(report.dropped, last), *parse_rfc3339("2026-11-29T13:00:00Z"));
  for (const auto& change : std::vector<std::function<void(BackupReport&)>>{
           [](BackupReport& one) { one.ready = false; }, [](BackupReport& one) { one.trouble = "away"; },
           [](BackupReport& one) { one.waiting = segment(10); }}) {
    BackupReport away = report;
    change(away);
    EXPECT_FALSE(full_is_owed(away, last)) << "it would fail";
  }
  last->started_at = "2026-11-29T13:00:01Z";
  EXPECT_FALSE(full_is_owed(report, last));
}

}  // namespace
}  // namespace twinspan::controllers
