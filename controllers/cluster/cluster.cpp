#include "controllers/cluster/cluster.hpp"

#include <fmt/format.h>

#include "api/accepted.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/cluster/places.hpp"

namespace twinspan::controllers {
namespace {

// By the link's label, and not by managed-by: what a person handed over keeps the latter.
kube::ReflectorOptions of_links() {
  kube::ReflectorOptions options;
  options.label_selector = std::string(kLinkLabel);
  return options;
}

template <class T>
bool same_for_decisions(const T&, const T&) {
  return false;
}
bool same_for_decisions(const std::shared_ptr<const Lease>& before, const std::shared_ptr<const Lease>& after) {
  return before && after && is_mere_renewal(*before, *after);
}

}  // namespace

void NameIndex::add(const kube::Key& link, const std::string& name) {
  MutexLock lock(mutex_);
  ++counts_[link][name];
}

void NameIndex::remove(const kube::Key& link, const std::string& name) {
  MutexLock lock(mutex_);
  const auto found = counts_.find(link);
  if (found == counts_.end()) return;
  if (const auto count = found->second.find(name); count != found->second.end() && --count->second <= 0)
    found->second.erase(count);
  if (found->second.empty()) counts_.erase(found);
}

std::vector<std::string> NameIndex::names(const kube::Key& link) const {
  MutexLock lock(mutex_);
  std::vector<std::string> out;
  if (const auto found = counts_.find(link); found != counts_.end())
    for (const auto& [name, count] : found->second) out.push_back(name);
  return out;
}

void Holdups::set(const kube::Key& link, std::optional<Holdup> holdup) {
  {
    MutexLock lock(mutex_);
    const auto found = holdups_.find(link);
    if (holdup ? found != holdups_.end() && found->second == *holdup : found == holdups_.end()) return;
    if (holdup)
      holdups_[link] = std::move(*holdup);
    else
      holdups_.erase(found);
  }
  for (const auto& handler : handlers_) handler(link);
}

std::optional<Holdup> Holdups::find(const kube::Key& link) const {
  MutexLock lock(mutex_);
  const auto found = holdups_.find(link);
  return found == holdups_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<kube::Key> buckets_of(const api::ReplicationLink& link) { return places_of(link); }

Cluster::Cluster(kube::Client& client, const Clock& clock, const std::vector<std::string>& namespaces,
                 bool has_network_policies)
    : links(client, kube::kReplicationLinks, namespaces, {}, decode_link),
      policies(client, kube::kFailoverPolicies, namespaces, {}, decode_policy),
      pods(client, kube::kPods, namespaces, of_links(), decode_pod),
      claims(client, kube::kPersistentVolumeClaims, namespaces, of_links(), decode_claim),
      secrets(client, kube::kSecrets, namespaces, of_links(), decode_secret),
      leases(client, kube::kLeases, namespaces, of_links(),
             [&clock](const Json& json) { return decode_lease(json, clock.boot_now()); }),
      accounts(client, kube::kServiceAccounts, namespaces, of_links(), decode_owned),
      roles(client, kube::kRoles, namespaces, of_links(), decode_owned),
      bindings(client, kube::kRoleBindings, namespaces, of_links(), decode_owned),
      budgets(client, kube::kPodDisruptionBudgets, namespaces, of_links(), decode_owned),
      config_maps(client, kube::kConfigMaps, namespaces, of_links(), decode_owned),
      sets(client, kube::kStatefulSets, namespaces, of_links(), decode_stateful_set),
      network_policies(has_network_policies
                           ? Cache<Owned>(client, kube::kNetworkPolicies, namespaces, of_links(), decode_owned)
                           : Cache<Owned>(kube::kNetworkPolicies)) {
  const auto index = [this](auto& cache) {
    cache.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
      if (after && !after->endpoint.empty()) endpoints.add({key.ns, after->link}, after->endpoint);
      if (before && !before->endpoint.empty()) endpoints.remove({key.ns, before->link}, before->endpoint);
    });
  };
  index(pods);
  index(claims);
  index(secrets);
  links.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    const auto now = after ? std::optional(after->open()) : std::nullopt;
    const auto then = before ? std::optional(before->open()) : std::nullopt;
    const std::string name = key.ns + "/" + key.name;
    for (const kube::Key& place : now ? buckets_of(*now) : std::vector<kube::Key>{}) links_of_buckets.add(place, name);
    for (const kube::Key& place : then ? buckets_of(*then) : std::vector<kube::Key>{})
      links_of_buckets.remove(place, name);
    MutexLock lock(noted_mutex_);
    if (now)
      engines_[key] = now->spec.engine;
    else
      engines_.erase(key);
    if (!now || now->status.accepted)
      lost_.erase(key);
    else if (then && then->status.accepted && then->actionable && then->metadata.uid == now->metadata.uid)
      lost_[key] = api::accept(then->spec, then->generation_in_force());
  });
  policies.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    if (after) policies_of_links.add({key.ns, after->open().spec.link_ref.name}, key.name);
    if (before) policies_of_links.remove({key.ns, before->open().spec.link_ref.name}, key.name);
  });
}

std::optional<api::AcceptedSpec> Cluster::lost_acceptance(const kube::Key& link) const {
  MutexLock lock(noted_mutex_);
  const auto found = lost_.find(link);
  return found == lost_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<api::Engine> Cluster::engine_of(const kube::Key& link) const {
  MutexLock lock(noted_mutex_);
  const auto found = engines_.find(link);
  return found == engines_.end() ? std::nullopt : std::optional(found->second);
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
  std::apply([&](auto&... cache) { (follow(cache), ...); }, labelled());
  holdups.add_handler([enqueue](const kube::Key& key) { enqueue(key, false); });
}

void Cluster::wrote(const kube::Resource& resource, const Json& object) {
  const std::string ns = object.value("/metadata/namespace"_json_pointer, std::string());
  const auto take = [&](auto& cache) {
    if (cache.kind() == resource.kind) cache.wrote(ns, object);
  };
  std::apply([&](auto&... cache) { (take(cache), ...); }, caches());
}

void Cluster::start() {
  std::apply([](auto&... cache) { (cache.start(), ...); }, caches());
}

void Cluster::stop() {
  std::apply([](auto&... cache) { (cache.stop(), ...); }, caches());
}

bool Cluster::synced() {
  return std::apply([](auto&... cache) { return (cache.synced() && ...); }, caches());
}

}  // namespace twinspan::controllers
