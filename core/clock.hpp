// Time comes in by constructor, so that tests and the simulator own it.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"

namespace twinspan {

// Time since boot, counting suspend (CLOCK_BOOTTIME, clock_gettime(2)): the clock that leases are judged by.
struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};
using BootTime = BootClock::time_point;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual BootTime boot_now() const = 0;  // for durations and leases
  virtual WallTime wall_now() const = 0;  // for people: status, events, logs
};

class SystemClock final : public Clock {
 public:
  BootTime boot_now() const override;
  WallTime wall_now() const override;
};

// RFC 3339 in UTC: seconds ("2026-11-21T09:43:00Z", metav1.Time) or microseconds ("…00.000000Z", metav1.MicroTime).
std::string to_rfc3339(WallTime time);
std::string to_rfc3339_micro(WallTime time);
// Accepts both forms, any number of fraction digits, and a numeric zone. kInvalid otherwise.
Result<WallTime> parse_rfc3339(std::string_view text);

}  // namespace twinspan
