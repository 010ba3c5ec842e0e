#include "core/cron.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

std::string next(const char* schedule, const char* after) {
  const auto cron = parse_cron(schedule);
  if (!cron) return cron.error().message;
  const auto at = next_after(*cron, *parse_rfc3339(after));
  return at ? to_rfc3339(*at) : "never";
}

TEST(Cron, NamesTheNextMinuteAfterTheGivenTimeAndNeverThatTimeItself) {
  EXPECT_EQ(next("0 4 * * *", "2026-11-21T03:59:59Z"), "2026-11-21T04:00:00Z");
  EXPECT_EQ(next("0 4 * * *", "2026-11-21T04:00:00Z"), "2026-11-22T04:00:00Z");
  EXPECT_EQ(next("* * * * *", "2026-12-31T23:59:00Z"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(next("*/15 8-17/3 * * *", "2026-11-21T08:45:00Z"), "2026-11-21T11:00:00Z");
  EXPECT_EQ(next("5,10-12 0 1 jan,JUL *", "2026-11-21T00:00:00Z"), "2027-01-01T00:05:00Z");
  EXPECT_EQ(next("30 6 29 2 *", "2026-11-21T00:00:00Z"), "2028-02-29T06:30:00Z");
}

TEST(Cron, SundayIsZeroAndSevenAndByName) {
  for (const char* schedule : {"0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * 6-7/7,0"})
    EXPECT_EQ(next(schedule, "2026-11-22T12:00:00Z").substr(0, 10),
              std::string(schedule).ends_with("7,0") ? "2026-11-28" : "2026-11-29")
        << schedule;
}

TEST(Cron, DayOfMonthOrDayOfWeekWhereBothAreRestricted) {
  EXPECT_EQ(next("0 0 13 * fri", "2026-11-21T00:00:00Z"), "2026-11-27T00:00:00Z");
  EXPECT_EQ(next("0 0 13 * fri", "2026-12-12T00:00:00Z"), "2026-12-13T00:00:00Z");
  EXPECT_EQ(next("0 0 13 * *", "2026-11-21T00:00:00Z"), "2026-12-13T00:00:00Z");
}

TEST(Cron, WhatMeansNothingIsRefusedWithItsFieldNamed) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "0 fields"},          {"0 4 * *", "4 fields"},          {"0 4 * * * *", "6 fields"},
      {"60 4 * * *", "minute"},  {"0 24 * * *", "hour"},           {"0 4 0 * *", "day of the month"},
      {"0 4 * 13 *", "month"},   {"0 4 * * 8", "day of the week"}, {"0 4 * * mond", "day of the week"},
      {"*/0 4 * * *", "minute"}, {"5-1 4 * * *", "minute"},        {"1,,2 4 * * *", "minute"},
      {"-1 4 * * *", "minute"},  {"1/2/3 4 * * *", "minute"},      {"0 0 30 2 *", "no day"},
      {"@daily", "1 fields"},    {"99999999999 4 * * *", "minute"}};
  for (const auto& [text, named] : wrong) {
    const auto cron = parse_cron(text);
    ASSERT_FALSE(cron) << text;
    EXPECT_EQ(cron.error().code, Code::kInvalid);
    EXPECT_NE(cron.error().message.find(named), std::string::npos) << text << ": " << cron.error().message;
  }
}

}  // namespace
}  // namespace twinspan
