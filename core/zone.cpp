#include "core/zone.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>

#include "core/file.hpp"
#include "core/text.hpp"

namespace twinspan {
namespace {

using std::chrono::seconds, std::chrono::sys_days, std::chrono::sys_seconds;

// RFC 8536 3.1. Numbers are big-endian.
constexpr size_t kHeader = 44;

int64_t number_at(std::string_view bytes, size_t at, size_t width) {
  uint64_t value = bytes[at] & 0x80 ? ~uint64_t{0} : 0;  // two's complement
  for (size_t i = 0; i < width; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return static_cast<int64_t>(value);
}

struct Counts {
  size_t isut, isstd, leap, time, type, letters;
  size_t bytes(size_t width) const {
    return time * (width + 1) + type * 6 + letters + leap * (width + 4) + isstd + isut;
  }
};

std::optional<Counts> header_at(std::string_view bytes, size_t at) {
  if (bytes.size() < at + kHeader || bytes.substr(at, 4) != "TZif" || bytes[at + 4] < '2') return std::nullopt;
  std::array<size_t, 6> counts;
  for (size_t i = 0; i < counts.size(); ++i) {
    const int64_t count = number_at(bytes, at + 20 + 4 * i, 4);
    if (count < 0 || static_cast<size_t>(count) > bytes.size()) return std::nullopt;
    counts[i] = static_cast<size_t>(count);
  }
  return Counts{counts[0], counts[1], counts[2], counts[3], counts[4], counts[5]};
}

sys_days day_in(int year, const ZoneRuleDay& day) {
  using std::chrono::days;
  const std::chrono::year in(year);
  const sys_days first = in / 1 / 1;
  if (day.form == ZoneRuleDay::Form::kZeroBased) return first + days(day.day);
  if (day.form == ZoneRuleDay::Form::kJulian)
    return first + days(day.day - 1 + (in.is_leap() && day.day >= 60 ? 1 : 0));
  const auto month = in / std::chrono::month(static_cast<unsigned>(day.month));
  const std::chrono::weekday weekday(static_cast<unsigned>(day.day));
  if (day.week == 5) return sys_days(month / weekday[std::chrono::last]);
  return sys_days(month / weekday[static_cast<unsigned>(day.week)]);
}

std::unexpected<Error> damaged(std::string_view what) {
  return fail(Code::kInvalid, "is no time zone of RFC 8536: " + std::string(what));
}

// Names of the database begin with a capital; what does not is none of its zones (posixrules, tzdata.zi, right/: with
// leap seconds).
bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name[0] < 'A' || name[0] > 'Z' || name.find("//") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/_+-").find(c) != std::string_view::npos;
  });
}

// The name in the folder that ends as `name` does: Europe/Berlin of "berlin" and of "europe/berlin". Etc/GMT+2 is two
// hours behind, so that it is meant by nobody who writes GMT+2.
std::optional<std::string> meant_by(std::string_view name, const std::string& folder) {
  std::string wanted = to_lower(name);
  std::replace(wanted.begin(), wanted.end(), ' ', '_');
  std::optional<std::string> found;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string known = at->path().lexically_relative(folder).string();
    const std::string lower = to_lower(known);
    const bool ends = lower == wanted || (lower.ends_with(wanted) && lower[lower.size() - wanted.size() - 1] == '/');
    if (ends && is_name(known) && !known.starts_with("Etc/") && !at->is_directory(error) && (!found || known < *found))
      found = known;
  }
  return found;
}

}  // namespace

Result<TimeZone> TimeZone::parse(std::string_view bytes) {
  const auto old = header_at(bytes, 0);
  if (!old) return damaged("expected TZif, version 2 or later");
  const size_t second = kHeader + old->bytes(4);
  const auto counts = header_at(bytes, second);
  if (!counts) return damaged("its second header is missing");
  const size_t times = second + kHeader, kinds = times + counts->time * 8, types = kinds + counts->time;
  const size_t footer = times + counts->bytes(8);
  if (footer >= bytes.size() || bytes[footer] != '\n' || bytes.back() != '\n' || footer + 1 >= bytes.size())
    return damaged("it is cut short");
  if (counts->leap) return damaged("it counts leap seconds, which clocks here don't");
  if (counts->type == 0) return damaged("it has no local time");
  const auto offset_of = [&](size_t type) { return seconds(number_at(bytes, types + 6 * type, 4)); };
  TimeZone zone;
  zone.first_ = offset_of(0);
  for (size_t i = 0; i < counts->time; ++i) {
    const size_t type = static_cast<uint8_t>(bytes[kinds + i]);
    const sys_seconds at(seconds(number_at(bytes, times + 8 * i, 8)));
    if (type >= counts->type) return damaged("a change names no local time");
    if (!zone.changes_.empty() && at <= zone.changes_.back().at) return damaged("its changes are in no order");
    zone.changes_.push_back({at, offset_of(type)});
  }
  const std::string_view rule = bytes.substr(footer + 1, bytes.size() - footer - 2);
  if (rule.empty()) return zone;
  auto parsed = parse_zone_rule(rule);
  if (!parsed) return std::unexpected(parsed.error());
  zone.rule_ = *parsed;
  return zone;
}

TimeZone::Span TimeZone::at(sys_seconds time) const {
  const auto next =
      std::upper_bound(changes_.begin(), changes_.end(), time, [](sys_seconds t, const Change& c) { return t < c.at; });
  Span span{sys_seconds::min(), sys_seconds::max(), first_};
  if (next == changes_.end() && rule_) span = by_rule(time);
  if (next != changes_.end()) span.until = next->at;
  if (next == changes_.begin()) return span;
  const Change& last = *std::prev(next);
  if (next != changes_.end() || !rule_) return {last.at, span.until, last.offset};
  span.from = std::max(span.from, last.at);
  return span;
}

TimeZone::Span TimeZone::by_rule(sys_seconds time) const {
  if (!rule_->summer) return {sys_seconds::min(), sys_seconds::max(), rule_->standard};
  const ZoneRule::Summer& summer = *rule_->summer;
  const int year = static_cast<int>(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(time)).year());
  std::vector<Change> changes;
  for (int y = year - 2; y <= year + 2; ++y) {
    // Where summer begins as it ends (all year, as RFC 8536 writes it), its beginning counts: it comes later here.
    changes.push_back({day_in(y, summer.end) + summer.end.time - summer.offset, rule_->standard});
    changes.push_back({day_in(y, summer.start) + summer.start.time - rule_->standard, summer.offset});
  }
  std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) { return a.at < b.at; });
  const auto next =
      std::upper_bound(changes.begin(), changes.end(), time, [](sys_seconds t, const Change& c) { return t < c.at; });
  const auto last = std::prev(next);
  return {last->at, next->at, last->offset};
}

std::chrono::local_seconds TimeZone::local(sys_seconds time) const {
  return std::chrono::local_seconds(time.time_since_epoch() + at(time).offset);
}

Result<TimeZone> load_zone(std::string_view name, const std::string& folder) {
  if (name == "UTC") return TimeZone();
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error))
    return fail(Code::kInternal, "there are no time zones in " + folder + ": tzdata is not installed");
  const std::string path = folder + "/" + std::string(name);
  const bool known = is_name(name) && std::filesystem::is_regular_file(path, error);
  if (!known) {
    const auto meant = name.empty() ? std::nullopt : meant_by(name, folder);
    return fail(Code::kInvalid, "\"" + one_line(name, 64) + "\" is no time zone, expected an IANA name as in " +
                                    meant.value_or("Europe/Berlin"));
  }
  const auto bytes = read_file(path);
  if (!bytes) return fail(Code::kInternal, path + ": " + bytes.error().message);
  auto zone = TimeZone::parse(*bytes);
  if (!zone) return fail(Code::kInternal, path + ": " + zone.error().message);
  return zone;
}

}  // namespace twinspan
