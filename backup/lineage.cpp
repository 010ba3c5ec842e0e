#include "backup/lineage.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace twinspan::backup {
namespace {

// 0: of the first timeline, or nobody knows.
uint64_t beginning_of(Timeline timeline, const std::vector<Departure>& history) {
  uint64_t from = 0;
  for (const Departure& one : history)
    if (one.timeline < timeline) from = one.position;
  return from;
}

bool is_before_notes(Timeline timeline, const std::vector<LineageEntry>& noted) {
  return std::ranges::all_of(noted, [&](const LineageEntry& one) { return timeline < one.timeline; });
}

}  // namespace

std::string lineage_folder(std::string_view stanza) { return fmt::format("lineage/{}/", stanza); }

std::string to_string(const LineageEntry& entry) {
  return fmt::format("{:016X}-{:08X}-{:016X}", entry.epoch, entry.timeline, entry.from);
}

std::optional<LineageEntry> parse_lineage_entry(std::string_view text) {
  constexpr size_t kEpoch = 16, kTimeline = 8;
  LineageEntry entry;
  if (text.size() < kEpoch + kTimeline + 2 || !read_number(text.substr(0, kEpoch), entry.epoch, 16) ||
      !read_number(text.substr(kEpoch + 1, kTimeline), entry.timeline, 16) ||
      !read_number(text.substr(kEpoch + kTimeline + 2), entry.from, 16) || entry.timeline == 0 ||
      to_string(entry) != text)
    return std::nullopt;
  return entry;
}

LineageNotes lineage_in(const std::vector<std::string>& names) {
  LineageNotes noted;
  for (const std::string_view name : names) {
    const size_t slash = name.find('/');
    const auto entry = parse_lineage_entry(slash == name.npos ? name : name.substr(slash + 1));
    if (!entry) continue;
    if (slash == name.npos)
      noted.begun.push_back(*entry);
    else if (name.starts_with("resumed/"))
      noted.resumed.push_back(*entry);
    else if (name.starts_with("taken/"))
      noted.taken.push_back(*entry);
  }
  return noted;
}

std::optional<LineageEntry> lineage_entry(uint64_t epoch, Timeline timeline, const std::vector<Departure>& history) {
  if (timeline == 0 || (timeline == 1) != history.empty()) return std::nullopt;
  return LineageEntry{epoch, timeline, history.empty() ? 0 : history.back().position};
}

std::optional<LineageEntry> rival_of(const LineageEntry& mine, const std::vector<LineageEntry>& noted) {
  const bool own = std::ranges::find(noted, mine) != noted.end();
  const auto rival = std::ranges::find_if(noted, [&](const LineageEntry& one) {
    if (one.timeline != mine.timeline || (own && one.epoch < mine.epoch)) return false;
    return one.from != mine.from || (one.epoch != 0 && mine.epoch != 0 && one.epoch != mine.epoch);
  });
  return rival == noted.end() ? std::nullopt : std::optional(*rival);
}

bool is_ours(Timeline timeline, const std::vector<Departure>& history, const std::vector<LineageEntry>& noted,
             const EpochHistory& epochs) {
  std::optional<LineageEntry> latest;
  for (const LineageEntry& one : noted)
    if (one.timeline == timeline && (!latest || *latest < one)) latest = one;
  if (!latest) return !noted.empty() && is_before_notes(timeline, noted);
  if (latest->from != beginning_of(timeline, history)) return false;
  const Epoch epoch{static_cast<int64_t>(latest->epoch)};
  return epoch.value == 0 || epochs.empty() || epoch < epochs.front().epoch ||
         std::ranges::find(epochs, epoch, &EpochStart::epoch) != epochs.end();
}

std::set<Timeline> taken_by_others(const std::vector<LineageEntry>& noted, const std::vector<Departure>& history,
                                   const EpochHistory& epochs) {
  std::set<Timeline> taken;
  for (const Departure& one : history) {
    const bool is_noted = std::ranges::find(noted, one.timeline, &LineageEntry::timeline) != noted.end();
    // The timeline after it has all of a segment in which both began.
    const bool has_own = segment_number(one.position) > segment_number(beginning_of(one.timeline, history));
    if (is_noted && has_own && !is_ours(one.timeline, history, noted, epochs)) taken.insert(one.timeline);
  }
  return taken;
}

std::vector<std::string> names_to_note(const OwnLineage& own, const LineageNotes& noted) {
  std::vector<std::string> names;
  const auto note = [&](const std::vector<LineageEntry>& there, const char* folder, const LineageEntry& entry) {
    if (std::ranges::find(there, entry) == there.end()) names.push_back(folder + to_string(entry));
  };
  for (const Timeline taken : taken_by_others(noted.begun, own.history, own.epochs))
    note(noted.taken, "taken/", {own.begun.epoch, taken, beginning_of(taken, own.history)});
  note(noted.begun, "", own.begun);
  const auto later = later_than(own.begun.timeline, noted);
  if (later && own.epoch > own.begun.epoch)
    note(noted.resumed, "resumed/", {own.epoch, own.begun.timeline, own.begun.from});
  return names;
}

std::optional<Timeline> newest_of(const LineageNotes& noted, const std::set<Timeline>& stored) {
  std::optional<LineageEntry> newest;
  for (const auto* some : {&noted.begun, &noted.resumed})
    for (const LineageEntry& one : *some)
      if (stored.contains(one.timeline) && (!newest || *newest < one)) newest = one;
  return newest ? std::optional(newest->timeline) : std::nullopt;
}

std::optional<Timeline> later_than(Timeline timeline, const LineageNotes& noted) {
  std::optional<LineageEntry> its, newest;
  for (const auto* some : {&noted.begun, &noted.resumed})
    for (const LineageEntry& one : *some) {
      if (one.timeline == timeline && (!its || *its < one)) its = one;
      if (!newest || *newest < one) newest = one;
    }
  return its && newest->timeline != timeline && newest->epoch > its->epoch ? std::optional(newest->timeline)
                                                                           : std::nullopt;
}

std::optional<Position> taken_from(const std::vector<Departure>& history, Position backup_stop,
                                   const LineageNotes& noted) {
  std::optional<Position> first;
  for (const LineageEntry& one : noted.taken)
    if (std::ranges::find(history, one.timeline, &Departure::timeline) != history.end() &&
        Position{one.from} >= backup_stop && (!first || Position{one.from} < *first))
      first = Position{one.from};
  return first;
}

std::vector<SegmentRun> without_taken(std::vector<SegmentRun> log, const LineageNotes& noted) {
  for (const LineageEntry& one : noted.taken) log = without(log, {one.timeline, segment_number(one.from), UINT64_MAX});
  return log;
}

bool needs_a_word(Timeline timeline, const std::optional<std::vector<Departure>>& history, Timeline newest,
                  const LineageNotes& noted) {
  if (timeline <= newest || std::ranges::find(noted.begun, timeline, &LineageEntry::timeline) != noted.begun.end())
    return false;
  return !history || std::ranges::find(*history, newest, &Departure::timeline) != history->end();
}

bool is_of_lineage(Timeline timeline, const LineageNotes& noted, const std::vector<Departure>& history) {
  return std::ranges::find(noted.begun, timeline, &LineageEntry::timeline) != noted.begun.end() ||
         std::ranges::find(history, timeline, &Departure::timeline) != history.end() ||
         is_before_notes(timeline, noted.begun);
}

std::string words_of(const LineageNotes& noted) {
  std::vector<LineageEntry> sorted = noted.begun;
  std::ranges::sort(sorted);
  std::string text;
  for (const LineageEntry& one : sorted)
    text += fmt::format("{}{} ({}epoch {})", text.empty() ? "" : ", ", one.timeline,
                        one.from == 0 ? "" : fmt::format("from {}, ", to_string(Position{one.from})), one.epoch);
  return text;
}

}  // namespace twinspan::backup
