#include "engines/postgres/timeline.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/text.hpp"

namespace twinspan::postgres {
namespace {

std::string_view next_word(std::string_view& line) {
  const size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  const size_t end = std::min(line.find_first_of(" \t\r", start), line.size());
  const std::string_view word = line.substr(start, end - start);
  line.remove_prefix(end);
  return word;
}

// Where `timeline` ended in the source's past; nullopt: it is no part of it.
std::optional<Position> end_of(const Ancestry& source, uint32_t timeline) {
  for (const TimelineSwitch& past : source.history)
    if (past.timeline == timeline) return past.end;
  return std::nullopt;
}

}  // namespace

Result<std::vector<TimelineSwitch>> parse_history(std::string_view text) {
  std::vector<TimelineSwitch> history;
  for (std::string_view line : split_lines(text)) {
    const std::string_view id = next_word(line);
    if (id.empty() || id.starts_with('#')) continue;
    const std::string_view at = next_word(line);
    uint32_t timeline = 0;
    const auto done = std::from_chars(id.data(), id.data() + id.size(), timeline);
    const auto position = parse_position(at);
    if (done.ec != std::errc() || done.ptr != id.data() + id.size() || !position)
      return fail(Code::kInvalid,
                  fmt::format("timeline history: \"{} {}\": expected a timeline and a position", id, at));
    if (!history.empty() && history.back().timeline >= timeline)
      return fail(Code::kInvalid, fmt::format("timeline history: {} follows {}", timeline, history.back().timeline));
    history.push_back({timeline, *position});
  }
  return history;
}

std::string history_file_name(uint32_t timeline) { return fmt::format("{:08X}.history", timeline); }

Judgement judge(const Ancestry& own, const Ancestry& source) {
  if (own.system_id != source.system_id)
    return {
        Kinship::kForeign,
        fmt::format("system identifier {} here, {} at the primary: another database", own.system_id, source.system_id),
        std::nullopt};
  for (const TimelineSwitch& past : own.history) {
    if (past.timeline == source.timeline)
      return {
          Kinship::kForked,
          fmt::format("timeline {} ended here at {}, the primary is still on it", past.timeline, to_string(past.end)),
          past.end};
    const auto theirs = end_of(source, past.timeline);
    if (!theirs)
      return {Kinship::kForked, fmt::format("timeline {} is no part of the primary's history", past.timeline),
              std::nullopt};
    if (*theirs != past.end)
      return {Kinship::kForked,
              fmt::format("timeline {} ended at {} here, at {} in the primary's history", past.timeline,
                          to_string(past.end), to_string(*theirs)),
              std::min(*theirs, past.end)};
  }
  if (!own.end) return {Kinship::kUnmeasured, "the end of the log here is not known", std::nullopt};
  if (own.timeline == source.timeline) {
    // A replica as the source may simply be behind; a primary that is behind has lost what is here.
    if (!source.in_recovery && source.end && *own.end > *source.end)
      return {Kinship::kForked,
              fmt::format("the log here ends at {}, the primary's at {}", to_string(*own.end), to_string(*source.end)),
              *source.end};
    return {Kinship::kSame, "", std::nullopt};
  }
  const auto fork = end_of(source, own.timeline);
  if (!fork)
    return {Kinship::kForked, fmt::format("timeline {} is no part of the primary's history", own.timeline),
            std::nullopt};
  if (*own.end > *fork)
    return {Kinship::kForked,
            fmt::format("the log here ends at {}, {} bytes past {}, where timeline {} forked", to_string(*own.end),
                        own.end->value - fork->value, to_string(*fork), source.timeline),
            *fork};
  return {Kinship::kSame, "", std::nullopt};
}

}  // namespace twinspan::postgres
