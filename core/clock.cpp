#include "core/clock.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

#include <cstdio>

namespace twinspan {

BootTime SystemClock::boot_now() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return BootTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

WallTime SystemClock::wall_now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

namespace {

std::tm broken_down(WallTime time) {
  const time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return utc;
}

}  // namespace

std::string to_rfc3339(WallTime time) { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", broken_down(time)); }

std::string to_rfc3339_micro(WallTime time) {
  const auto micros = (time - std::chrono::floor<std::chrono::seconds>(time)).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", broken_down(time), micros);
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  const auto wrong = [&] { return fail(Code::kInvalid, fmt::format("time \"{}\": expected RFC 3339", text)); };
  const std::string copy(text);
  std::tm utc{};
  int used = 0;
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &utc.tm_year, &utc.tm_mon, &utc.tm_mday, &utc.tm_hour,
                  &utc.tm_min, &utc.tm_sec, &used) != 6)
    return wrong();
  if (utc.tm_mon < 1 || utc.tm_mon > 12 || utc.tm_mday < 1 || utc.tm_mday > 31 || utc.tm_hour > 23 || utc.tm_min > 59 ||
      utc.tm_sec > 60)
    return wrong();
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  std::string_view rest = std::string_view(copy).substr(static_cast<size_t>(used));
  int64_t micros = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    int digits = 0;
    while (!rest.empty() && rest.front() >= '0' && rest.front() <= '9') {
      if (digits < 6) micros = micros * 10 + (rest.front() - '0');
      ++digits;
      rest.remove_prefix(1);
    }
    if (digits == 0) return wrong();
    for (; digits < 6; ++digits) micros *= 10;
  }
  int64_t offset_seconds = 0;
  if (rest != "Z" && rest != "z") {
    int hours = 0, minutes = 0;
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':' ||
        std::sscanf(std::string(rest.substr(1)).c_str(), "%2d:%2d", &hours, &minutes) != 2)
      return wrong();
    offset_seconds = (hours * 60 + minutes) * 60 * (rest[0] == '+' ? 1 : -1);
  }
  const int64_t seconds = timegm(&utc) - offset_seconds;
  return WallTime(std::chrono::seconds(seconds) + std::chrono::microseconds(micros));
}

}  // namespace twinspan
