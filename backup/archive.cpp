#include "backup/archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "core/text.hpp"
#include "failover/report.hpp"

namespace twinspan::backup {
namespace {

constexpr size_t kSegmentName = 24, kDigest = 40;

bool has_only(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

}  // namespace

bool is_segment(std::string_view name) {
  constexpr std::string_view kPartial = ".partial";
  if (name.ends_with(kPartial)) name.remove_suffix(kPartial.size());
  return name.size() == kSegmentName && has_only(name, "0123456789ABCDEF");
}

bool is_whole_segment(std::string_view name) { return name.size() == kSegmentName && is_segment(name); }

bool is_history(std::string_view name) {
  return name.size() == 16 && name.ends_with(".history") && has_only(name.substr(0, 8), "0123456789ABCDEF");
}

std::string folder_of(std::string_view segment) {
  return std::string(kArchiveId) + "/" + std::string(segment.substr(0, 16));
}

std::optional<std::string> stored_digest(std::string_view listing, std::string_view segment) {
  for (std::string_view name : split_lines(listing)) {
    if (!name.starts_with(segment)) continue;
    name.remove_prefix(segment.size());
    if (name.size() > kDigest && name.front() == '-' && has_only(name.substr(1, kDigest), "0123456789abcdef"))
      return std::string(name.substr(1, kDigest));
  }
  return std::nullopt;
}

std::optional<WallTime> stored_at(std::string_view listing, std::string_view segment) {
  const Json json = Json::parse(listing, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  for (const auto& [name, file] : json.items())
    if (const Json& time = member_of(file, "time"); name.starts_with(segment) && time.is_number_integer())
      return WallTime(std::chrono::seconds(time.get<int64_t>()));
  return std::nullopt;
}

// Names sort by timeline, then by position.
bool is_before(std::string_view name, std::string_view oldest) {
  if (oldest.empty()) return false;
  return is_history(name) ? name.substr(0, 8) < oldest.substr(0, 8) : name.substr(0, kSegmentName) < oldest;
}

std::optional<uint64_t> number_of(std::string_view segment) {
  if (!is_segment(segment)) return std::nullopt;
  uint64_t log = 0, of_log = 0;
  std::from_chars(segment.data() + 8, segment.data() + 16, log, 16);
  std::from_chars(segment.data() + 16, segment.data() + 24, of_log, 16);
  return (log << 8) + of_log;
}

uint32_t timeline_of(std::string_view segment) {
  uint32_t timeline = 0;
  std::from_chars(segment.data(), segment.data() + 8, timeline, 16);
  return timeline;
}

std::string segment_name(uint32_t timeline, uint64_t number) {
  return fmt::format("{:08X}{:08X}{:08X}", timeline, number >> 8, number & 0xFF);
}

std::vector<Departure> departures_of(const std::vector<TimelineSwitch>& history) {
  std::vector<Departure> departures;
  for (const TimelineSwitch& one : history) departures.push_back({one.timeline, one.end.value});
  return departures;
}

bool is_left_behind(std::string_view segment, uint32_t timeline, const std::vector<Departure>& history) {
  const auto number = number_of(segment);
  if (!number || timeline_of(segment) >= timeline) return false;
  return std::ranges::any_of(history, [&](const Departure& one) {
    return one.timeline == timeline_of(segment) && *number >= segment_number(one.position);
  });
}

}  // namespace twinspan::backup
