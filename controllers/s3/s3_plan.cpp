#include "controllers/s3/s3_plan.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/render_set.hpp"
#include "controllers/link/set_planner.hpp"
#include "controllers/s3/s3_render.hpp"
#include "kube/lease.hpp"

namespace twinspan::controllers {
namespace {

class S3Planner : SetPlanner {
 public:
  S3Planner(const S3Seen& seen, const RenderConfig& config)
      : SetPlanner(seen.common, seen.set, config), s3_(seen), worker_(seen.workers().front()) {}

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
    keep(kube::kPodDisruptionBudgets, seen_.budget, render_set_budget(link_));
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
    if (!has_certificates(std::string(kS3Member))) return;
    // "a-b" and the PostgreSQL link "a" with an endpoint "b-s3" want pods of one name: whoever came first keeps it.
    for (size_t i = 0; i < s3_.workers().size(); ++i)
      if (!s3_.workers()[i].pod &&
          standing(kube::kPods, s3_.workers()[i].pod, {{"metadata", {{"name", s3_.pod_of(i)}}}}) == Standing::kForeign)
        return;
    keep_set(render_s3_set(link_, config_));
  }

  const S3Seen& s3_;
  const EndpointSeen& worker_;
};

}  // namespace

RollState s3_roll_state(const S3Seen& seen, const RenderConfig& config) {
  const bool at_rest = seen.link().spec.paused || seen.link().metadata.deleting() || seen.place_taken || !seen.set;
  return set_roll_state(at_rest ? nullptr : seen.set, at_rest ? Json() : render_s3_set(seen.link(), config), config);
}

LinkPlan plan_s3(const S3Seen& seen, const RenderConfig& config) {
  S3Planner planner(seen, config);
  return seen.link().metadata.deleting() ? planner.deletion() : planner.upkeep();
}

}  // namespace twinspan::controllers
