#include "controllers/s3/bucket_drill.hpp"

#include "api/conditions.hpp"

namespace twinspan::controllers {
namespace {

std::optional<Drill> drill_of(const api::PolicyStatus& status) {
  if (!status.drill) return std::nullopt;
  const api::DrillStatus& from = *status.drill;
  Drill drill{from.request.value_or(""), from.requested_at,
              parse_drill_outcome(from.outcome).value_or(DrillOutcome::kFailed), from.finished_at.value_or("")};
  if (from.arrival_milliseconds) drill.arrival = std::chrono::milliseconds(*from.arrival_milliseconds);
  drill.message = from.message.value_or("");
  return drill;
}

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

}  // namespace

std::optional<api::DrillStatus> next_bucket_drill(const api::FailoverPolicy& policy, const FlowSeen& seen,
                                                  const api::PolicyStatus& status,
                                                  const std::vector<RehearsalReport>& reports, WallTime now) {
  DrillSeen input;
  input.last = drill_of(policy.status);
  const auto asked = policy.metadata.annotations.find(std::string(kDrillAnnotation));
  if (asked != policy.metadata.annotations.end()) input.asked = asked->second;
  if (policy.spec.drill)
    if (auto cron = parse_cron(policy.spec.drill->schedule)) input.schedule = *cron;
  input.scheduled_since = parse_rfc3339(policy.metadata.creation_timestamp).value_or(now);
  input.now = now;
  input.steady = !seen.paused && !status.current && seen.assignment && status.primary == seen.assignment->primary;
  if (seen.assignment) input.primary = seen.assignment->primary;
  for (const PlaceSeen& bucket : seen.places)
    if (bucket.name != input.primary) input.targets.push_back(bucket.name);
  if (const api::Condition* possible = api::find_condition(status.conditions, "FailoverPossible")) {
    if (possible->status != api::ConditionStatus::kUnknown)
      input.failover_possible = possible->status == api::ConditionStatus::kTrue;
    input.why = possible->message;
  }
  input.reports = reports;
  const auto next = next_drill(input);
  if (!next) return std::nullopt;
  api::DrillStatus to;
  to.request = unless_empty(next->request);
  to.requested_at = next->requested_at;
  to.outcome = std::string(to_string(next->outcome));
  to.finished_at = unless_empty(next->finished_at);
  if (next->arrival) to.arrival_milliseconds = next->arrival->count();
  to.message = unless_empty(next->message);
  return to;
}

}  // namespace twinspan::controllers
