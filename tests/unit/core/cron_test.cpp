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
      {"-1 4 * * *", "minute"},  {"1/2/3 4 * * *", "minute"},      {"0 0 30 2 *", "no such day"},
      {"@daily", "1 fields"},    {"99999999999 4 * * *", "minute"}};
  for (const auto& [text, named] : wrong) {
    const auto cron = parse_cron(text);
    ASSERT_FALSE(cron) << text;
    EXPECT_EQ(cron.error().code, Code::kInvalid);
    EXPECT_NE(cron.error().message.find(named), std::string::npos) << text << ": " << cron.error().message;
  }
}

TEST(Cron, WhatIsMeantByASixthFieldOrAZoneInFrontIsSaid) {
  const std::pair<const char*, const char*> wrong[] = {
      {"0 0 2 * * 0", "perhaps \"0 2 * * 0\" is meant"},
      {"*/5 0 2 * * 0", "perhaps \"0 2 * * 0\" is meant"},
      {"0 2 * * sun 2026", "perhaps \"0 2 * * sun\" is meant"},
      {"TZ=CET 0 2 * * *", "goes into timeZone: CET"},
      {"CRON_TZ=Europe/Berlin 0 2 * * *", "goes into timeZone: Europe/Berlin"}};
  for (const auto& [text, said] : wrong) {
    const auto cron = parse_cron(text);
    ASSERT_FALSE(cron) << text;
    EXPECT_NE(cron.error().message.find(said), std::string::npos) << cron.error().message;
  }
  EXPECT_EQ(parse_cron("0 0 2 30 2 *").error().message.find("meant"), std::string::npos)
      << "what is no schedule is not offered";
}

struct Runs {
  const char *zone, *schedule, *after, *expected;
};

TEST(Cron, FixedTimesRunOnceWhereSpringSkipsAndWhereAutumnRepeats) {
  const Runs cases[] = {
      {"Europe/Berlin", "0 2 * * *", "2026-03-27T12:00:00Z", "28T01:00 29T01:00 30T00:00"},
      {"Europe/Berlin", "15,45 2 * * *", "2026-03-28T12:00:00Z", "29T01:00 30T00:15 30T00:45"},
      {"Europe/Berlin", "0 2,3 * * *", "2026-03-28T12:00:00Z", "29T01:00 30T00:00 30T01:00"},
      {"Europe/Berlin", "0 2 * * *", "2026-10-24T12:00:00Z", "25T00:00 26T01:00 27T01:00"},
      {"Europe/Berlin", "30 2 * * *", "2026-10-25T00:30:00Z", "26T01:30 27T01:30 28T01:30"},
      {"Europe/Berlin", "0 3 * * *", "2026-10-24T12:00:00Z", "25T02:00 26T02:00 27T02:00"},
      {"America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z", "08T07:00 09T06:30 10T06:30"},
      {"America/New_York", "30 1 * * 0", "2026-10-31T12:00:00Z", "01T05:30 08T06:30 15T06:30"},
      {"Australia/Lord_Howe", "15 2 * * *", "2026-10-02T20:00:00Z", "03T15:30 04T15:15 05T15:15"},
      {"Australia/Lord_Howe", "45 1 * * *", "2026-04-03T20:00:00Z", "04T14:45 05T15:15 06T15:15"},
      {"Asia/Kolkata", "0 2 * * *", "2026-03-28T12:00:00Z", "28T20:30 29T20:30 30T20:30"},
      {"Europe/Berlin", "0 2 * * *", "2099-03-28T12:00:00Z", "29T01:00 30T00:00 31T00:00"},
      // The day of the change begins at one o'clock; the zone skipped the whole of 30 December.
      {"Asia/Beirut", "0 0 * * *", "2026-03-28T12:00:00Z", "28T22:00 29T21:00 30T21:00"},
      {"Pacific/Apia", "0 12 30 12 *", "2011-12-01T00:00:00Z", "30T10:00 29T22:00 29T22:00"},
  };
  for (const Runs& one : cases) {
    const TimeZone zone = *load_zone(one.zone);
    const Cron cron = *parse_cron(one.schedule);
    std::string runs;
    for (WallTime time = *parse_rfc3339(one.after); runs.size() < 26;) {
      time = *next_after(cron, time, zone);
      runs += (runs.empty() ? "" : " ") + to_rfc3339(time).substr(8, 8);
    }
    EXPECT_EQ(runs, one.expected) << one.zone << " " << one.schedule;
  }
}

TEST(Cron, StarsAndStepsInTheHourFollowRealTime) {
  const Runs cases[] = {
      {"Europe/Berlin", "30 * * * *", "2026-03-29T00:00:00Z", "29T00:30 29T01:30 29T02:30"},
      {"Europe/Berlin", "30 * * * *", "2026-10-24T23:45:00Z", "25T00:30 25T01:30 25T02:30"},
      {"Europe/Berlin", "0 */2 * * *", "2026-03-28T22:30:00Z", "28T23:00 29T02:00 29T04:00"},
      {"Europe/Berlin", "0 */2 * * *", "2026-10-24T21:30:00Z", "24T22:00 25T00:00 25T01:00"},
      {"Europe/Berlin", "0 0-23/2 * * *", "2026-10-24T21:30:00Z", "24T22:00 25T00:00 25T01:00"},
      {"Australia/Lord_Howe", "45 * * * *", "2026-04-04T14:00:00Z", "04T14:45 04T15:15 04T16:15"},
  };
  for (const Runs& one : cases) {
    const TimeZone zone = *load_zone(one.zone);
    std::string runs;
    for (WallTime time = *parse_rfc3339(one.after); runs.size() < 26;) {
      time = *next_after(*parse_cron(one.schedule), time, zone);
      runs += (runs.empty() ? "" : " ") + to_rfc3339(time).substr(8, 8);
    }
    EXPECT_EQ(runs, one.expected) << one.zone << " " << one.schedule;
  }
}

// The same rules told minute by minute: somebody who looks at the clock on the wall and never at a zone's table.
std::vector<WallTime> minute_by_minute(const Cron& cron, WallTime from, WallTime until, const TimeZone& zone) {
  using std::chrono::local_seconds, std::chrono::minutes;
  const auto wall = [&](WallTime time) { return zone.local(std::chrono::floor<std::chrono::seconds>(time)); };
  const auto named = [&](local_seconds time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    const bool by_day = cron.days[static_cast<unsigned>(date.day())],
               by_weekday = cron.weekdays[std::chrono::weekday(day).c_encoding()];
    return cron.months[static_cast<unsigned>(date.month())] && cron.hours[static_cast<size_t>(clock.hours().count())] &&
           cron.minutes[static_cast<size_t>(clock.minutes().count())] &&
           (cron.any_day || cron.any_weekday ? by_day && by_weekday : by_day || by_weekday);
  };
  std::vector<WallTime> runs;
  local_seconds seen = wall(from - minutes(24 * 60));  // the latest minute that the wall has shown
  for (WallTime time = from - minutes(24 * 60); time < until; time += minutes(1)) {
    const local_seconds now = wall(time);
    bool run = named(now) && (cron.real_time || now > seen);
    for (local_seconds skipped = seen + minutes(1); !cron.real_time && skipped < now; skipped += minutes(1))
      run |= named(skipped);
    seen = std::max(seen, now);
    if (run && time > from) runs.push_back(time);
  }
  return runs;
}

TEST(Cron, IsWhatAClockOnTheWallSaysMinuteByMinute) {
  for (const char* name : {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Beirut",
                           "America/Havana", "Asia/Gaza", "America/Nuuk", "Africa/Casablanca", "Asia/Kolkata"})
    for (const char* schedule : {"0 2 * * *", "30 1 * * *", "*/20 1-3 * * *", "0 0 * * *", "45 * * * *", "0 */2 * * *",
                                 "59 23 * * 6", "0 0 * * sun", "15 1,2 29 3 sun", "30 0-23/3 * * *"})
      for (const char* from : {"2026-02-14", "2026-03-07", "2026-03-21", "2026-03-27", "2026-04-03", "2026-10-02",
                               "2026-10-23", "2026-10-31", "2051-03-25"}) {
        const TimeZone zone = *load_zone(name);
        const Cron cron = *parse_cron(schedule);
        const WallTime begin = *parse_rfc3339(std::string(from) + "T00:00:00Z"), end = begin + std::chrono::days(5);
        std::vector<WallTime> runs;
        for (auto at = next_after(cron, begin, zone); at && *at < end; at = next_after(cron, *at, zone))
          runs.push_back(*at);
        ASSERT_EQ(runs, minute_by_minute(cron, begin, end, zone)) << name << " \"" << schedule << "\" from " << from;
      }
}

TEST(Cron, TheShortestGapGoesOverHoursAndMidnight) {
  const std::pair<const char*, int> cases[] = {{"* * * * *", 1},    {"*/5 * * * *", 5},    {"*/7 * * * *", 4},
                                               {"59,1 * * * *", 2}, {"0 2 * * *", 1440},   {"0,58 0,23 * * *", 2},
                                               {"0 * * * 1", 60},   {"30 1,4 * * *", 180}, {"0-59/59 3 * * *", 59}};
  for (const auto& [text, gap] : cases) EXPECT_EQ(shortest_gap(*parse_cron(text)).count(), gap) << text;
}

}  // namespace
}  // namespace twinspan
