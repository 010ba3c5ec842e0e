#include "failover/flow/drill.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "failover/names.hpp"

namespace twinspan {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::minutes kPatience{10};
constexpr Names<DrillOutcome, 3> kOutcomes{
    {{DrillOutcome::kRunning, "Running"}, {DrillOutcome::kPassed, "Passed"}, {DrillOutcome::kFailed, "Failed"}}};

Drill ended(Drill drill, const DrillSeen& seen, DrillOutcome outcome, std::string message) {
  drill.outcome = outcome;
  drill.finished_at = to_rfc3339_micro(seen.now);
  drill.message = std::move(message);
  return drill;
}

// What is wrong with the arrivals; empty: nothing.
std::string troubles(const std::vector<Arrival>& arrivals, const DrillSeen& seen) {
  std::string text;
  const auto add = [&](const std::string& what) { text += (text.empty() ? "" : "; ") + what; };
  for (const std::string& target : seen.targets)
    if (std::none_of(arrivals.begin(), arrivals.end(), [&](const Arrival& one) { return one.endpoint == target; }))
      add(fmt::format("nothing is said of {}", target));
  for (const Arrival& one : arrivals)
    if (!one.error.empty() || !one.took)
      add(fmt::format("{}: {}", one.endpoint, one.error.empty() ? "it did not arrive" : one.error));
  return text;
}

Drill judged(const Drill& drill, const DrillSeen& seen, const RehearsalReport& report) {
  Drill next = drill;
  for (const Arrival& one : report.arrivals)
    if (one.took) next.arrival = std::max(next.arrival.value_or(milliseconds(0)), *one.took);
  if (const std::string wrong = troubles(report.arrivals, seen); !wrong.empty())
    return ended(next, seen, DrillOutcome::kFailed, wrong);
  const std::string arrived = fmt::format("an object written to {} was given back by {} after {} ms", seen.primary,
                                          fmt::join(seen.targets, ", "), next.arrival->count());
  if (!*seen.failover_possible)
    return ended(next, seen, DrillOutcome::kFailed,
                 fmt::format("{}, but no failover would succeed: {}", arrived, seen.why));
  return ended(next, seen, DrillOutcome::kPassed, fmt::format("{}; {}", arrived, seen.why));
}

Drill going_on(const Drill& drill, const DrillSeen& seen) {
  if (!seen.steady)
    return ended(drill, seen, DrillOutcome::kFailed, "broken off: the link was paused, or its primary changed");
  for (const RehearsalReport& report : seen.reports)
    if (report.requested_at == drill.requested_at && report.finished && seen.failover_possible)
      return judged(drill, seen, report);
  const auto began = parse_rfc3339(drill.requested_at);
  if (began && seen.now - *began < kPatience) return drill;
  return ended(drill, seen, DrillOutcome::kFailed,
               fmt::format("no worker has told of an arrival within {} minutes", kPatience.count()));
}

bool due(const DrillSeen& seen) {
  if (!seen.schedule) return false;
  WallTime after = seen.scheduled_since;
  if (seen.last)
    if (const auto last = parse_rfc3339(seen.last->requested_at)) after = std::max(after, *last);
  const auto next = next_after(*seen.schedule, after);
  return next && *next <= seen.now;
}

}  // namespace

std::optional<Drill> next_drill(const DrillSeen& seen) {
  if (seen.last && seen.last->outcome == DrillOutcome::kRunning) return going_on(*seen.last, seen);
  const std::string before = seen.last ? seen.last->request : "";
  const bool asked = !seen.asked.empty() && seen.asked != before;
  if (!seen.steady || (!asked && !due(seen))) return seen.last;
  Drill drill;
  drill.request = asked ? seen.asked : before;
  drill.requested_at = to_rfc3339_micro(seen.now);
  drill.message =
      fmt::format("an object is written to {}, and must arrive at {}", seen.primary, fmt::join(seen.targets, ", "));
  return drill;
}

std::string_view to_string(DrillOutcome outcome) { return name_of(kOutcomes, outcome); }

std::optional<DrillOutcome> parse_drill_outcome(std::string_view text) { return value_of(kOutcomes, text); }

Json to_json(const RehearsalReport& report) {
  Json json = {{"requestedAt", report.requested_at}, {"finished", report.finished}, {"arrivals", Json::array()}};
  for (const Arrival& one : report.arrivals) {
    Json row = {{"endpoint", one.endpoint}};
    if (one.took) row["milliseconds"] = one.took->count();
    if (!one.error.empty()) row["error"] = one.error;
    json["arrivals"].push_back(std::move(row));
  }
  return json;
}

std::optional<RehearsalReport> parse_rehearsal_report(const Json& json) {
  if (text_of(json, "requestedAt").empty()) return std::nullopt;
  RehearsalReport report{text_of(json, "requestedAt"), member_of(json, "finished") == true, {}};
  for (const Json& row : member_of(json, "arrivals")) {
    Arrival& one = report.arrivals.emplace_back();
    one.endpoint = text_of(row, "endpoint");
    if (member_of(row, "milliseconds").is_number_integer()) one.took = milliseconds(integer_of(row, "milliseconds"));
    one.error = text_of(row, "error");
  }
  return report;
}

}  // namespace twinspan
