#include "controllers/backup/continuous_status.hpp"

#include <gtest/gtest.h>

namespace twinspan::controllers {
namespace {

using std::chrono::seconds;

const WallTime kNow = *parse_rfc3339("2026-11-29T12:00:00Z");

BackupReport saying(std::optional<int64_t> unsafe_seconds, WallTime at = kNow) {
  BackupReport report;
  report.stored = "000000010000000000000004";
  report.continuous = {at.time_since_epoch() / seconds(1), "0/50139A0", unsafe_seconds, 4711, 60};
  return report;
}

TEST(UnsafeWords, AreABoundThatHolds) {
  for (const auto& [age, words] : {std::pair<int64_t, const char*>{0, "<60s"},
                                   {59, "<60s"},
                                   {60, "<2m"},
                                   {119, "<2m"},
                                   {120, "<5m"},
                                   {3599, "<1h"},
                                   {3600, "<2h"},
                                   {86400, "<7d"},
                                   {7 * 86400, ">7d"}})
    EXPECT_EQ(unsafe_words(saying(age).continuous), words) << age;
  EXPECT_EQ(unsafe_words(saying(std::nullopt).continuous), "Unknown");
  EXPECT_EQ(unsafe_words(std::nullopt), "Unknown");
}

TEST(ContinuousStatus, IsWrittenSeldomAndAtOnceWhereItChangesInKind) {
  api::BackupScheduleStatus status;
  const BackupReport first = saying(3);
  note_continuous(status, &first, std::nullopt, kNow);
  ASSERT_TRUE(status.continuous);
  EXPECT_EQ(status.unsafe, "<60s");
  EXPECT_EQ(status.continuous->seen_at, "2026-11-29T12:00:00Z");
  EXPECT_EQ(status.continuous->segment, first.stored);
  EXPECT_EQ(status.continuous->tail, "0/50139A0");
  EXPECT_EQ(status.continuous->unsafe_seconds, 3);
  EXPECT_EQ(status.continuous->unsafe_bytes, 4711);
  for (const int later : {1, 60, 299}) {
    const auto before = status;
    const BackupReport again = saying(30, kNow + seconds(later));
    note_continuous(status, &again, std::nullopt, kNow + seconds(later));
    EXPECT_EQ(status, before) << later;
  }
  const BackupReport late = saying(30, kNow + seconds(300));
  note_continuous(status, &late, std::nullopt, kNow + seconds(300));
  EXPECT_EQ(status.continuous->unsafe_seconds, 30);
  const BackupReport worse = saying(70, kNow + seconds(301));
  note_continuous(status, &worse, std::nullopt, kNow + seconds(301));
  EXPECT_EQ(status.unsafe, "<2m");
  EXPECT_EQ(status.continuous->unsafe_seconds, 70);
}

TEST(ContinuousStatus, OfASilentArchiverNothingIsClaimed) {
  api::BackupScheduleStatus status;
  const BackupReport first = saying(3);
  note_continuous(status, &first, std::nullopt, kNow);
  const auto said = status.continuous;
  note_continuous(status, nullptr, std::nullopt, kNow + seconds(20));
  EXPECT_EQ(status.unsafe, "Unknown");
  EXPECT_EQ(status.continuous, said) << "what it said last, and when";
  const BackupReport unknown = saying(std::nullopt, kNow + seconds(30));
  note_continuous(status, &unknown, std::nullopt, kNow + seconds(30));
  EXPECT_EQ(status.unsafe, "Unknown");
}

TEST(ContinuousStatus, WhatFollowsAGapIsNotSafe) {
  api::BackupScheduleStatus status;
  const BackupReport report = saying(3);
  note_continuous(status, &report, kNow - seconds(1000), kNow);
  EXPECT_EQ(status.unsafe, "<30m");
  EXPECT_EQ(status.continuous->unsafe_seconds, 1000);
}

TEST(ContinuousStatus, AClockThatWentBackSilencesNothing) {
  api::BackupScheduleStatus status;
  const BackupReport first = saying(3, kNow + seconds(86400));
  note_continuous(status, &first, std::nullopt, kNow);
  const BackupReport next = saying(4);
  note_continuous(status, &next, std::nullopt, kNow);
  EXPECT_EQ(status.continuous->seen_at, "2026-11-29T12:00:00Z");
}

}  // namespace
}  // namespace twinspan::controllers
