#include "controllers/kafka/kafka_plan.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/kafka/kafka_render.hpp"
#include "controllers/link/render_set.hpp"
#include "controllers/link/set_planner.hpp"

namespace twinspan::controllers {
namespace {

class KafkaPlanner : SetPlanner {
 public:
  KafkaPlanner(const KafkaSeen& seen, const RenderConfig& config)
      : SetPlanner(seen.common, seen.set, config), kafka_(seen) {}

  // Owner references do the rest.
  LinkPlan deletion() {
    drop_finalizer();
    return std::move(plan_);
  }

  LinkPlan upkeep() {
    drop_finalizer();
    if (link_.spec.paused) return std::move(plan_);  // the worker reads it for itself
    if (kafka_.place_taken) {                        // whatever runs ends; the other link may go or change at any time
      remove(kube::kStatefulSets, set_, kafka_set_name(name()));
      check_at(seen_.now + std::chrono::seconds(10));
      return std::move(plan_);
    }
    const bool account = keep(kube::kServiceAccounts, seen_.account, render_account(link_));
    const bool role = keep(kube::kRoles, seen_.role, render_kafka_role(link_));
    const bool binding = keep(kube::kRoleBindings, seen_.binding, render_binding(link_));
    keep(kube::kPodDisruptionBudgets, seen_.budget, render_set_budget(link_));
    if (config_.network)
      keep(kube::kNetworkPolicies, seen_.network_policy, render_kafka_network_policy(link_, *config_.network));
    if (authority()) certificates(kafka_.worker());
    if (account && role && binding) worker();
    return std::move(plan_);
  }

 private:
  void worker() {
    if (!has_certificates(std::string(kKafkaMember))) return;
    // "a-b" and the PostgreSQL link "a" with an endpoint "b-kafka" want a pod of one name: whoever came first keeps it.
    const auto& pod = kafka_.worker().pod;
    if (!pod && standing(kube::kPods, pod, {{"metadata", {{"name", kafka_.pod()}}}}) == Standing::kForeign) return;
    keep_set(render_kafka_set(link_, config_));
  }

  const KafkaSeen& kafka_;
};

}  // namespace

RollState kafka_roll_state(const KafkaSeen& seen, const RenderConfig& config) {
  const bool at_rest = seen.link().spec.paused || seen.link().metadata.deleting() || seen.place_taken || !seen.set;
  return set_roll_state(at_rest ? nullptr : seen.set, at_rest ? Json() : render_kafka_set(seen.link(), config), config);
}

LinkPlan plan_kafka(const KafkaSeen& seen, const RenderConfig& config) {
  KafkaPlanner planner(seen, config);
  return seen.link().metadata.deleting() ? planner.deletion() : planner.upkeep();
}

}  // namespace twinspan::controllers
