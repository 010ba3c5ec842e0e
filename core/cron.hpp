// Schedules of five fields as cron has them (POSIX crontab; steps and names as in Vixie's), in UTC.
#pragma once
#include <bitset>
#include <optional>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan {

struct Cron {
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;                     // of the month, from 1
  std::bitset<13> months;                   // from 1
  std::bitset<7> weekdays;                  // 0: Sunday
  bool any_day = true, any_weekday = true;  // where both are restricted, either suffices
  bool operator==(const Cron&) const = default;
};

// "0 4 * * *", "*/15 8-18 * jan-jun mon,wed". kInvalid names the field, its text and what was expected.
Result<Cron> parse_cron(std::string_view text);

// The first minute after `time` that the schedule names; nullopt: none within eight years, such as 30 February.
std::optional<WallTime> next_after(const Cron& cron, WallTime time);

}  // namespace twinspan
