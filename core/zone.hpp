// IANA time zones, read from the system's compiled files (RFC 8536, version 2 and later): the table of changes and,
// beyond its end, the rule of the footer (POSIX TZ). GCC 12 has no std::chrono::time_zone.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace twinspan {

// A day of the year on which the footer's rule changes the clock, and the time of that day by the clock until then,
// which may be negative or beyond 24 hours.
struct ZoneRuleDay {
  enum class Form { kJulian, kZeroBased, kWeekday } form = Form::kWeekday;
  int day = 0;              // kJulian: 1 to 365, 29 February never counted; kZeroBased: 0 to 365; kWeekday: 0 is Sunday
  int month = 0, week = 0;  // kWeekday only; week 5: the last one
  std::chrono::seconds time = std::chrono::hours(2);
  bool operator==(const ZoneRuleDay&) const = default;
};

struct ZoneRule {
  std::chrono::seconds standard{};  // what is added to UTC
  struct Summer {
    std::chrono::seconds offset{};
    ZoneRuleDay start, end;
    bool operator==(const Summer&) const = default;
  };
  std::optional<Summer> summer;  // nullopt: the standard time all year
};

class TimeZone {
 public:
  // A stretch of time with one offset; the one before or after it may have the same. It lasts from `from`, inclusively,
  // to `until`, exclusively; sys_seconds::min() and max() where nothing was or is to be changed.
  struct Span {
    std::chrono::sys_seconds from, until;
    std::chrono::seconds offset;  // local time less UTC
  };

  TimeZone() = default;  // UTC
  // Of the bytes of one file. kInvalid says what is wrong with them.
  static Result<TimeZone> parse(std::string_view bytes);

  Span at(std::chrono::sys_seconds time) const;
  std::chrono::local_seconds local(std::chrono::sys_seconds time) const;

 private:
  struct Change {
    std::chrono::sys_seconds at;
    std::chrono::seconds offset;  // from then on
  };
  Span by_rule(std::chrono::sys_seconds time) const;

  std::chrono::seconds first_{};  // before the first change
  std::vector<Change> changes_;   // earliest first
  std::optional<ZoneRule> rule_;  // after the last change; nullopt: nothing changes any more
};

// POSIX TZ as footers have it, "CET-1CEST,M3.5.0,M10.5.0/3"; kInvalid otherwise.
Result<ZoneRule> parse_zone_rule(std::string_view text);

inline constexpr std::string_view kZoneFolder = "/usr/share/zoneinfo";

// "Europe/Berlin". kInvalid where there is no such zone, with the name that was probably meant; kInternal where the
// system has no time zones or a damaged one. "UTC" needs no file.
Result<TimeZone> load_zone(std::string_view name, const std::string& folder = std::string(kZoneFolder));

}  // namespace twinspan
