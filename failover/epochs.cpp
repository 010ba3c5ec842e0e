#include "failover/epochs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace twinspan {

EpochHistory with_epoch(EpochHistory history, Epoch epoch, Position start) {
  std::erase_if(history, [&](const EpochStart& one) { return one.epoch >= epoch || one.start >= start; });
  history.push_back({epoch, start});
  if (history.size() > kEpochsKept)
    history.erase(history.begin(), history.end() - static_cast<std::ptrdiff_t>(kEpochsKept));
  return history;
}

bool contained(const EpochHistory& own, Position own_end, const EpochHistory& theirs) {
  if (own.empty() || theirs.empty()) return true;
  return std::all_of(own.begin(), own.end(), [&](const EpochStart& one) {
    if (one.start >= own_end || one.epoch < theirs.front().epoch) return true;  // nothing of it here, or forgotten
    return std::any_of(theirs.begin(), theirs.end(), [&](const EpochStart& other) { return other.epoch == one.epoch; });
  });
}

Position common_end(const EpochHistory& own, Position own_end, const EpochHistory& theirs) {
  if (own.empty() || theirs.empty()) return own_end;
  const Epoch known = std::max(own.front().epoch, theirs.front().epoch);
  Position end = own_end;
  const auto cut_at_others = [&](const EpochHistory& one, const EpochHistory& other) {
    for (const EpochStart& entry : one)
      if (entry.epoch >= known &&
          std::none_of(other.begin(), other.end(), [&](const EpochStart& same) { return same.epoch == entry.epoch; }))
        end = std::min(end, entry.start);
  };
  cut_at_others(own, theirs);
  cut_at_others(theirs, own);
  return end;
}

std::string to_string(const EpochHistory& history) {
  std::string text;
  for (const EpochStart& one : history)
    text += fmt::format("{}{}:{}", text.empty() ? "" : ",", one.epoch.value, to_string(one.start));
  return text;
}

EpochHistory parse_epoch_history(std::string_view text) {
  EpochHistory history;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(entry.size() + 1, text.size()));
    const size_t colon = entry.find(':');
    if (colon == std::string_view::npos) return {};
    int64_t epoch = 0;
    const auto read = std::from_chars(entry.data(), entry.data() + colon, epoch);
    const auto start = parse_position(entry.substr(colon + 1));
    if (read.ec != std::errc() || read.ptr != entry.data() + colon || !start) return {};
    if (epoch < 1 || (!history.empty() && history.back().epoch.value >= epoch)) return {};
    history.push_back({{epoch}, *start});
  }
  return history;
}

}  // namespace twinspan
