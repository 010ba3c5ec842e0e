#include "core/clock.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>

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

namespace {

// Where `shape` has a 0, any digit.
bool has_shape(std::string_view text, std::string_view shape) {
  return std::equal(text.begin(), text.end(), shape.begin(), shape.end(),
                    [](char c, char wanted) { return wanted == '0' ? c >= '0' && c <= '9' : c == wanted; });
}

int number(std::string_view digits) {
  int value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return value;
}

}  // namespace

Result<WallTime> parse_rfc3339(std::string_view text) {
  const auto wrong = [&] { return fail(Code::kInvalid, fmt::format("time \"{}\": expected RFC 3339", text)); };
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  if (!has_shape(text.substr(0, kShape.size()), kShape)) return wrong();
  std::tm utc{};
  utc.tm_year = number(text.substr(0, 4));
  utc.tm_mon = number(text.substr(5, 2));
  utc.tm_mday = number(text.substr(8, 2));
  utc.tm_hour = number(text.substr(11, 2));
  utc.tm_min = number(text.substr(14, 2));
  utc.tm_sec = number(text.substr(17, 2));
  if (utc.tm_mon < 1 || utc.tm_mon > 12 || utc.tm_mday < 1 || utc.tm_mday > 31 || utc.tm_hour > 23 || utc.tm_min > 59 ||
      utc.tm_sec > 60)
    return wrong();
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  std::string_view rest = text.substr(kShape.size());
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
    if (!has_shape(rest, "+00:00") && !has_shape(rest, "-00:00")) return wrong();
    offset_seconds = (number(rest.substr(1, 2)) * 60 + number(rest.substr(4, 2))) * 60 * (rest[0] == '+' ? 1 : -1);
  }
  const int64_t seconds = timegm(&utc) - offset_seconds;
  return WallTime(std::chrono::seconds(seconds) + std::chrono::microseconds(micros));
}

}  // namespace twinspan
