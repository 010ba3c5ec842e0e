#include "controllers/postgres/failover_rules.hpp"

#include <algorithm>

#include "controllers/policy/policy_rules.hpp"

namespace twinspan::controllers {

using std::chrono::seconds;

namespace {

bool is_ephemeral(const api::LinkSpec& spec, const std::string& endpoint) {
  const auto ephemeral = [&](const api::Endpoint& one) {
    return one.name == endpoint && one.postgres && one.postgres->managed && one.postgres->managed->storage.ephemeral;
  };
  return ephemeral(spec.source) || std::any_of(spec.targets.begin(), spec.targets.end(), ephemeral);
}

}  // namespace

bool surely_empty(const api::ReplicationLink& link, const std::string& endpoint, const Lease& lease, const Claim* claim,
                  const Pod* pod) {
  if (lease.record.epoch > Epoch{0} || lease.record.held() || !lease.created) return false;
  if (claim) return claim->made_for == link.metadata.uid && claim->created && *claim->created >= *lease.created;
  return is_ephemeral(link.spec, endpoint) && pod && pod->created && *pod->created >= *lease.created;
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

Result<std::optional<Transition>> transition_of(const api::PolicyStatus& status) {
  auto transition = move_of<Transition>(status, parse_step, "Steady, Fencing, Electing, Promoting or Rerouting",
                                        "a cause such as LeaseExpired");
  if (!transition || !*transition) return transition;
  (*transition)->excluded = status.current->excluded;
  if (const auto& lost = status.current->lost_bytes) (*transition)->lost_bytes = static_cast<uint64_t>(*lost);
  return transition;
}

}  // namespace twinspan::controllers
