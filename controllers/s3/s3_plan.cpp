#include "controllers/s3/s3_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/plan_builder.hpp"
#include "controllers/s3/s3_render.hpp"

namespace twinspan::controllers {
namespace {

class S3Planner : PlanBuilder {
 public:
  S3Planner(const S3Seen& seen, const RenderConfig& config)
      : PlanBuilder(seen.common), s3_(seen), set_(seen.set), worker_(seen.workers().front()), config_(config) {}

  LinkPlan deletion() {
    if (!has_finalizer()) return std::move(plan_);
    remove(kube::kStatefulSets, set_, s3_set_name(name()));
    bool running = false;
    for (size_t i = 0; i < s3_.workers().size(); ++i) {
      const auto& pod = s3_.workers()[i].pod;
      if (!set_) remove(kube::kPods, pod, s3_.pod_of(i));  // left behind by its set
      running = running || (pod && pod->link == name());
    }
    if (set_ || running) {
      wait("Terminating", "the workers are stopping; Secrets and the lease go after them, buckets stay as they are");
      return std::move(plan_);
    }
    remove(kube::kSecrets, worker_.tls, tls_secret_name(name(), kS3Member));
    for (size_t i = 0; i < s3_.leases.size(); ++i) remove(kube::kLeases, s3_.leases[i], s3_.pod_of(i));
    remove_common();
    if (plan_.steps.empty()) drop_finalizer();
    return std::move(plan_);
  }

  LinkPlan upkeep() {
    if (link_.spec.paused) return std::move(plan_);  // the worker reads it for itself
    if (!has_finalizer()) {
      add_finalizer();
      return std::move(plan_);
    }
    if (name_taken()) return std::move(plan_);
    keep(kube::kServiceAccounts, seen_.account, render_account(link_));
    keep(kube::kRoles, seen_.role, render_s3_role(link_, shares_with_leases()));
    keep(kube::kRoleBindings, seen_.binding, render_binding(link_));
    keep(kube::kPodDisruptionBudgets, seen_.budget, render_s3_budget(link_));
    leases();
    if (authority()) certificates(worker_);
    workers();
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

  // One that nobody wants any more goes when nobody can hold it: its pod is gone, and it was released or has run out
  // by our own clock. Whoever loses it otherwise would go on for a while.
  void leases() {
    for (size_t i = 0; i < std::max(shares(), s3_.leases.size()); ++i) {
      const auto lease = i < s3_.leases.size() ? s3_.leases[i] : nullptr;
      if (i < shares()) {
        if (!lease) step(Create{kube::kLeases, render_lease(link_, s3_.pod_of(i))});
        continue;
      }
      const bool pod = i < s3_.workers().size() && s3_.workers()[i].pod;
      if (!lease || pod) continue;
      const auto unchanged = std::chrono::duration_cast<std::chrono::milliseconds>(s3_.boot_now - lease->seen_at);
      if (!lease->record.held() || unchanged > lease->duration) {
        remove(kube::kLeases, lease, s3_.pod_of(i));
      } else {
        check_at(seen_.now + lease->duration - unchanged + std::chrono::seconds(1));
      }
    }
  }

  // "a-b" and the PostgreSQL link "a" with an endpoint "b-s3" want pods of one name: whoever came first keeps it.
  bool name_taken() {
    const auto other = [&](const auto& object) {
      return object && (object->link != name() || object->endpoint != kS3Member);
    };
    for (size_t i = s3_.workers().size(); i-- > 0;)
      if (other(s3_.workers()[i].pod)) plan_.taken = "Pod " + s3_.pod_of(i);
    if (other(worker_.tls)) plan_.taken = "Secret " + tls_secret_name(name(), kS3Member);
    if (other(set_)) plan_.taken = "StatefulSet " + s3_set_name(name());
    plan_.taken_field = "metadata.name";
    return plan_.taken.has_value();
  }

  void workers() {
    if (!seen_.ca) return wait("Preparing", "certificates are being issued");
    const std::string set = s3_set_name(name());
    if (set_ && set_->terminating)
      return wait("WorkersStopping", fmt::format("StatefulSet {} is being deleted and will be made anew", set));
    Json wanted = render_s3_set(link_, config_);
    const std::string& hash = wanted["metadata"]["annotations"][std::string(kHashAnnotation)].get_ref<std::string&>();
    if (!set_) {
      step(Apply{kube::kStatefulSets, std::move(wanted), true}, "WorkersCreated", "StatefulSet " + set);
      return wait("WorkersStarting", fmt::format("StatefulSet {} is being created", set));
    }
    if (set_->hash != hash || set_->replicas != link_.spec.s3.workers) {
      const std::string message = fmt::format("StatefulSet {} is brought up to date", set);
      step(Apply{kube::kStatefulSets, std::move(wanted)}, "WorkersUpdated", message);
      return wait("RollingOut", message);
    }
    if (!set_->observed || set_->updated_replicas < set_->replicas)
      return wait("RollingOut", fmt::format("{} of {} pods of StatefulSet {} are up to date", set_->updated_replicas,
                                            set_->replicas, set));
  }

  const S3Seen& s3_;
  const std::shared_ptr<const StatefulSet>& set_;
  const EndpointSeen& worker_;
  const RenderConfig& config_;
};

}  // namespace

LinkPlan plan_s3(const S3Seen& seen, const RenderConfig& config) {
  S3Planner planner(seen, config);
  return seen.link().metadata.deleting() ? planner.deletion() : planner.upkeep();
}

}  // namespace twinspan::controllers
