#include "core/cron.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "core/text.hpp"

namespace twinspan {
namespace {

using Names = std::vector<std::string_view>;

struct Field {
  std::string_view name;
  int first, last;
  Names names;  // of the values from `first` on
};

const Field kFields[] = {
    {"minute", 0, 59, {}},
    {"hour", 0, 23, {}},
    {"day of the month", 1, 31, {}},
    {"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
    {"day of the week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}},
};

std::unexpected<Error> refuse(const Field& field, std::string_view text) {
  return fail(Code::kInvalid, "the " + std::string(field.name) + " is \"" + std::string(text) + "\", expected " +
                                  std::to_string(field.first) + " to " + std::to_string(field.last) +
                                  ", *, ranges such as 1-5, steps such as */15, or several of them with commas");
}

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || rest != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<int> value_of(const Field& field, std::string_view text) {
  const std::string lower = to_lower(text);
  for (size_t i = 0; i < field.names.size(); ++i)
    if (lower == field.names[i]) return field.first + static_cast<int>(i);
  const auto value = number(text);
  return value && *value >= field.first && *value <= field.last ? value : std::nullopt;
}

// Sets the bits that `text` names; the weekday 7 is Sunday too.
template <size_t kSize>
Status parse_field(const Field& field, std::string_view text, std::bitset<kSize>& bits) {
  for (const std::string_view part : split(text, ',')) {
    const auto by_step = split(part, '/');
    const auto step = by_step.size() == 1 ? std::optional(1) : number(by_step[1]);
    if (by_step.size() > 2 || !step || *step == 0) return refuse(field, text);
    std::optional<int> first = field.first, last = field.last;
    if (by_step[0] != "*") {
      const auto range = split(by_step[0], '-');
      first = value_of(field, range[0]);
      last = range.size() > 1 ? value_of(field, range[1]) : by_step.size() > 1 ? std::optional(field.last) : first;
      if (range.size() > 2 || !first || !last || *first > *last) return refuse(field, text);
    }
    for (int value = *first; value <= *last; value += *step)
      bits.set(field.last == 7 ? static_cast<size_t>(value % 7) : static_cast<size_t>(value));
  }
  return {};
}

using std::chrono::days, std::chrono::hours, std::chrono::minutes, std::chrono::seconds, std::chrono::sys_seconds;
using std::chrono::local_days, std::chrono::local_seconds;

constexpr days kHorizon{8 * 366 + 2};  // 29 February comes within it, also over the year 2100

bool names_day(const Cron& cron, local_days day) {
  const std::chrono::year_month_day date(day);
  if (!cron.months[static_cast<unsigned>(date.month())]) return false;
  const bool by_day = cron.days[static_cast<unsigned>(date.day())];
  const bool by_weekday = cron.weekdays[std::chrono::weekday(day).c_encoding()];
  return cron.any_day || cron.any_weekday ? by_day && by_weekday : by_day || by_weekday;
}

// The first minute that the schedule names, from `from` to before `until`, by a clock that nobody changes.
std::optional<local_seconds> first_in(const Cron& cron, local_seconds from, local_seconds until) {
  for (local_days day = std::chrono::floor<days>(from); day < until; day += days(1)) {
    if (!names_day(cron, day)) continue;
    for (size_t hour = 0; hour < 24; ++hour)
      for (size_t minute = 0; cron.hours[hour] && minute < 60; ++minute)
        if (const auto at = day + hours(hour) + minutes(minute); cron.minutes[minute] && at >= from)
          return at < until ? std::optional<local_seconds>(at) : std::nullopt;
  }
  return std::nullopt;
}

local_seconds by_clock(sys_seconds time, seconds offset) { return local_seconds(time.time_since_epoch() + offset); }

// Six fields are those of other schedulers, with seconds in front or a year behind.
std::string five_meant(const std::vector<std::string_view>& words) {
  for (const size_t first : {1, 0}) {
    std::string five;
    for (size_t i = first; i < first + 5; ++i) (five += five.empty() ? "" : " ") += words[i];
    if (parse_cron(five)) return "; perhaps \"" + five + "\" is meant";
  }
  return "";
}

}  // namespace

Result<Cron> parse_cron(std::string_view text) {
  std::vector<std::string_view> words;
  for (const std::string_view word : split(text, ' '))
    if (!word.empty()) words.push_back(word);
  if (!words.empty() && (words[0].starts_with("TZ=") || words[0].starts_with("CRON_TZ=")))
    return fail(Code::kInvalid, "\"" + std::string(text) + "\" begins with a time zone, which goes into timeZone: " +
                                    std::string(words[0].substr(words[0].find('=') + 1)));
  if (words.size() != 5)
    return fail(Code::kInvalid, "\"" + std::string(text) + "\" has " + std::to_string(words.size()) +
                                    " fields, expected five: minute, hour, day of the month, month, day of the week, "
                                    "such as \"0 4 * * *\"" +
                                    (words.size() == 6 ? five_meant(words) : ""));
  Cron cron;
  const Status parsed[] = {parse_field(kFields[0], words[0], cron.minutes),
                           parse_field(kFields[1], words[1], cron.hours), parse_field(kFields[2], words[2], cron.days),
                           parse_field(kFields[3], words[3], cron.months),
                           parse_field(kFields[4], words[4], cron.weekdays)};
  for (const Status& one : parsed)
    if (!one) return std::unexpected(one.error());
  cron.any_day = words[2].starts_with('*');
  cron.any_weekday = words[4].starts_with('*');
  cron.real_time = words[1].starts_with('*') || words[1].find('/') != std::string_view::npos;
  if (!next_after(cron, WallTime{})) return fail(Code::kInvalid, "\"" + std::string(text) + "\": there is no such day");
  return cron;
}

std::optional<WallTime> next_after(const Cron& cron, WallTime time, const TimeZone& zone) {
  const sys_seconds after = std::chrono::floor<seconds>(time), end = after + kHorizon;
  // From span to span of one offset: in between, the clock is set forward over minutes that never are, or back to those
  // that were.
  for (auto span = zone.at(after); span.from < end; span = zone.at(span.until)) {
    const sys_seconds until = std::min(span.until, end);
    local_seconds from = span.from > after ? by_clock(span.from, span.offset)
                                           : std::chrono::floor<minutes>(by_clock(after, span.offset)) + minutes(1);
    if (!cron.real_time && span.from > sys_seconds::min()) {
      const local_seconds before = by_clock(span.from, zone.at(span.from - seconds(1)).offset);
      if (span.from > after && first_in(cron, before, from)) return span.from;
      from = std::max(from, before);
    }
    if (const auto found = first_in(cron, from, by_clock(until, span.offset)))
      return sys_seconds(found->time_since_epoch() - span.offset);
    if (span.until >= end) return std::nullopt;
  }
  return std::nullopt;
}

std::chrono::minutes shortest_gap(const Cron& cron) {
  constexpr int kDay = 24 * 60;
  std::vector<int> times;
  for (int at = 0; at < kDay; ++at)
    if (cron.hours[static_cast<size_t>(at / 60)] && cron.minutes[static_cast<size_t>(at % 60)]) times.push_back(at);
  int least = times.empty() ? kDay : times.front() + kDay - times.back();
  for (size_t i = 1; i < times.size(); ++i) least = std::min(least, times[i] - times[i - 1]);
  return minutes(least);
}

}  // namespace twinspan
