#include "controllers/failover/failover_rules.hpp"

#include <nlohmann/json.hpp>

namespace twinspan::controllers {

using std::chrono::seconds;

Mode mode_of(api::FailoverMode mode) {
  switch (mode) {
    case api::FailoverMode::kAutomatic: return Mode::kAutomatic;
    case api::FailoverMode::kManual: return Mode::kManual;
    case api::FailoverMode::kDryRun: break;
  }
  return Mode::kDryRun;
}

FailbackMode failback_of(api::FailbackMode mode) {
  switch (mode) {
    case api::FailbackMode::kAutomatic: return FailbackMode::kAutomatic;
    case api::FailbackMode::kManual: return FailbackMode::kManual;
    case api::FailbackMode::kNever: break;
  }
  return FailbackMode::kNever;
}

FailoverRules rules_of(const api::ReplicationLink& link, const api::FailoverPolicy* policy) {
  FailoverRules rules;
  const api::Durability& durability = link.spec.postgres.durability;
  rules.durability = {durability.mode == api::DurabilityMode::kSync, static_cast<int>(durability.replicas)};
  if (!policy) return rules;
  const api::PolicySpec& spec = policy->spec;
  rules.mode = mode_of(spec.mode);
  rules.desired_primary = spec.desired_primary;
  rules.unreachable = seconds(spec.triggers.unreachable_seconds);
  rules.consecutive_failures = static_cast<int>(spec.triggers.consecutive_failures);
  rules.max_lag_bytes = static_cast<uint64_t>(spec.candidates.max_lag_bytes);
  rules.prefer = spec.candidates.prefer;
  rules.promotion_timeout = seconds(spec.promotion.timeout_seconds);
  rules.lease.duration = seconds(spec.lease.duration_seconds);
  rules.lease.renew = seconds(spec.lease.renew_seconds);
  rules.failback = failback_of(spec.failback.mode);
  rules.failback_stable = seconds(spec.failback.stable_seconds);
  return rules;
}

std::optional<Assignment> assignment_of(const api::LinkStatus& status) {
  if (!status.assignment) return std::nullopt;
  const api::AssignmentStatus& from = *status.assignment;
  return Assignment{Epoch{from.epoch}, from.primary, from.previous, parse_cause(from.cause).value_or(Cause::kInitial)};
}

Json to_json(const Assignment& assignment) {
  return {{"epoch", assignment.epoch.value},
          {"primary", assignment.primary},
          {"previous", assignment.previous},
          {"cause", std::string(to_string(assignment.cause))}};
}

std::optional<Transition> transition_of(const api::PolicyStatus& status) {
  if (!status.current) return std::nullopt;
  const api::FailoverStep& from = *status.current;
  Transition transition;
  transition.step = parse_step(from.step).value_or(Step::kElecting);
  transition.epoch = Epoch{from.epoch};
  transition.from = from.from;
  transition.to = from.to.value_or("");
  transition.cause = parse_cause(from.cause).value_or(Cause::kLeaseExpired);
  transition.excluded = from.excluded;
  if (from.lost_bytes) transition.lost_bytes = static_cast<uint64_t>(*from.lost_bytes);
  return transition;
}

}  // namespace twinspan::controllers
