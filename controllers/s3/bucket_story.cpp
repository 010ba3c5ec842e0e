#include "controllers/s3/bucket_story.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/conditions.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "controllers/policy/chronicle.hpp"
#include "controllers/policy/policy_rules.hpp"
#include "controllers/s3/bucket_words.hpp"
#include "failover/flow/drill.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::seconds;

const PlaceSeen* bucket(const FlowSeen& seen, const std::string& name) {
  const auto found =
      std::find_if(seen.places.begin(), seen.places.end(), [&](const PlaceSeen& one) { return one.name == name; });
  return found == seen.places.end() ? nullptr : &*found;
}

std::optional<int64_t> count(std::optional<uint64_t> keys) {
  return keys ? std::optional(static_cast<int64_t>(*keys)) : std::nullopt;
}

api::FailoverStep step_of(const FlowMove& move, const std::optional<api::FailoverStep>& before, const FlowSeen& seen,
                          const FlowDecision& decision, WallTime now_time) {
  const std::string now = to_rfc3339_micro(now_time);
  api::FailoverStep step = step_named(to_string(move.step), move.epoch.value, before, now);
  step.from = move.from;
  step.to = move.to;
  step.cause = std::string(to_string(move.cause));
  step.message = decision.message;
  step.missing_keys = count(move.missing);
  step.listed_at = move.listed_at.empty() ? std::nullopt : std::optional(move.listed_at);
  if (!step.detected_at) {
    const PlaceSeen* from = bucket(seen, move.from);
    const bool silent = move.cause != Cause::kSwitchover && from && from->reach == Reach::kUnreachable;
    step.detected_at = to_rfc3339_micro(silent ? now_time - from->reach_for : now_time);
  }
  keep(step.confirmed_at, true, now);
  keep(step.elected_at, true, now);
  const bool turned = move.step == FlowStep::kRerouting && move.to != move.from;
  keep(step.fenced_at, turned, now);
  keep(step.promoted_at, turned, now);
  return step;
}

std::string keys_for_people(int64_t keys) { return keys == 1 ? "1 key" : fmt::format("{} keys", keys); }

void finish(api::PolicyStatus& status, const api::FailoverStep& done, const FlowDecision& decision, WallTime now) {
  api::FailoverRecord record =
      record_of(done, done.to.value_or(""), *decision.ended, decision.message, to_rfc3339_micro(now));
  record.missing_keys = record.to == record.from ? std::optional<int64_t>(0) : done.missing_keys;
  record.listed_at = done.listed_at;
  auto lost = record.missing_keys ? std::optional(keys_for_people(*record.missing_keys)) : std::nullopt;
  remember(status, std::move(record), std::move(lost));
}

api::ConditionStatus truth(std::optional<bool> holds) {
  if (!holds) return api::ConditionStatus::kUnknown;
  return *holds ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse;
}

// Whom everything is copied from; empty: nobody was assigned yet.
std::string primary_of(const FlowSeen& seen) { return seen.assignment ? seen.assignment->primary : ""; }

void set_conditions(const api::FailoverPolicy& policy, const FlowSeen& seen, const FlowDecision& decision,
                    const BucketRoutingSeen& routing, WallTime now, api::PolicyStatus& status) {
  const int64_t generation = policy.metadata.generation;
  const std::string primary = primary_of(seen);
  const bool changing = status.current.has_value();
  const PlaceSeen* here = bucket(seen, primary);
  const Reach reach = here ? here->reach : Reach::kUnknown;
  const bool routed = !seen.routes || (seen.routing == Routing::kTo && seen.routed_to == primary);
  const bool healthy = reach == Reach::kReachable;
  const bool steady = !changing && !decision.assign && seen.assignment;
  const std::optional<bool> possible = steady ? decision.possible : std::nullopt;
  status.possible = possible ? (*possible ? "True" : "False") : "Unknown";
  observe(status, "worker", std::string(to_string(reach)), to_rfc3339(now));

  const auto set = [&](std::string type, std::optional<bool> holds, std::string reason, std::string message) {
    api::Condition wanted;
    wanted.type = std::move(type);
    wanted.status = truth(holds);
    wanted.reason = reason.empty() ? "Changing" : std::move(reason);
    wanted.message = std::move(message);
    api::set_condition(status.conditions, std::move(wanted), generation, now);
  };
  const std::string others = foreign_services(policy, routing.foreign);
  if (steady && routed && healthy && !others.empty())
    set("Ready", false, kForeignObject, others);
  else if (steady && routed && healthy)
    set("Ready", true, "Steady", fmt::format("{} is primary{}", primary, seen.routes ? "; clients are told so" : ""));
  else
    set("Ready", false, std::string(to_string(steady && healthy ? FlowReason::kRerouting : decision.reason)),
        decision.message);
  if (here)
    set("PrimaryHealthy", reach == Reach::kUnknown ? std::nullopt : std::optional(healthy),
        std::string(to_string(reach)),
        healthy                    ? fmt::format("{} answers", primary)
        : reach == Reach::kUnknown ? fmt::format("no worker says whether {} answers", primary)
                                   : fmt::format("{}: {}", primary, here->message));
  if (steady)
    set("FailoverPossible", possible, std::string(to_string(decision.reason)), decision.message);
  else
    set("FailoverPossible", std::nullopt, "PrimaryChanging", "known once the primary is settled");
  if (changing || decision.assign)
    set("Reconciling", true, status.current ? status.current->step : std::string(to_string(decision.reason)),
        decision.message);
  else
    api::remove_condition(status.conditions, "Reconciling");
  if (decision.reason == FlowReason::kPrimaryRefuses || decision.reason == FlowReason::kPrimaryNotInLink ||
      seen.undecided())
    set("Stalled", true, std::string(to_string(decision.reason)), decision.message);
  else if (!others.empty())
    set("Stalled", true, kForeignObject, others);
  else
    api::remove_condition(status.conditions, "Stalled");
}

}  // namespace

FlowRules bucket_rules_of(const api::FailoverPolicy& policy) {
  const api::PolicySpec& spec = policy.spec;
  FlowRules rules;
  rules.mode = mode_of(spec.mode);
  rules.desired_primary = spec.desired_primary;
  rules.unreachable = seconds(spec.triggers.unreachable_seconds);
  rules.consecutive_failures = static_cast<int>(spec.triggers.consecutive_failures);
  if (spec.candidates.max_missing_keys) rules.max_missing = static_cast<uint64_t>(*spec.candidates.max_missing_keys);
  rules.prefer = spec.candidates.prefer;
  rules.promotion_timeout = seconds(spec.promotion.timeout_seconds);
  rules.failback = failback_of(spec.failback.mode);
  rules.failback_stable = seconds(spec.failback.stable_seconds);
  return rules;
}

Result<std::optional<FlowMove>> bucket_move_of(const api::PolicyStatus& status) {
  auto move = move_of<FlowMove>(status, parse_flow_step, "Withdrawing, Draining, Stopping or Rerouting",
                                "a cause such as PrimaryUnreachable");
  if (!move || !*move) return move;
  if (const auto& missing = status.current->missing_keys) (*move)->missing = static_cast<uint64_t>(*missing);
  (*move)->listed_at = status.current->listed_at.value_or("");
  return move;
}

api::PolicyStatus next_bucket_status(const api::FailoverPolicy& policy, const FlowSeen& seen,
                                     const FlowDecision& decision, const BucketRoutingSeen& routing, WallTime now) {
  api::PolicyStatus status = policy.status;
  status.observed_generation = policy.metadata.generation;
  status.services = routing.services;
  status.config_maps = routing.config_maps;
  if (decision.ended && status.current) {
    finish(status, *status.current, decision, now);
    status.current.reset();
  } else if (decision.current) {
    status.current = step_of(*decision.current, status.current, seen, decision, now);
  } else {
    status.current.reset();
  }
  // While clients are withdrawn nobody is primary for them; the direction of the copies is status.assignment's of the
  // link.
  const std::string primary = primary_of(seen);
  const bool changing = status.current.has_value();
  status.primary = changing ? "" : primary;
  status.epoch = seen.assignment ? seen.assignment->epoch.value : 0;
  const std::string& desired = policy.spec.desired_primary;
  if (desired.empty() || (status.desired_reached && *status.desired_reached != desired)) status.desired_reached.reset();
  if (!desired.empty() && desired == primary && !changing) status.desired_reached = desired;

  set_conditions(policy, seen, decision, routing, now, status);
  return status;
}

std::vector<Told> bucket_events_of(const api::PolicyStatus& before, const api::PolicyStatus& after) {
  std::vector<Told> told = events_of(before, after);
  const bool begun = after.current && (!before.current || before.current->epoch != after.current->epoch);
  if (begun && after.current->cause != to_string(Cause::kSwitchover) && after.current->missing_keys.value_or(1) > 0)
    told.push_back({true, "KeysMissing",
                    missing_for_people(kBucketWords, after.current->missing_keys, after.current->listed_at.value_or(""),
                                       after.current->from, after.current->to.value_or(""))});
  if (after.drill && before.drill != after.drill && after.drill->outcome != to_string(DrillOutcome::kRunning))
    told.push_back({after.drill->outcome != to_string(DrillOutcome::kPassed), "Drill" + after.drill->outcome,
                    after.drill->message.value_or("")});
  const api::Condition* is = api::find_condition(after.conditions, "Ready");
  const api::Condition* was = api::find_condition(before.conditions, "Ready");
  const bool news = is && (!was || was->reason != is->reason);
  for (const FlowReason reason :
       {FlowReason::kNoCandidate, FlowReason::kCandidateUnknown, FlowReason::kCandidateUnreachable,
        FlowReason::kCandidateRefuses, FlowReason::kCandidateNotWritable, FlowReason::kCandidateNeverComplete,
        FlowReason::kMissingUnknown, FlowReason::kTooMuchMissing, FlowReason::kManualMode, FlowReason::kDryRun,
        FlowReason::kPrimaryRefuses, FlowReason::kRecordsUnread, FlowReason::kRecordUnreadable,
        FlowReason::kRecordsContradict, FlowReason::kPrimaryUnclear, FlowReason::kTakenOver})
    if (news && is->status == api::ConditionStatus::kFalse && is->reason == to_string(reason))
      told.push_back({true, is->reason, is->message});
  const api::Condition* possible = api::find_condition(after.conditions, "FailoverPossible");
  const api::Condition* was_possible = api::find_condition(before.conditions, "FailoverPossible");
  if (possible && possible->reason == to_string(FlowReason::kSwitchoverRefused) &&
      (!was_possible || was_possible->message != possible->message))
    told.push_back({true, possible->reason, possible->message});
  return told;
}

}  // namespace twinspan::controllers
