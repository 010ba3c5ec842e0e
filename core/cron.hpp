// Schedules of five fields as cron has them (POSIX crontab; steps and names as in Vixie's), in a time zone.
//
// Where the zone changes its clock, as crontab(5) of Vixie's has it: where the hour is fixed, what spring skips runs
// once, at the end of the gap, and what autumn repeats runs the first time only; where the hour is * or has a step, the
// schedule follows real time: what is skipped does not run, what is repeated runs again.
#pragma once
#include <bitset>
#include <optional>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "core/zone.hpp"

namespace twinspan {

struct Cron {
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;                     // of the month, from 1
  std::bitset<13> months;                   // from 1
  std::bitset<7> weekdays;                  // 0: Sunday
  bool any_day = true, any_weekday = true;  // where both are restricted, either suffices
  bool real_time = true;                    // the hour is * or has a step
  bool operator==(const Cron&) const = default;
};

// "0 4 * * *", "*/15 8-18 * jan-jun mon,wed". kInvalid names the field, its text and what was expected; of six fields,
// the five that were probably meant; of TZ=… in front, where the time zone goes.
Result<Cron> parse_cron(std::string_view text);

// The first minute after `time` that the schedule names in that zone; nullopt: none within eight years, such as 30
// February.
std::optional<WallTime> next_after(const Cron& cron, WallTime time, const TimeZone& zone = TimeZone());

// The shortest time between two that it names, by a clock that nobody changes; days that it leaves out count as named.
std::chrono::minutes shortest_gap(const Cron& cron);

}  // namespace twinspan
