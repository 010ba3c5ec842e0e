#include "engines/postgres/archive/follow.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "backup/tail.hpp"
#include "core/text.hpp"

namespace twinspan::postgres {
std::string to_string(const Followed& followed) {
  std::string text;
  for (const backup::Departure& one : followed.history) text += fmt::format("{}@{:016X},", one.timeline, one.position);
  return text + std::to_string(followed.timeline);
}

std::optional<Followed> parse_followed(std::string_view text) {
  Followed followed;
  for (size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
    const std::string_view one = text.substr(0, comma);
    text.remove_prefix(comma + 1);
    const size_t at = one.find('@');
    backup::Departure departure;
    if (at == std::string_view::npos || !read_number(one.substr(0, at), departure.timeline) ||
        !read_number(one.substr(at + 1), departure.position, 16))
      return std::nullopt;
    followed.history.push_back(departure);
  }
  if (!read_number(text, followed.timeline) || followed.timeline == 0) return std::nullopt;
  return followed;
}

bool is_followed(std::string_view name, const Followed& followed) {
  const auto until = backup::belongs_until(name, followed.timeline, followed.history);
  return until && *until == backup::start_of(name) + backup::kSegmentBytes;
}

std::string segment_of_history(const Followed& followed, uint64_t position) {
  for (const backup::Departure& one : followed.history)
    if (backup::segment_number(position) < backup::segment_number(one.position))
      return backup::segment_at(one.timeline, position);
  return backup::segment_at(followed.timeline, position);
}

int follow(const Followed& followed, const std::string& name, const std::string& to,
           const std::function<std::optional<int>(const std::string& name, const std::string& to)>& archive_get) {
  constexpr int kGot = 0, kNotGot = 1;
  if (!is_followed(name, followed)) return kNotGot;
  if (archive_get(name, to) == kGot) return kGot;
  std::remove(to.c_str());
  return kNotGot;
}

}  // namespace twinspan::postgres
