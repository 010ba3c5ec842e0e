#include "engines/postgres/archive/fetch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "core/file.hpp"
#include "engines/postgres/archive/request.hpp"
#include "engines/postgres/timeline.hpp"

namespace twinspan::postgres {
namespace {

constexpr int kGot = 0, kAbsent = 1;

FetchAnswer unsure(std::string words) { return {kExitUnsure, std::move(words)}; }

// Of the timeline that is followed; nullopt: it can't be told.
std::optional<std::vector<backup::Departure>> history_of(const FetchWanted& wanted, const FetchSources& sources) {
  if (wanted.timeline == 1 || backup::timeline_of(wanted.name) == wanted.timeline)
    return std::vector<backup::Departure>{};
  // PostgreSQL got it before any segment, and keeps it where segments are written to.
  auto text = read_file(wanted.to.substr(0, wanted.to.rfind('/') + 1) + history_file_name(wanted.timeline));
  if (!text) {
    const std::string to = wanted.to + ".history";
    const auto got = sources.archive_get(history_file_name(wanted.timeline), to);
    text = read_file(to);
    std::remove(to.c_str());
    if (got != kGot) return std::nullopt;
  }
  if (!text) return std::nullopt;
  const auto history = parse_history(*text);
  if (!history) return std::nullopt;
  return backup::departures_of(*history);
}

FetchAnswer write(const std::string& to, const std::string& bytes, std::string words) {
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  return out ? FetchAnswer{kGot, std::move(words)} : unsure(fmt::format("{}: can't be written", to));
}

// A whole segment of which only the beginning is wanted.
FetchAnswer cut(const FetchWanted& wanted, uint64_t until) {
  const uint64_t start = backup::start_of(wanted.name);
  if (until >= start + backup::kSegmentBytes) return {kGot, {}};
  auto bytes = read_file(wanted.to);
  if (!bytes) return unsure(bytes.error().message);
  if (bytes->size() != backup::kSegmentBytes)
    return unsure(fmt::format("{} has {} bytes, {} are expected", wanted.name, bytes->size(), backup::kSegmentBytes));
  std::fill(bytes->begin() + static_cast<ptrdiff_t>(until - start), bytes->end(), '\0');
  return write(wanted.to, *bytes, fmt::format("{} is used up to {}", wanted.name, to_string(Position{until})));
}

// A whole segment that the archive has. PostgreSQL looks for it on the followed timeline first and takes that of an
// earlier one where there is none, to its end: what a former primary wrote behind the point at which the database left
// its timeline would be replayed.
FetchAnswer whole(const FetchWanted& wanted, const FetchSources& sources) {
  if (wanted.timeline == 0) return cut(wanted, wanted.until);
  const auto history = history_of(wanted, sources);
  if (!history)
    return unsure(fmt::format("{}: the history of timeline {} can't be read", wanted.name, wanted.timeline));
  const auto until = backup::belongs_until(wanted.name, wanted.timeline, *history);
  if (until) return cut(wanted, std::min(*until, wanted.until));
  std::remove(wanted.to.c_str());
  return {kAbsent, fmt::format("{} is no part of timeline {}'s history", wanted.name, wanted.timeline)};
}

bool is_taken(const FetchWanted& wanted) {
  if (!backup::is_history(wanted.name)) return false;
  const backup::Timeline number = backup::timeline_of(wanted.name);
  return number > wanted.timeline && number <= wanted.taken;
}

}  // namespace

FetchAnswer fetch(const FetchWanted& wanted, const FetchSources& sources) {
  const bool segment = backup::is_whole_segment(wanted.name);
  if (segment && backup::start_of(wanted.name) >= wanted.until) return {kAbsent, {}};
  // A whole segment may take the place of its tail between two questions: only what neither has, twice, is absent.
  for (int look = 0; look < 3; ++look) {
    const auto got = sources.archive_get(wanted.name, wanted.to);
    if (got == kGot && segment) return whole(wanted, sources);
    if (got != kAbsent) return {restore_exit_code(got), {}};
    if (is_taken(wanted)) return write(wanted.to, "", wanted.name + ": its number is taken");
    if (wanted.timeline == 0 || !segment) return {kAbsent, {}};
    const auto tails = sources.list_tails(wanted.name);
    if (!tails) return unsure(fmt::format("tails of {}: {}", wanted.name, tails.error().message));
    const auto name = backup::longest_tail(*tails, wanted.name);
    if (!name) {
      if (look > 0) return {kAbsent, {}};
      continue;
    }
    const auto history = history_of(wanted, sources);
    if (!history)
      return unsure(fmt::format("{}: the history of timeline {} can't be read", wanted.name, wanted.timeline));
    const auto until = backup::belongs_until(wanted.name, wanted.timeline, *history);
    if (!until)
      return {kAbsent, fmt::format("{} is no part of timeline {}'s history", to_string(*name), wanted.timeline)};
    auto tail = sources.get_tail(*name);
    if (!tail && tail.error().code == Code::kNotFound) continue;
    if (!tail) return unsure(tail.error().message);
    const uint64_t end = std::min({name->end, *until, wanted.until});
    return write(wanted.to, padded_segment(std::move(*tail), end),
                 fmt::format("{} is not whole yet: used its tail up to {}", wanted.name, to_string(Position{end})));
  }
  return unsure(fmt::format("{}: its tails come and go", wanted.name));
}

}  // namespace twinspan::postgres
