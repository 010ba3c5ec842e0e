#include "controllers/cluster/cluster.hpp"

#include <fmt/format.h>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

kube::ReflectorOptions ours() {
  kube::ReflectorOptions options;
  options.label_selector = fmt::format("{}={}", kManagedByLabel, kManagedBy);
  return options;
}

bool renewal_only(const std::shared_ptr<const Lease>& before, const std::shared_ptr<const Lease>& after) {
  if (!before || !after) return false;
  LeaseRecord record = before->record;
  record.version = after->record.version;
  return record == after->record && before->uid == after->uid && before->terminating == after->terminating;
}

template <class T>
bool same_for_decisions(const T&, const T&) {
  return false;
}
bool same_for_decisions(const std::shared_ptr<const Lease>& before, const std::shared_ptr<const Lease>& after) {
  return renewal_only(before, after);
}

}  // namespace

void NameIndex::add(const kube::Key& link, const std::string& name) {
  std::lock_guard lock(mutex_);
  ++counts_[link][name];
}

void NameIndex::remove(const kube::Key& link, const std::string& name) {
  std::lock_guard lock(mutex_);
  const auto found = counts_.find(link);
  if (found == counts_.end()) return;
  if (const auto count = found->second.find(name); count != found->second.end() && --count->second <= 0)
    found->second.erase(count);
  if (found->second.empty()) counts_.erase(found);
}

std::vector<std::string> NameIndex::names(const kube::Key& link) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  if (const auto found = counts_.find(link); found != counts_.end())
    for (const auto& [name, count] : found->second) out.push_back(name);
  return out;
}

Cluster::Cluster(kube::Client& client, const Clock& clock, const std::vector<std::string>& namespaces)
    : links(client, kube::kReplicationLinks, namespaces, {}, decode_link),
      policies(client, kube::kFailoverPolicies, namespaces, {}, api::parse_failover_policy),
      pods(client, kube::kPods, namespaces, ours(), decode_pod),
      claims(client, kube::kPersistentVolumeClaims, namespaces, ours(), decode_claim),
      secrets(client, kube::kSecrets, namespaces, ours(), decode_secret),
      leases(client, kube::kLeases, namespaces, ours(),
             [&clock](const Json& json) { return decode_lease(json, clock.boot_now()); }),
      accounts(client, kube::kServiceAccounts, namespaces, ours(), decode_owned),
      roles(client, kube::kRoles, namespaces, ours(), decode_owned),
      bindings(client, kube::kRoleBindings, namespaces, ours(), decode_owned),
      budgets(client, kube::kPodDisruptionBudgets, namespaces, ours(), decode_owned),
      sets(client, kube::kStatefulSets, namespaces, ours(), decode_stateful_set) {
  const auto index = [this](auto& cache) {
    cache.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
      if (after && !after->endpoint.empty()) endpoints.add({key.ns, after->link}, after->endpoint);
      if (before && !before->endpoint.empty()) endpoints.remove({key.ns, before->link}, before->endpoint);
    });
  };
  index(pods);
  index(claims);
  index(secrets);
  policies.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    if (after) policies_of_links.add({key.ns, after->open().spec.link_ref.name}, key.name);
    if (before) policies_of_links.remove({key.ns, before->open().spec.link_ref.name}, key.name);
  });
}

template <class Each>
void Cluster::for_each_cache(Each each) {
  each(policies);
  each(pods);
  each(claims);
  each(secrets);
  each(leases);
  each(accounts);
  each(roles);
  each(bindings);
  each(budgets);
  each(sets);
  each(links);
}

void Cluster::on_change_of_link(const std::function<void(const kube::Key& link, bool first_list)>& enqueue) {
  links.add_handler([this, enqueue](const kube::Key& key, const auto& before, const auto&) {
    enqueue(key, !before && !links.synced());
  });
  policies.add_handler([this, enqueue](const kube::Key& key, const auto& before, const auto& after) {
    // A link learns of its policy's coming and going, and of its spec; never of its status.
    if (!before && !policies.synced()) return;  // the link's own first list covers it
    const api::FailoverPolicy now = (after ? after : before)->open();
    if (before && after)
      if (const api::FailoverPolicy then = before->open();
          then.spec == now.spec && then.metadata.deleting() == now.metadata.deleting())
        return;
    enqueue({key.ns, now.spec.link_ref.name}, false);
  });
  const auto follow = [this, enqueue](auto& cache) {
    cache.add_handler([&cache, enqueue](const kube::Key& key, const auto& before, const auto& after) {
      const std::string& link = (after ? after : before)->link;
      if (link.empty() || (!before && !cache.synced()) || same_for_decisions(before, after)) return;
      enqueue({key.ns, link}, false);
    });
  };
  follow(pods);
  follow(claims);
  follow(secrets);
  follow(leases);
  follow(accounts);
  follow(roles);
  follow(bindings);
  follow(budgets);
  follow(sets);
}

void Cluster::wrote(const kube::Resource& resource, const Json& object) {
  const std::string ns = object.value("/metadata/namespace"_json_pointer, std::string());
  if (resource.kind == kube::kReplicationLinks.kind) links.wrote(ns, object);
  if (resource.kind == kube::kFailoverPolicies.kind) policies.wrote(ns, object);
  if (resource.kind == kube::kPods.kind) pods.wrote(ns, object);
  if (resource.kind == kube::kPersistentVolumeClaims.kind) claims.wrote(ns, object);
  if (resource.kind == kube::kSecrets.kind) secrets.wrote(ns, object);
  if (resource.kind == kube::kLeases.kind) leases.wrote(ns, object);
  if (resource.kind == kube::kServiceAccounts.kind) accounts.wrote(ns, object);
  if (resource.kind == kube::kRoles.kind) roles.wrote(ns, object);
  if (resource.kind == kube::kRoleBindings.kind) bindings.wrote(ns, object);
  if (resource.kind == kube::kPodDisruptionBudgets.kind) budgets.wrote(ns, object);
  if (resource.kind == kube::kStatefulSets.kind) sets.wrote(ns, object);
}

void Cluster::start() {
  for_each_cache([](auto& cache) { cache.start(); });
}

void Cluster::stop() {
  for_each_cache([](auto& cache) { cache.stop(); });
}

bool Cluster::synced() const {
  return links.synced() && policies.synced() && pods.synced() && claims.synced() && secrets.synced() &&
         leases.synced() && accounts.synced() && roles.synced() && bindings.synced() && budgets.synced() &&
         sets.synced();
}

}  // namespace twinspan::controllers
