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
      : PlanBuilder(seen.common), set_(seen.set), worker_(seen.worker()), config_(config) {}

  LinkPlan deletion() {
    if (!has_finalizer()) return std::move(plan_);
    remove(kube::kStatefulSets, set_, s3_set_name(name()));
    if (!set_) remove(kube::kPods, worker_.pod, pod_name(name(), kS3Member));  // left behind by its set
    if (set_ || (worker_.pod && worker_.pod->link == name())) {
      wait("Terminating", "the workers are stopping; Secrets and the lease go after them, buckets stay as they are");
      return std::move(plan_);
    }
    remove(kube::kSecrets, worker_.tls, tls_secret_name(name(), kS3Member));
    remove(kube::kLeases, seen_.lease, s3_lease_name(name(), 0));
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
    keep(kube::kRoles, seen_.role, render_s3_role(link_));
    keep(kube::kRoleBindings, seen_.binding, render_binding(link_));
    keep(kube::kPodDisruptionBudgets, seen_.budget, render_s3_budget(link_));
    const std::string lease = s3_lease_name(name(), 0);
    if (!seen_.lease) step(Create{kube::kLeases, render_lease(link_, lease)});
    if (authority()) certificates(worker_);
    workers();
    return std::move(plan_);
  }

 private:
  // "a-b" and the PostgreSQL link "a" with an endpoint "b-s3" want pods of one name: whoever came first keeps it.
  bool name_taken() {
    const auto other = [&](const auto& object) {
      return object && (object->link != name() || object->endpoint != kS3Member);
    };
    if (other(worker_.pod)) plan_.taken = "Pod " + pod_name(name(), kS3Member);
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
