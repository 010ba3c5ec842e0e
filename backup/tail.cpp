#include "backup/tail.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace twinspan::backup {
namespace {

constexpr size_t kSegmentName = 24, kDigits = 16, kEpochAt = kSegmentName + 1 + kDigits;

}  // namespace

std::string tail_folder(std::string_view stanza) { return fmt::format("tail/{}/", stanza); }

std::string to_string(const TailName& name) {
  const std::string before = fmt::format("{}.{:016X}", name.segment, name.end);
  return name.epoch == 0 ? before : fmt::format("{}.{:016X}", before, name.epoch);
}

std::optional<TailName> parse_tail_name(std::string_view text) {
  const bool says_epoch = text.size() == kEpochAt + 1 + kDigits && text[kEpochAt] == '.';
  if ((text.size() != kEpochAt && !says_epoch) || text[kSegmentName] != '.') return std::nullopt;
  TailName name{std::string(text.substr(0, kSegmentName))};
  const auto number = [&](size_t at, uint64_t& to) {
    const std::string_view digits = text.substr(at, kDigits);
    std::from_chars(digits.data(), digits.data() + digits.size(), to, 16);
    return digits.find_first_not_of("0123456789ABCDEF") == digits.npos;
  };
  if (!is_whole_segment(name.segment) || !number(kSegmentName + 1, name.end)) return std::nullopt;
  if (says_epoch && (!number(kEpochAt + 1, name.epoch) || name.epoch == 0)) return std::nullopt;
  const uint64_t start = start_of(name.segment);
  if (name.end <= start || name.end - start > kSegmentBytes) return std::nullopt;
  return name;
}

std::string segment_at(Timeline timeline, uint64_t position) {
  return segment_name(timeline, segment_number(position));
}

uint64_t start_of(std::string_view segment) { return number_of(segment).value_or(0) * kSegmentBytes; }

std::optional<uint64_t> belongs_until(std::string_view segment, Timeline followed,
                                      const std::vector<Departure>& history) {
  if (!is_whole_segment(segment)) return std::nullopt;
  const uint64_t start = start_of(segment), end = start + kSegmentBytes;
  if (timeline_of(segment) == followed) return end;
  const auto left = std::ranges::find(history, timeline_of(segment), &Departure::timeline);
  if (left == history.end() || left->position <= start) return std::nullopt;
  return std::min(end, left->position);
}

bool goes_further(const TailName& one, const TailName& other) {
  return std::pair(one.epoch, one.end) > std::pair(other.epoch, other.end);
}

std::optional<TailName> longest_tail(const std::vector<TailName>& tails, std::string_view segment) {
  std::optional<TailName> longest;
  for (const TailName& one : tails)
    if (one.segment == segment && (!longest || goes_further(one, *longest))) longest = one;
  return longest;
}

std::optional<std::string> superseder_of(const TailName& tail, Timeline timeline,
                                         const std::vector<Departure>& history) {
  const Timeline its = timeline_of(tail.segment);
  if (its == timeline) return tail.segment;
  const auto left = std::ranges::find(history, its, &Departure::timeline);
  if (left == history.end()) return std::nullopt;
  const uint64_t fork = left->position;
  if (start_of(tail.segment) + kSegmentBytes <= fork) return tail.segment;
  // The next timeline's first segment begins with what the tail's has before the fork; unless that one was left at
  // once.
  const uint64_t number = segment_number(fork);
  const auto stayed = std::find_if(left + 1, history.end(),
                                   [&](const Departure& one) { return segment_number(one.position) != number; });
  return segment_at(stayed == history.end() ? timeline : stayed->timeline, fork);
}

}  // namespace twinspan::backup
