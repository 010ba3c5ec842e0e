#include "backup/mark.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

namespace twinspan::backup {

std::string mark_folder(std::string_view stanza) { return fmt::format("mark/{}/", stanza); }

std::string to_string(const Mark& mark) {
  return fmt::format("{:016X}-{:08X}-{:016X}-{:016X}-{:016X}", mark.epoch, mark.timeline, mark.position,
                     static_cast<uint64_t>(mark.since), static_cast<uint64_t>(mark.at));
}

std::optional<Mark> parse_mark(std::string_view text) {
  const std::string_view whole = text;
  const auto next = [&]() -> uint64_t {
    const std::string_view field = text.substr(0, text.find('-'));
    text.remove_prefix(std::min(text.size(), field.size() + 1));
    uint64_t value = 0;
    std::from_chars(field.data(), field.data() + field.size(), value, 16);
    return value;
  };
  Mark mark;
  mark.epoch = next();
  mark.timeline = static_cast<Timeline>(next());
  mark.position = next();
  mark.since = static_cast<int64_t>(next());
  mark.at = static_cast<int64_t>(next());
  if (to_string(mark) != whole || mark.timeline == 0 || mark.since > mark.at) return std::nullopt;
  return mark;
}

bool is_newer(const Mark& one, const Mark& other) {
  return std::tuple(one.epoch, one.position, one.at) > std::tuple(other.epoch, other.position, other.at);
}

std::optional<Mark> newest_mark(const std::vector<Mark>& marks, Timeline timeline) {
  std::optional<Mark> newest;
  for (const Mark& one : marks)
    if (one.timeline == timeline && (!newest || is_newer(one, *newest))) newest = one;
  return newest;
}

}  // namespace twinspan::backup
