#include "controllers/postgres/story.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/conditions.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "controllers/policy/chronicle.hpp"

namespace twinspan::controllers {
namespace {

std::string bytes_for_people(int64_t bytes) {
  if (bytes >= 10 << 20) return fmt::format("{} MiB", bytes >> 20);
  if (bytes >= 10 << 10) return fmt::format("{} KiB", bytes >> 10);
  return fmt::format("{} B", bytes);
}

api::Condition condition(std::string type, bool holds, std::string reason, std::string message) {
  api::Condition made;
  made.type = std::move(type);
  made.status = holds ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse;
  made.reason = std::move(reason);
  made.message = std::move(message);
  return made;
}

// The step that is about to be carried out, with the times reached so far.
api::FailoverStep step_of(const Transition& transition, const std::optional<api::FailoverStep>& before,
                          const FailoverSeen& seen, const Decision& decision, WallTime detected,
                          const std::string& now) {
  api::FailoverStep step = step_named(to_string(transition.step), transition.epoch.value, before, now);
  step.from = transition.from;
  step.to = transition.to.empty() ? std::nullopt : std::optional(transition.to);
  step.cause = std::string(to_string(transition.cause));
  step.message = decision.message;
  step.excluded = transition.excluded;
  step.attempts = std::max(step.attempts, static_cast<int64_t>(transition.excluded.size()));
  step.lost_bytes = transition.lost_bytes ? std::optional(static_cast<int64_t>(*transition.lost_bytes)) : std::nullopt;
  if (!step.detected_at) step.detected_at = to_rfc3339_micro(std::min(detected, parse_rfc3339(now).value_or(detected)));
  const LeaseRecord& lease = *seen.lease;
  const bool new_holder = lease.held() && lease.epoch >= transition.epoch;
  keep(step.confirmed_at, true, now);
  keep(step.fenced_at, !lease.held() || new_holder, now);
  keep(step.elected_at, !transition.to.empty(), now);
  keep(step.promoted_at, new_holder && lease.promoted, now);
  return step;
}

void finish(api::PolicyStatus& status, const api::FailoverStep& done, const Decision& decision,
            const std::string& primary, const std::string& now) {
  api::FailoverRecord record = record_of(done, primary, *decision.ended, decision.message, now);
  record.lost_bytes = done.lost_bytes;
  if (done.cause == to_string(Cause::kSwitchover) || primary == done.from) record.lost_bytes = 0;
  if (done.cause == to_string(Cause::kRestore)) record.lost_bytes.reset();  // what a person gave up is no loss
  auto lost = record.lost_bytes ? std::optional(bytes_for_people(*record.lost_bytes)) : std::nullopt;
  remember(status, std::move(record), std::move(lost));
}

std::string sight_of_primary(const FailoverSeen& seen, const std::string& primary) {
  for (const MemberSeen& one : seen.members) {
    if (one.name != primary) continue;
    if (!one.report || !one.fresh) return one.failures > 0 ? "Unreachable" : "Unknown";
    return one.report->sql_healthy == false ? "Failing" : "Reachable";
  }
  return "Unknown";
}

bool has_primary(const FailoverSeen& seen) { return seen.lease && seen.lease->held() && seen.lease->promoted; }

void set_conditions(const api::FailoverPolicy& policy, const FailoverSeen& seen, const Decision& decision,
                    const RoutingSeen& routing, WallTime now, api::PolicyStatus& status) {
  const int64_t generation = policy.metadata.generation;
  const bool primary_there = has_primary(seen);
  const std::string primary = primary_there ? seen.lease->holder_endpoint : "";
  const bool changing = status.current.has_value();
  const bool steady = primary_there && !changing && !decision.assign;
  auto& conditions = status.conditions;
  const auto set = [&](api::Condition wanted) { api::set_condition(conditions, std::move(wanted), generation, now); };
  const bool routed = routing.services.empty() || (routing.routing == Routing::kTo && routing.routed_to == primary);
  const std::string others = foreign_services(policy, routing.foreign);
  if (steady && routed && !others.empty())
    set(condition("Ready", false, kForeignObject, others));
  else if (steady && routed)
    set(condition("Ready", true, "Steady", fmt::format("{} is primary; Services point at it", primary)));
  else
    set(condition("Ready", false,
                  decision.reason == LogReason::kNone ? "Changing" : std::string(to_string(decision.reason)),
                  decision.message));
  set(condition("PrimaryHealthy", primary_there && !changing,
                primary_there && !changing ? "Reachable" : std::string(to_string(decision.reason)),
                primary_there && !changing
                    ? fmt::format("{} holds the lease of epoch {}", primary, seen.lease->epoch.value)
                    : decision.message));
  if (steady) {
    set(condition("FailoverPossible", decision.possible, std::string(to_string(decision.reason)), decision.message));
  } else {
    api::Condition unknown =
        condition("FailoverPossible", false, "PrimaryChanging", "known once the primary is settled");
    unknown.status = api::ConditionStatus::kUnknown;
    set(std::move(unknown));
  }
  // Reconciling is there only while something moves, as kstatus reads it.
  if (changing || decision.assign)
    set(condition("Reconciling", true, status.current ? status.current->step : std::string(to_string(decision.reason)),
                  decision.message));
  else
    api::remove_condition(conditions, "Reconciling");
  if (!others.empty())
    set(condition("Stalled", true, kForeignObject, others));
  else if (decision.needs_person)
    set(condition("Stalled", true, std::string(to_string(decision.reason)), decision.message));
  else
    api::remove_condition(conditions, "Stalled");
}

}  // namespace

api::PolicyStatus next_status(const api::FailoverPolicy& policy, const FailoverSeen& seen, const Decision& decision,
                              const RoutingSeen& routing, WallTime detected, WallTime now_time) {
  const std::string now = to_rfc3339_micro(now_time);
  api::PolicyStatus status = policy.status;
  status.observed_generation = policy.metadata.generation;
  status.services = routing.services;

  const bool primary_there = has_primary(seen);
  const std::string primary = primary_there ? seen.lease->holder_endpoint : "";
  status.primary = primary;
  if (seen.lease) status.epoch = seen.lease->epoch.value;
  if (decision.ended && status.current) {
    finish(status, *status.current, decision, primary, now);
    status.current.reset();
  } else if (decision.current) {
    status.current = step_of(*decision.current, status.current, seen, decision, detected, now);
  } else {
    status.current.reset();
  }
  const std::string& desired = policy.spec.desired_primary;
  if (desired.empty() || (status.desired_reached && *status.desired_reached != desired)) status.desired_reached.reset();
  if (!desired.empty() && desired == primary && !status.current) status.desired_reached = desired;

  const bool changing = status.current.has_value();
  const bool steady = primary_there && !changing && !decision.assign;
  status.possible = steady ? (decision.possible ? "True" : "False") : "Unknown";
  if (seen.lease && seen.lease->held()) {
    observe(status, "operator", sight_of_primary(seen, seen.lease->holder_endpoint), now);
    observe(status, "lease", seen.lease_may_be_taken ? "Unreachable" : "Reachable", now);
  }

  set_conditions(policy, seen, decision, routing, now_time, status);
  return status;
}

std::vector<Told> postgres_events_of(const api::PolicyStatus& before, const api::PolicyStatus& after) {
  std::vector<Told> told = events_of(before, after);
  const api::Condition* ready = api::find_condition(after.conditions, "Ready");
  const api::Condition* was_ready = api::find_condition(before.conditions, "Ready");
  const bool blocked = after.current && after.current->step == to_string(Step::kElecting) && ready &&
                       ready->reason != to_string(LogReason::kStoppingReceivers);
  if (blocked && (!was_ready || was_ready->reason != ready->reason))
    told.push_back({true, "FailoverBlocked", fmt::format("{}: {}", ready->reason, ready->message)});
  return told;
}

}  // namespace twinspan::controllers
