#include "backup/log_look.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>

namespace twinspan::backup {
namespace {

constexpr size_t kNamesTold = 10;
constexpr std::string_view kOfPgBackRest = "pgBackRest Archive Check";

// What stands between `before` and the next of `ends`, as "lsn: 0/0195D4A8, prev".
std::string_view after(std::string_view line, std::string_view before, std::string_view ends) {
  const size_t at = line.find(before);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + before.size());
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  return line.substr(0, line.find_first_of(ends));
}

std::optional<uint32_t> number(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string looked_through(const LogLook& look) {
  if (look.from.empty()) return "none of the log could be looked through";
  return fmt::format("looked through {} to {}", look.from, look.to);
}

Found restore_point(const LogLook& look, const Goal& goal) {
  std::vector<std::string> at, others;
  std::optional<Position> where;
  for (auto one = look.restore_points.rbegin(); one != look.restore_points.rend(); ++one) {
    const auto& [position, name] = *one;
    if (name == goal.name) {
      where = position;
      at.push_back(to_string(position));
    } else if (others.size() < kNamesTold) {
      others.push_back(fmt::format("\"{}\"", name));
    }
  }
  if (at.size() > 1)
    return {
        std::nullopt,
        fmt::format("it is there {} times, at {}: take one of them as spec.target.lsn", at.size(), fmt::join(at, ", ")),
        true};
  if (where) return {where, "", false};
  return {std::nullopt,
          fmt::format("it was not found, {}: {}", looked_through(look),
                      others.empty()
                          ? "there are no restore points"
                          : fmt::format("there {} {}", others.size() == 1 ? "is" : "are", fmt::join(others, ", "))),
          false};
}

}  // namespace

Walk::Walk(Timeline timeline, std::vector<Departure> history, std::string_view newest, uint64_t oldest_number)
    : timeline_(timeline), history_(std::move(history)), oldest_(oldest_number), next_(number_of(newest)) {}

std::optional<std::string> Walk::next() {
  if (ended()) return std::nullopt;
  const uint64_t number = *next_;
  next_ = number == 0 ? std::nullopt : std::optional(number - 1);
  // The segment in which a timeline was left is stored whole under the next one's name.
  Timeline timeline = timeline_;
  for (auto one = history_.rbegin(); one != history_.rend() && number < segment_number(one->position); ++one)
    timeline = one->timeline;
  return segment_name(timeline, number);
}

std::string Walk::name_here(std::string_view segment) const {
  return segment_name(timeline_, number_of(segment).value_or(0));
}

void read_line(std::string_view line, const Goal& goal, LogLook& look) {
  const auto position = parse_position(after(line, "lsn:", ","));
  const std::string_view what = after(line, "desc:", " ");
  if (!position || what.empty()) return;
  if (what == "RESTORE_POINT") {
    const std::string_view name = after(line, "RESTORE_POINT", "");
    if (name != kOfPgBackRest) look.restore_points[*position] = name;
    return;
  }
  const bool prepared = what.ends_with("_PREPARED");  // its number stands in the description
  if (what != "COMMIT" && what != "ABORT" && what != "COMMIT_PREPARED" && what != "ABORT_PREPARED") return;
  const auto ended = number(prepared ? after(line, what, ":") : after(line, "tx:", ","));
  if (!ended) return;
  if (goal.kind == Goal::Kind::kTransaction && *ended == number_in_log(goal)) look.ends[*position] = *ended;
  if (look.newest && *position < look.newest->position) return;
  std::string_view time = after(line, what, ";");
  if (prepared) time = after(time, ":", ";");
  look.newest = LogLook::Newest{*position, *ended, std::string(time)};
}

Found found_in(const LogLook& look, const Goal& goal) {
  if (goal.kind == Goal::Kind::kRestorePoint) return restore_point(look, goal);
  // Of two with the same 32 bits the newer one is meant.
  if (!look.ends.empty()) return {look.ends.rbegin()->first, "", false};
  return {std::nullopt,
          fmt::format(
              "it was not found, {}{}", looked_through(look),
              look.newest ? fmt::format(": the newest seen is {}, of {}", look.newest->number, look.newest->time) : ""),
          false};
}

}  // namespace twinspan::backup
