#include "backup/lineage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace twinspan::backup {
namespace {

template <class Number>
bool read(std::string_view text, Number& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

}  // namespace

std::string lineage_folder(std::string_view stanza) { return fmt::format("lineage/{}/", stanza); }

std::string to_string(const LineageEntry& entry) {
  return fmt::format("{:016X}-{:08X}-{:016X}", entry.epoch, entry.timeline, entry.from);
}

std::optional<LineageEntry> parse_lineage_entry(std::string_view text) {
  constexpr size_t kEpoch = 16, kTimeline = 8;
  LineageEntry entry;
  if (text.size() < kEpoch + kTimeline + 2 || !read(text.substr(0, kEpoch), entry.epoch) ||
      !read(text.substr(kEpoch + 1, kTimeline), entry.timeline) ||
      !read(text.substr(kEpoch + kTimeline + 2), entry.from) || entry.timeline == 0 || to_string(entry) != text)
    return std::nullopt;
  return entry;
}

std::optional<LineageEntry> lineage_entry(uint64_t epoch, Timeline timeline, const std::vector<Departure>& history) {
  if (timeline == 0 || (timeline == 1) != history.empty()) return std::nullopt;
  return LineageEntry{epoch, timeline, history.empty() ? 0 : history.back().position};
}

std::optional<LineageEntry> rival_of(const LineageEntry& mine, const std::vector<LineageEntry>& noted) {
  const bool own = std::ranges::find(noted, mine) != noted.end();
  const auto rival = std::ranges::find_if(noted, [&](const LineageEntry& one) {
    if (one.timeline != mine.timeline || (own && one.epoch < mine.epoch)) return false;
    return one.epoch == 0 || mine.epoch == 0 ? one.from != mine.from : one.epoch != mine.epoch;
  });
  return rival == noted.end() ? std::nullopt : std::optional(*rival);
}

bool is_ours(Timeline timeline, const std::vector<LineageEntry>& noted, const std::vector<uint64_t>& epochs) {
  std::optional<LineageEntry> latest;
  for (const LineageEntry& one : noted)
    if (one.timeline == timeline && (!latest || *latest < one)) latest = one;
  if (!latest) return false;
  return epochs.empty() || latest->epoch < epochs.front() || std::ranges::find(epochs, latest->epoch) != epochs.end();
}

std::set<Timeline> taken_by_others(const std::vector<LineageEntry>& noted, const std::vector<Departure>& history,
                                   const std::vector<uint64_t>& epochs) {
  std::set<Timeline> taken;
  for (const Departure& one : history)
    if (std::ranges::find(noted, one.timeline, &LineageEntry::timeline) != noted.end() &&
        !is_ours(one.timeline, noted, epochs))
      taken.insert(one.timeline);
  return taken;
}

std::optional<Timeline> newest_of(const std::vector<LineageEntry>& noted, const std::set<Timeline>& stored) {
  std::optional<LineageEntry> newest;
  for (const LineageEntry& one : noted)
    if (stored.contains(one.timeline) && (!newest || *newest < one)) newest = one;
  return newest ? std::optional(newest->timeline) : std::nullopt;
}

bool is_of_lineage(Timeline timeline, const std::vector<LineageEntry>& noted, const std::vector<Departure>& history) {
  return std::ranges::find(noted, timeline, &LineageEntry::timeline) != noted.end() ||
         std::ranges::find(history, timeline, &Departure::timeline) != history.end() ||
         std::ranges::all_of(noted, [&](const LineageEntry& one) { return timeline < one.timeline; });
}

std::string words_of(const std::vector<LineageEntry>& noted) {
  std::vector<LineageEntry> sorted = noted;
  std::ranges::sort(sorted);
  std::string text;
  for (const LineageEntry& one : sorted)
    text += fmt::format("{}{} ({}epoch {})", text.empty() ? "" : ", ", one.timeline,
                        one.from == 0 ? "" : fmt::format("from {}, ", to_string(Position{one.from})), one.epoch);
  return text;
}

}  // namespace twinspan::backup
