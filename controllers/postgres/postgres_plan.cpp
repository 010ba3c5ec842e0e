#include "controllers/postgres/postgres_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "api/quantity.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/connection.hpp"
#include "controllers/link/plan_builder.hpp"
#include "controllers/postgres/acceptance.hpp"
#include "controllers/postgres/rollout.hpp"

namespace twinspan::controllers {
namespace {

// A pod that ended for good (evicted, refused by its node) is made anew at most so often.
constexpr std::chrono::seconds kRemakeInterval{10};
// A storage class may be made to allow expansion meanwhile.
constexpr std::chrono::minutes kAskAgain{5};

class Planner : PlanBuilder {
 public:
  Planner(const LinkSeen& seen, const RenderConfig& config) : PlanBuilder(seen), config_(config) {
    plan_.update = link_.status.update;
  }

  // Owner references do the rest: what the link owns goes with it, in whatever order; what is kept has no owner.
  LinkPlan deletion() {
    drop_finalizer();
    return std::move(plan_);
  }

  LinkPlan upkeep() {
    plan_.acceptance = next_acceptance(seen_, config_);
    drop_finalizer();
    end_of_the_lease();
    if (link_.spec.paused) return std::move(plan_);
    permissions();
    secrets();
    volumes();
    tried();
    pods();
    roll_out();
    scale_down();
    return std::move(plan_);
  }

 private:
  // It runs out without a word. A holder that renews and is heard needs no clock: what ends it is news.
  void end_of_the_lease() {
    const EndpointSeen* holder = seen_.find(seen_.primary());
    if (seen_.primary_left().count() == 0) return;
    const bool renews = holder && holder->member.fresh() && 2 * seen_.lease_unchanged_for < seen_.lease->duration;
    if (!renews) check_at(seen_.now + seen_.primary_left());
  }

  void permissions() {
    const bool account = keep(kube::kServiceAccounts, seen_.account, render_account(link_));
    const bool role = keep(kube::kRoles, seen_.role, render_role(link_));
    const bool binding = keep(kube::kRoleBindings, seen_.binding, render_binding(link_));
    keep(kube::kPodDisruptionBudgets, seen_.budget, render_budget(link_));
    if (config_.network)
      keep(kube::kNetworkPolicies, seen_.network_policy,
           render_network_policy(link_, *config_.network, Clients::kAsAllowed, ports_called()));
    const Json lease = render_lease(link_);
    const Standing its = standing(kube::kLeases, seen_.lease, lease);
    if (its == Standing::kAbsent) step(Create{kube::kLeases, lease});
    // Agents write the lease by its name: none may run where it is somebody else's.
    may_run_ = account && role && binding && !is_foreign(kube::kLeases, lease_name(name()));
  }

  // Of repositories, and of the server that the first data come from.
  std::set<int64_t> ports_called() const {
    std::set<int64_t> ports;
    if (const auto& backup = link_.status.backup) ports.insert(port_of(backup->destination.s3.endpoint));
    if (const auto& restore = link_.status.restore) ports.insert(port_of(restore->destination.s3.endpoint));
    if (const auto& bootstrap = link_.spec.postgres.bootstrap; bootstrap && bootstrap->import_)
      ports.insert(bootstrap->import_->port);
    return ports;
  }

  void secrets() {
    owner();
    if (!authority()) return;
    if (!seen_.ca->bundle_pem.empty())
      keep(kube::kConfigMaps, seen_.ca_bundle, render_ca_bundle(link_, seen_.ca->bundle_pem));
    for (const EndpointSeen& endpoint : seen_.endpoints)
      if (endpoint.spec) certificates(endpoint);
  }

  void connection(const Secret& there) {
    if (there.terminating) return;
    const ConnectionFacts facts{link_.metadata.ns, seen_.primary_service, seen_.primary_port,
                                link_.spec.postgres.database, seen_.ca ? seen_.ca->bundle_pem : std::string()};
    auto patch = connection_patch(there, facts);
    if (patch) step(Patch{kube::kSecrets, key(owner_secret_name(link_)), std::move(*patch)});
  }

  // Our own of the default name, or a person's of that name, or the one that the spec names, which is awaited.
  void owner() {
    const std::string secret = owner_secret_name(link_);
    if (seen_.owner) {
      const size_t before = plan_.steps.size();
      standing(kube::kSecrets, seen_.owner, render_meta(link_, "v1", "Secret", secret, "", deletes()));
      if (plan_.steps.size() == before) connection(*seen_.owner);  // else its version is another then
      return;
    }
    using State = OwnerSecret::State;
    const State state = seen_.owner_secret.state;
    const bool named = link_.spec.postgres.owner_secret_ref.has_value();
    if (seen_.owner_secret.due) named ? step(LookForOwner{}) : step(MakeOwner{});
    if (state == State::kUsable) return;
    if (!named) return check_at(seen_.now + OwnerSecret::kAwaitedLook);  // until the cache shows it
    owner_usable_ = false;
    // Nobody has looked so far, or nobody answered: nothing is said of it.
    if (state == State::kUnknown) return check_at(seen_.now + std::chrono::milliseconds(50));
    check_at(seen_.now + OwnerSecret::kAwaitedLook);
    plan_.owner_awaited = fmt::format(
        "spec.postgres.ownerSecretRef.name: Secret {} {}: it is awaited with the keys username and "
        "password, Twinspan does not make it",
        secret, state == State::kIncomplete ? "lacks username or password" : "does not exist");
    wait(WaitFor::kOwnerSecret, plan_.owner_awaited);
  }

  void volumes() {
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!endpoint.spec || endpoint.spec->postgres->managed->storage.ephemeral) continue;
      const std::string claim = claim_name(name(), endpoint.name);
      const std::string& size = endpoint.spec->postgres->managed->storage.size;
      const Json rendered = render_claim(link_, *endpoint.spec);
      const Standing its = standing(kube::kPersistentVolumeClaims, endpoint.claim, rendered);
      if (its == Standing::kAbsent)
        step(Create{kube::kPersistentVolumeClaims, rendered}, "VolumeCreated",
             fmt::format("volume claim {} of {}", claim, size));
      if (its != Standing::kUsable) continue;
      const auto wanted = api::parse_quantity(size), there = api::parse_quantity(endpoint.claim->requested);
      if (!wanted || !there || *wanted <= *there) continue;
      const auto refused = seen_.refused_volumes.find(endpoint.name);
      if (refused != seen_.refused_volumes.end() && refused->second.size == size) {
        check_at(seen_.now + kAskAgain);
        continue;
      }
      step(Patch{kube::kPersistentVolumeClaims,
                 key(claim),
                 {{"metadata", {{"uid", endpoint.claim->uid}}},
                  {"spec", {{"resources", {{"requests", {{"storage", size}}}}}}}}},
           "VolumeGrown", fmt::format("volume claim {} grows from {} to {}", claim, endpoint.claim->requested, size));
      plan_.steps.back().grows_volume_of = endpoint.name;
    }
  }

  // Only time tells of a trial that comes to nothing.
  void tried() {
    const auto& trial = plan_.acceptance->trial;
    if (!trial || trial->message) return;
    check_at(seen_.now + std::chrono::seconds(1));
    wait(WaitFor::kTrial, trial_message(*trial));
  }

  void pods() {
    if (is_foreign(kube::kSecrets, ca_secret_name(name()))) return;
    if (!seen_.ca) return wait(WaitFor::kCertificates, "certificates are being issued");
    // Before there ever was a primary nothing is lost by waiting; later a pod starts without the Secret, too.
    const bool first = !seen_.lease || seen_.lease->record.epoch.value == 0;
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!endpoint.spec) continue;
      const std::string pod = pod_name(name(), endpoint.name);
      const Json meta = render_meta(link_, "v1", "Pod", pod, endpoint.name, true);
      if (standing(kube::kPods, endpoint.pod, meta) == Standing::kForeign) continue;
      if (!endpoint.pod) {
        if (!may_run_ || needs_of_others(endpoint) || (first && !owner_usable_)) continue;
        const PodSource source = pod_source(seen_, endpoint);
        step(Create{kube::kPods, render_pod(*source.link, *source.endpoint, config_)}, "PodCreated", "pod " + pod);
        wait(WaitFor::kPodStart, fmt::format("pod {} is being created", pod));
      } else if (endpoint.pod->terminating) {
        wait(WaitFor::kPodStop, fmt::format("pod {} is stopping and will be made anew", pod));
      } else if (endpoint.pod->finished()) {
        remake(endpoint, pod);
      } else {
        label(endpoint, pod);
      }
    }
  }

  bool deletes() const { return link_.spec.deletion_policy == api::DeletionPolicy::kDelete; }

  bool needs_of_others(const EndpointSeen& endpoint) const {
    return is_foreign(kube::kSecrets, tls_secret_name(name(), endpoint.name)) ||
           is_foreign(kube::kPersistentVolumeClaims, claim_name(name(), endpoint.name));
  }

  void remake(const EndpointSeen& endpoint, const std::string& pod) {
    const WallTime at = endpoint.pod->created.value_or(WallTime{}) + kRemakeInterval;
    wait(WaitFor::kPodRemake, fmt::format("pod {} ended ({}) and is made anew", pod, endpoint.pod->trouble));
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
    step(Patch{kube::kPods,
               key(pod),
               {{"metadata", {{"uid", endpoint.pod->uid}, {"labels", {{std::string(kRoleLabel), role}}}}}}});
  }

  void roll_out() {
    const Rollout next = plan_rollout(seen_, config_);
    plan_.update = next_update(seen_, config_, next);
    if (const auto* put_off = std::get_if<PutOff>(&next)) {
      plan_.put_off = *put_off;
      if (put_off->until) check_at(*put_off->until);
    }
    if (const auto* waits = std::get_if<Wait>(&next)) {
      wait(waits->what, waits->message);
      if (waits->what == WaitFor::kTurn) check_at(seen_.now + seen_.turn.look_again);
    }
    if (const auto* replace = std::get_if<Replace>(&next)) {
      const EndpointSeen& endpoint = *seen_.find(replace->endpoint);
      const std::string pod = pod_name(name(), endpoint.name);
      const std::string message = fmt::format("pod {} is replaced, its template has changed", pod);
      step(Remove{kube::kPods, key(pod), endpoint.pod->uid}, "PodReplaced", message);
      wait(WaitFor::kRollOut, message);
    }
    if (const auto* move = std::get_if<MovePrimary>(&next)) {
      const std::string message =
          fmt::format("{} is to hand over before its pod is replaced, its template has changed", move->from);
      step(HandOver{move->from}, "PrimaryHandingOver", message);
      wait(WaitFor::kRollOut, message);
    }
  }

  void scale_down() {
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (endpoint.spec) continue;
      if (has_a_part(endpoint.name)) {
        wait(WaitFor::kPrimaryElsewhere,
             fmt::format("{} is not in the spec any more but is the primary: set desiredPrimary in the "
                         "FailoverPolicy to another endpoint, it is removed after that",
                         endpoint.name));
        continue;
      }
      if (endpoint.pod) {
        if (!endpoint.pod->terminating)
          step(Remove{kube::kPods, key(pod_name(name(), endpoint.name)), endpoint.pod->uid}, "EndpointRemoved",
               fmt::format("{} is not in the spec any more: its pod stops", endpoint.name));
        wait(WaitFor::kEndpointRemoval, fmt::format("{} is being removed", endpoint.name));
        continue;
      }
      remove(kube::kSecrets, endpoint.tls, tls_secret_name(name(), endpoint.name));
      if (endpoint.claim && !endpoint.claim->terminating && deletes()) remove_volume(endpoint);
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
    // Who did not see its own slots has none to tell of.
    if (!report || !report->sql_healthy.value_or(false) || report->generation < link_.generation_in_force() ||
        report->downstreams.contains(endpoint.name))
      return wait(WaitFor::kEndpointRemoval,
                  fmt::format("the volume of {} is deleted once the primary has dropped its slot", endpoint.name));
    if (!may_be_deleted(whose(*endpoint.claim, claimant_))) return;  // handed over: it stays a person's
    step(Remove{kube::kPersistentVolumeClaims, key(claim_name(name(), endpoint.name)), endpoint.claim->uid},
         "VolumeDeleted",
         fmt::format("volume claim {} is deleted, its endpoint is not in the spec any more",
                     claim_name(name(), endpoint.name)));
  }

  const RenderConfig& config_;
  bool owner_usable_ = true;  // the Secret that the spec names
  bool may_run_ = false;      // nothing that agents need or write is somebody else's
};

}  // namespace

LinkPlan plan_link(const LinkSeen& seen, const RenderConfig& config) {
  Planner planner(seen, config);
  return seen.link->metadata.deleting() ? planner.deletion() : planner.upkeep();
}

}  // namespace twinspan::controllers
