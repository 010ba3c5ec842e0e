#include "controllers/s3/s3_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/plan_builder.hpp"
#include "controllers/s3/s3_render.hpp"
#include "kube/lease.hpp"

namespace twinspan::controllers {
namespace {

bool is_old(const std::shared_ptr<const StatefulSet>& set, const std::string& hash, const RenderConfig& config) {
  return set && !set->terminating && set->origin != config.origin && set->hash != hash;
}

class S3Planner : PlanBuilder {
 public:
  S3Planner(const S3Seen& seen, const RenderConfig& config)
      : PlanBuilder(seen.common), s3_(seen), set_(seen.set), worker_(seen.workers().front()), config_(config) {}

  // Owner references do the rest.
  LinkPlan deletion() {
    drop_finalizer();
    return std::move(plan_);
  }

  LinkPlan upkeep() {
    drop_finalizer();
    if (link_.spec.paused) return std::move(plan_);  // the worker reads it for itself
    if (s3_.place_taken) {                           // whatever runs ends; the other link may go or change at any time
      remove(kube::kStatefulSets, set_, s3_set_name(name()));
      check_at(seen_.now + std::chrono::seconds(10));
      return std::move(plan_);
    }
    const bool account = keep(kube::kServiceAccounts, seen_.account, render_account(link_));
    const bool role = keep(kube::kRoles, seen_.role, render_s3_role(link_, shares_with_leases()));
    const bool binding = keep(kube::kRoleBindings, seen_.binding, render_binding(link_));
    keep(kube::kPodDisruptionBudgets, seen_.budget, render_s3_budget(link_));
    if (config_.network)
      keep(kube::kNetworkPolicies, seen_.network_policy, render_s3_network_policy(link_, *config_.network));
    const bool free = leases();
    if (authority()) certificates(worker_);
    if (account && role && binding && free) workers();
    return std::move(plan_);
  }

 private:
  size_t shares() const { return static_cast<size_t>(link_.spec.s3.workers); }

  // Workers that are to go release theirs first.
  size_t shares_with_leases() const {
    size_t count = shares();
    for (size_t i = count; i < s3_.leases.size(); ++i)
      if (s3_.leases[i]) count = i + 1;
    return count;
  }

  // That of a link which never ran says that nobody held it. One that is made anew, because a hand deleted it, may have
  // a holder that does not know of it: its workers wait.
  Json share_lease(size_t share) const {
    Json lease = render_lease(link_, s3_.pod_of(share));
    if (!link_.status.sync) lease["spec"]["leaseDurationSeconds"] = kube::kReleasedDuration.count();
    return lease;
  }

  // One that nobody wants any more goes when nobody can hold it: its pod is gone, and it was released or has run out
  // by our own clock. Whoever loses it otherwise would go on for a while.
  // False: one of those wanted is somebody else's, whom workers would write to.
  bool leases() {
    bool free = true;
    for (size_t i = 0; i < std::max(shares(), s3_.leases.size()); ++i) {
      const auto lease = i < s3_.leases.size() ? s3_.leases[i] : nullptr;
      if (i < shares()) {
        const Json wanted = share_lease(i);
        if (standing(kube::kLeases, lease, wanted) == Standing::kAbsent) step(Create{kube::kLeases, wanted});
        free = free && !is_foreign(kube::kLeases, s3_.pod_of(i));
        continue;
      }
      const bool pod = i < s3_.workers().size() && s3_.workers()[i].pod;
      if (!lease || pod) continue;
      const auto unchanged = std::chrono::duration_cast<std::chrono::milliseconds>(s3_.boot_now - lease->seen_at);
      const auto held_for = share_may_be_held_for(*lease);
      if (unchanged >= held_for) {
        remove(kube::kLeases, lease, s3_.pod_of(i));
      } else {
        check_at(seen_.now + held_for - unchanged + std::chrono::seconds(1));
      }
    }
    return free;
  }

  void workers() {
    if (is_foreign(kube::kSecrets, ca_secret_name(name()))) return;
    if (is_foreign(kube::kSecrets, tls_secret_name(name(), kS3Member))) return;
    if (!seen_.ca) return wait(WaitFor::kCertificates, "certificates are being issued");
    // "a-b" and the PostgreSQL link "a" with an endpoint "b-s3" want pods of one name: whoever came first keeps it.
    for (size_t i = 0; i < s3_.workers().size(); ++i)
      if (!s3_.workers()[i].pod &&
          standing(kube::kPods, s3_.workers()[i].pod, {{"metadata", {{"name", s3_.pod_of(i)}}}}) == Standing::kForeign)
        return;
    const std::string set = s3_set_name(name());
    if (set_ && set_->terminating)
      return wait(WaitFor::kWorkersStop, fmt::format("StatefulSet {} is being deleted and will be made anew", set));
    Json wanted = render_s3_set(link_, config_);
    if (!set_ && standing(kube::kStatefulSets, set_, wanted) == Standing::kForeign) return;
    const std::string& hash = wanted["metadata"]["annotations"][std::string(kHashAnnotation)].get_ref<std::string&>();
    if (!set_) {
      step(Apply{kube::kStatefulSets, std::move(wanted), nullptr}, "WorkersCreated", "StatefulSet " + set);
      return wait(WaitFor::kWorkersStart, fmt::format("StatefulSet {} is being created", set));
    }
    if (!seen_.turn.now && is_old(set_, hash, config_) && set_->replicas == link_.spec.s3.workers) {
      check_at(seen_.now + seen_.turn.look_again);
      return wait(WaitFor::kTurn,
                  fmt::format("StatefulSet {} is as another version of Twinspan made it; it is brought up to date "
                              "later: {}",
                              set, seen_.turn.waits_for));
    }
    if (set_->hash != hash || set_->replicas != link_.spec.s3.workers ||
        whose(*set_, claimant_) == Whose::kPredecessors) {
      const std::string message = fmt::format("StatefulSet {} is brought up to date", set);
      step(Apply{kube::kStatefulSets, std::move(wanted), set_}, "WorkersUpdated", message);
      return wait(WaitFor::kRollOut, message);
    }
    if (!set_->observed || set_->updated_replicas < set_->replicas)
      return wait(WaitFor::kRollOut, fmt::format("{} of {} pods of StatefulSet {} are up to date",
                                                 set_->updated_replicas, set_->replicas, set));
  }

  const S3Seen& s3_;
  const std::shared_ptr<const StatefulSet>& set_;
  const EndpointSeen& worker_;
  const RenderConfig& config_;
};

}  // namespace

RollState s3_roll_state(const S3Seen& seen, const RenderConfig& config) {
  RollState state;
  const auto& set = seen.set;
  state.whole = true;
  if (seen.link().spec.paused || seen.link().metadata.deleting() || seen.place_taken || !set) return state;
  state.whole = set->observed && set->updated_replicas >= set->replicas && set->ready_replicas >= set->replicas;
  if (set->origin == config.origin) return state;
  const Json wanted = render_s3_set(seen.link(), config);
  state.old_left = is_old(set, text_of(wanted["metadata"]["annotations"], kHashAnnotation), config);
  state.can_go_on = state.old_left;
  return state;
}

LinkPlan plan_s3(const S3Seen& seen, const RenderConfig& config) {
  S3Planner planner(seen, config);
  return seen.link().metadata.deleting() ? planner.deletion() : planner.upkeep();
}

}  // namespace twinspan::controllers
