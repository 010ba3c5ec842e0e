#include "controllers/link/set_planner.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

std::string hash_of(const Json& wanted) {
  return text_of(member_of(member_of(wanted, "metadata"), "annotations"), kHashAnnotation);
}

bool is_old(const std::shared_ptr<const StatefulSet>& set, const std::string& hash, const RenderConfig& config) {
  return set && !set->terminating && set->origin != config.origin && set->hash != hash;
}

}  // namespace

bool SetPlanner::has_certificates(const std::string& member) {
  if (is_foreign(kube::kSecrets, ca_secret_name(name())) || is_foreign(kube::kSecrets, tls_secret_name(name(), member)))
    return false;
  if (!seen_.ca) wait(WaitFor::kCertificates, "certificates are being issued");
  return seen_.ca != nullptr;
}

void SetPlanner::keep_set(Json wanted) {
  const std::string set = text_of(member_of(wanted, "metadata"), "name"), hash = hash_of(wanted);
  const int64_t replicas = integer_of(member_of(wanted, "spec"), "replicas");
  if (set_ && set_->terminating)
    return wait(WaitFor::kWorkersStop, fmt::format("StatefulSet {} is being deleted and will be made anew", set));
  if (!set_ && standing(kube::kStatefulSets, set_, wanted) == Standing::kForeign) return;
  if (!set_) {
    step(Apply{kube::kStatefulSets, std::move(wanted), nullptr}, "WorkersCreated", "StatefulSet " + set);
    return wait(WaitFor::kWorkersStart, fmt::format("StatefulSet {} is being created", set));
  }
  if (!seen_.turn.now && is_old(set_, hash, config_) && set_->replicas == replicas) {
    check_at(seen_.now + seen_.turn.look_again);
    return wait(WaitFor::kTurn, fmt::format("StatefulSet {} is as another version of Twinspan made it; it is brought "
                                            "up to date later: {}",
                                            set, seen_.turn.waits_for));
  }
  if (set_->hash != hash || set_->replicas != replicas || whose(*set_, claimant_) == Whose::kPredecessors) {
    const std::string message = fmt::format("StatefulSet {} is brought up to date", set);
    step(Apply{kube::kStatefulSets, std::move(wanted), set_}, "WorkersUpdated", message);
    return wait(WaitFor::kRollOut, message);
  }
  if (!set_->observed || set_->updated_replicas < set_->replicas)
    return wait(WaitFor::kRollOut, fmt::format("{} of {} pods of StatefulSet {} are up to date", set_->updated_replicas,
                                               set_->replicas, set));
}

RollState set_roll_state(const std::shared_ptr<const StatefulSet>& set, const Json& wanted,
                         const RenderConfig& config) {
  RollState state;
  state.whole = true;
  if (!set) return state;
  state.whole = set->observed && set->updated_replicas >= set->replicas && set->ready_replicas >= set->replicas;
  state.old_left = is_old(set, hash_of(wanted), config);
  state.can_go_on = state.old_left;
  return state;
}

}  // namespace twinspan::controllers
