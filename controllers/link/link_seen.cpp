#include "controllers/link/link_seen.hpp"

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {

const EndpointSeen* LinkSeen::find(std::string_view name) const {
  for (const EndpointSeen& endpoint : endpoints)
    if (endpoint.name == name) return &endpoint;
  return nullptr;
}

std::string LinkSeen::primary() const {
  return primary_left().count() > 0 ? lease->record.holder_endpoint : std::string();
}

std::chrono::milliseconds LinkSeen::primary_left() const {
  if (!lease || !lease->record.promoted || !lease->record.held()) return {};
  // A second more than the lease lasts: a watch event may be late, and the holder renews well before.
  return std::max(lease->duration + std::chrono::seconds(1) - lease_unchanged_for, std::chrono::milliseconds(0));
}

bool LinkSeen::settled() const {
  const auto& assignment = link->status.assignment;
  return assignment && !primary().empty() && assignment->epoch == lease->record.epoch.value;
}

void LinkSeen::doubt_unheard() {
  for (EndpointSeen& endpoint : endpoints) {
    MemberView& member = endpoint.member;
    if (!member.report || member.failures == 0 || member.report->role != Role::kReplica) continue;
    const EndpointSeen* upstream = find(member.report->upstream);
    if (upstream == nullptr || upstream->member.failures > 0 || !upstream->member.fresh()) continue;
    const MemberReport& sender = *upstream->member.report;
    if (!sender.sql_healthy.value_or(false)) continue;  // it knows of nobody
    const auto sent_to = sender.downstreams.find(endpoint.name);
    const bool lost = sent_to == sender.downstreams.end() || sent_to->second.state == MemberReport::Downstream::kLost;
    member.doubted = lost && upstream->member.age < member.age;
  }
}

void LinkSeen::recall(const Recalled& recalled) {
  foreign.insert(foreign.end(), recalled.foreign.begin(), recalled.foreign.end());
  owner_secret = recalled.owner_secret;
  refused_volumes = recalled.refused_volumes;
  refused = recalled.refused;
  for (EndpointSeen& endpoint : endpoints)
    for (const RefusedObject& one : refused)
      if (one.kind == kube::kPods.kind && one.name == pod_name(link->metadata.name, endpoint.name))
        endpoint.refused = one.words;
}

void LinkSeen::set_common_aside() {
  const std::string& own = link->metadata.name;
  set_aside(ca, kube::kSecrets, ca_secret_name(own));
  set_aside(account, kube::kServiceAccounts, worker_account_name(own));
  set_aside(role, kube::kRoles, worker_account_name(own));
  set_aside(binding, kube::kRoleBindings, worker_account_name(own));
  set_aside(budget, kube::kPodDisruptionBudgets, budget_name(own));
  set_aside(network_policy, kube::kNetworkPolicies, network_policy_name(own));
}

void LinkSeen::set_foreign_aside() {
  const std::string& own = link->metadata.name;
  set_common_aside();
  set_aside(lease, kube::kLeases, lease_name(own));
  set_aside(ca_bundle, kube::kConfigMaps, ca_bundle_name(own));
  for (EndpointSeen& endpoint : endpoints) {
    set_aside(endpoint.pod, kube::kPods, pod_name(own, endpoint.name));
    set_aside(endpoint.claim, kube::kPersistentVolumeClaims, claim_name(own, endpoint.name));
    set_aside(endpoint.tls, kube::kSecrets, tls_secret_name(own, endpoint.name));
  }
  // A person's owner Secret is only read, and in nobody's way.
  if (owner && whose(*owner, claimant(*link)) == Whose::kForeign) owner = nullptr;
}

}  // namespace twinspan::controllers
