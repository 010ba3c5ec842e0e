#include "controllers/link/link_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/quantity.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/plan_builder.hpp"
#include "controllers/link/rollout.hpp"

namespace twinspan::controllers {
namespace {

// A pod that ended for good (evicted, refused by its node) is made anew at most so often.
constexpr std::chrono::seconds kRemakeInterval{10};

class Planner : PlanBuilder {
 public:
  Planner(const LinkSeen& seen, const RenderConfig& config) : PlanBuilder(seen), config_(config) {}

  LinkPlan deletion() {
    if (!has_finalizer()) return std::move(plan_);
    if (remove_pods()) {
      wait("Terminating", "pods are stopping; volumes, Secrets and the lease go after them");
      return std::move(plan_);
    }
    remove_rest();
    if (!plan_.steps.empty()) return std::move(plan_);
    drop_finalizer();
    return std::move(plan_);
  }

  LinkPlan upkeep() {
    if (link_.spec.paused) return std::move(plan_);
    if (!has_finalizer()) {
      add_finalizer();
      return std::move(plan_);
    }
    if (name_taken()) return std::move(plan_);
    permissions();
    secrets();
    volumes();
    pods();
    roll_out();
    scale_down();
    return std::move(plan_);
  }

 private:
  bool keeps_data() const {
    const auto found = link_.metadata.annotations.find(std::string(kKeepDataAnnotation));
    return found != link_.metadata.annotations.end() && found->second == "true";
  }

  // "a-b" with endpoint "c" and "a" with endpoint "b-c" want pods of one name: whoever came first keeps it.
  bool name_taken() {
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      const auto other = [&](const auto& object) {
        return object && (object->link != name() || object->endpoint != endpoint.name);
      };
      if (other(endpoint.pod)) plan_.taken = "Pod " + pod_name(name(), endpoint.name);
      if (other(endpoint.claim)) plan_.taken = "PersistentVolumeClaim " + claim_name(name(), endpoint.name);
      if (other(endpoint.tls)) plan_.taken = "Secret " + tls_secret_name(name(), endpoint.name);
      if (!plan_.taken) continue;
      plan_.taken_field = name_field(endpoint.name);
      return true;
    }
    return false;
  }

  std::string name_field(const std::string& endpoint) const {
    const auto& targets = link_.spec.targets;
    for (size_t index = 0; index < targets.size(); ++index)
      if (targets[index].name == endpoint) return fmt::format("spec.targets[{}].name", index);
    return "spec.source.name";
  }

  void permissions() {
    keep(kube::kServiceAccounts, seen_.account, render_account(link_));
    keep(kube::kRoles, seen_.role, render_role(link_));
    keep(kube::kRoleBindings, seen_.binding, render_binding(link_));
    keep(kube::kPodDisruptionBudgets, seen_.budget, render_budget(link_));
    if (!seen_.lease) step(Create{kube::kLeases, render_lease(link_)});
  }

  void secrets() {
    if (!seen_.owner && !seen_.owner_is_theirs) step(MakeOwner{});
    if (!authority()) return;
    for (const EndpointSeen& endpoint : seen_.endpoints)
      if (endpoint.spec) certificates(endpoint);
  }

  void volumes() {
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!endpoint.spec || endpoint.spec->postgres->managed->storage.ephemeral) continue;
      const std::string claim = claim_name(name(), endpoint.name);
      const std::string& size = endpoint.spec->postgres->managed->storage.size;
      if (!endpoint.claim) {
        step(Create{kube::kPersistentVolumeClaims, render_claim(link_, *endpoint.spec)}, "VolumeCreated",
             fmt::format("volume claim {} of {}", claim, size));
        continue;
      }
      const auto wanted = api::parse_quantity(size), there = api::parse_quantity(endpoint.claim->requested);
      if (wanted && there && *wanted > *there)
        step(Patch{kube::kPersistentVolumeClaims,
                   key(claim),
                   {{"spec", {{"resources", {{"requests", {{"storage", size}}}}}}}}},
             "VolumeGrown", fmt::format("volume claim {} grows from {} to {}", claim, endpoint.claim->requested, size));
    }
  }

  void pods() {
    if (!seen_.ca) return wait("Preparing", "certificates are being issued");
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!endpoint.spec) continue;
      const std::string pod = pod_name(name(), endpoint.name);
      if (!endpoint.pod) {
        step(Create{kube::kPods, render_pod(link_, *endpoint.spec, config_)}, "PodCreated", "pod " + pod);
        wait("PodStarting", fmt::format("pod {} is being created", pod));
      } else if (endpoint.pod->terminating) {
        wait("PodStopping", fmt::format("pod {} is stopping and will be made anew", pod));
      } else if (endpoint.pod->finished()) {
        remake(endpoint, pod);
      } else {
        label(endpoint, pod);
      }
    }
  }

  void remake(const EndpointSeen& endpoint, const std::string& pod) {
    const WallTime at = endpoint.pod->created.value_or(WallTime{}) + kRemakeInterval;
    wait("PodFailed", fmt::format("pod {} ended ({}) and is made anew", pod, endpoint.pod->trouble));
    if (at > seen_.now) return check_at(at);
    step(Remove{kube::kPods, key(pod), endpoint.pod->uid}, "PodFailed",
         fmt::format("pod {} ended ({}) and is made anew", pod, endpoint.pod->trouble), true);
  }

  // For people who look at pods; nothing decides by it.
  void label(const EndpointSeen& endpoint, const std::string& pod) {
    const std::string primary = seen_.primary();
    if (primary.empty()) return;
    const std::string_view role = to_string(endpoint.name == primary ? Role::kPrimary : Role::kReplica);
    if (endpoint.pod->role == role) return;
    step(Patch{kube::kPods, key(pod), {{"metadata", {{"labels", {{std::string(kRoleLabel), role}}}}}}});
  }

  void roll_out() {
    const Rollout next = plan_rollout(seen_, config_);
    if (const auto* waits = std::get_if<Wait>(&next)) wait(waits->reason, waits->message);
    if (const auto* replace = std::get_if<Replace>(&next)) {
      const EndpointSeen& endpoint = *seen_.find(replace->endpoint);
      const std::string pod = pod_name(name(), endpoint.name);
      const std::string message = fmt::format("pod {} is replaced, its template has changed", pod);
      step(Remove{kube::kPods, key(pod), endpoint.pod->uid}, "PodReplaced", message);
      wait("RollingOut", message);
    }
    if (const auto* move = std::get_if<MovePrimary>(&next)) {
      const std::string message =
          fmt::format("{} is to hand over before its pod is replaced, its template has changed", move->from);
      step(HandOver{move->from}, "PrimaryHandingOver", message);
      wait("RollingOut", message);
    }
  }

  void scale_down() {
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (endpoint.spec) continue;
      if (has_a_part(endpoint.name)) {
        wait("PrimaryRemoved",
             fmt::format("{} is not in the spec any more but is the primary: set desiredPrimary in the "
                         "FailoverPolicy to another endpoint, it is removed after that",
                         endpoint.name));
        continue;
      }
      if (endpoint.pod) {
        if (!endpoint.pod->terminating)
          step(Remove{kube::kPods, key(pod_name(name(), endpoint.name)), endpoint.pod->uid}, "EndpointRemoved",
               fmt::format("{} is not in the spec any more: its pod stops", endpoint.name));
        wait("EndpointRemoving", fmt::format("{} is being removed", endpoint.name));
        continue;
      }
      if (endpoint.tls && !endpoint.tls->terminating)
        step(Remove{kube::kSecrets, key(tls_secret_name(name(), endpoint.name)), endpoint.tls->uid});
      if (endpoint.claim && !endpoint.claim->terminating && !keeps_data()) remove_volume(endpoint);
    }
  }

  // Is, or is about to become, the primary.
  bool has_a_part(const std::string& endpoint) const {
    const auto& assignment = link_.status.assignment;
    return (seen_.lease && seen_.lease->record.holder_endpoint == endpoint) ||
           (assignment && assignment->primary == endpoint);
  }

  // Only after the primary has dropped its slot: until then the endpoint could come back and catch up.
  void remove_volume(const EndpointSeen& endpoint) {
    const EndpointSeen* primary = seen_.find(seen_.primary());
    const MemberReport* report = primary ? primary->member.fresh() : nullptr;
    if (!report || report->generation < link_.metadata.generation || report->downstreams.contains(endpoint.name))
      return wait("EndpointRemoving",
                  fmt::format("the volume of {} is deleted once the primary has dropped its slot", endpoint.name));
    step(Remove{kube::kPersistentVolumeClaims, key(claim_name(name(), endpoint.name)), endpoint.claim->uid},
         "VolumeDeleted",
         fmt::format("volume claim {} is deleted, its endpoint is not in the spec any more",
                     claim_name(name(), endpoint.name)));
  }

  // Whether there still are any.
  bool remove_pods() {
    bool any = false;
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!endpoint.pod || endpoint.pod->link != name()) continue;
      any = true;
      if (!endpoint.pod->terminating)
        step(Remove{kube::kPods, key(pod_name(name(), endpoint.name)), endpoint.pod->uid});
    }
    return any;
  }

  void remove_rest() {
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!keeps_data()) remove(kube::kPersistentVolumeClaims, endpoint.claim, claim_name(name(), endpoint.name));
      remove(kube::kSecrets, endpoint.tls, tls_secret_name(name(), endpoint.name));
    }
    remove(kube::kSecrets, seen_.owner, owner_secret_name(link_));
    remove_common();
    remove(kube::kLeases, seen_.lease, lease_name(name()));
  }

  const RenderConfig& config_;
};

}  // namespace

LinkPlan plan_link(const LinkSeen& seen, const RenderConfig& config) {
  Planner planner(seen, config);
  return seen.link->metadata.deleting() ? planner.deletion() : planner.upkeep();
}

}  // namespace twinspan::controllers
