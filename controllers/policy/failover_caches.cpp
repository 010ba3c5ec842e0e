#include "controllers/policy/failover_caches.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

kube::ReflectorOptions labelled() {
  kube::ReflectorOptions options;
  options.label_selector = std::string(kLinkLabel);
  return options;
}

// Under `owner`, that `key` is there or not.
void note(std::map<kube::Key, std::set<kube::Key>>& index, const kube::Key& owner, const kube::Key& key, bool present) {
  if (present) {
    index[owner].insert(key);
  } else if (const auto found = index.find(owner); found != index.end()) {
    found->second.erase(key);
    if (found->second.empty()) index.erase(found);
  }
}

}  // namespace

FailoverCaches::FailoverCaches(kube::Client& client, Cluster& cluster, const std::vector<std::string>& namespaces)
    : cluster_(cluster),
      services_(client, kube::kServices, namespaces, labelled(), decode_service),
      slices_(client, kube::kEndpointSlices, namespaces, labelled(), decode_slice),
      config_maps_(client, kube::kConfigMaps, namespaces, labelled(), decode_config_map) {
  cluster_.policies.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    MutexLock lock(mutex_);
    if (before) index(key, before->open(), false);
    if (after) index(key, after->open(), true);
  });
  slices_.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    MutexLock lock(mutex_);
    if (before) note(slices_of_service_, {key.ns, before->service}, key, false);
    if (after) note(slices_of_service_, {key.ns, after->service}, key, true);
  });
}

void FailoverCaches::on_change_of_link(const std::function<void(const kube::Key& link)>& enqueue) {
  const auto follow = [&](auto& cache) {
    cache.add_handler([enqueue](const kube::Key& key, const auto& before, const auto& after) {
      if (const std::string& link = (after ? after : before)->link; !link.empty()) enqueue({key.ns, link});
    });
  };
  follow(services_);
  follow(slices_);
  follow(config_maps_);
}

void FailoverCaches::index(const kube::Key& key, const api::FailoverPolicy& policy, bool present) {
  for (const api::PolicyService& service : policy.spec.services)
    note(policies_of_service_, {key.ns, service.name}, key, present);
  for (const api::PolicyConfigMap& map : policy.spec.config_maps)
    note(policies_of_config_map_, {key.ns, map.name}, key, present);
}

void FailoverCaches::start() {
  services_.start();
  slices_.start();
  config_maps_.start();
}

void FailoverCaches::stop() {
  services_.stop();
  slices_.stop();
  config_maps_.stop();
}

bool FailoverCaches::synced() const { return services_.synced() && slices_.synced() && config_maps_.synced(); }

std::vector<std::shared_ptr<const api::FailoverPolicy>> FailoverCaches::policies_of(const kube::Key& link) const {
  std::vector<std::shared_ptr<const api::FailoverPolicy>> out;
  for (const std::string& name : cluster_.policies_of_links.names(link))
    if (auto policy = cluster_.policies.find({link.ns, name}); policy && !policy->metadata.deleting())
      out.push_back(std::move(policy));
  const auto age = [](const auto& one) { return std::tie(one->metadata.creation_timestamp, one->metadata.name); };
  std::sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return age(a) < age(b); });
  return out;
}

std::vector<api::FailoverPolicy> FailoverCaches::rivals_of(const api::FailoverPolicy& policy) const {
  const kube::Key own = key_of(policy.metadata);
  std::set<kube::Key> keys;
  for (std::string& name : cluster_.policies_of_links.names({own.ns, policy.spec.link_ref.name}))
    keys.insert({own.ns, std::move(name)});
  {
    MutexLock lock(mutex_);
    const auto gather = [&](const Index& index, const std::string& owner) {
      if (const auto found = index.find({own.ns, owner}); found != index.end())
        keys.insert(found->second.begin(), found->second.end());
    };
    for (const api::PolicyService& service : policy.spec.services) gather(policies_of_service_, service.name);
    for (const api::PolicyConfigMap& map : policy.spec.config_maps) gather(policies_of_config_map_, map.name);
  }
  std::vector<api::FailoverPolicy> out;
  for (const kube::Key& key : keys)
    if (const auto other = cluster_.policies.find(key); other && key != own) out.push_back(*other);
  return out;
}

std::optional<ServiceFacts> FailoverCaches::service(const kube::Key& key) const {
  const auto found = services_.find(key);
  return found ? std::optional(*found) : std::nullopt;
}

std::optional<ConfigMapFacts> FailoverCaches::config_map(const kube::Key& key) const {
  const auto found = config_maps_.find(key);
  return found ? std::optional(*found) : std::nullopt;
}

bool FailoverCaches::is_unfinished(const api::FailoverPolicy& policy, const api::PolicyService& wanted,
                                   const RefusedObjects& refused) const {
  if (refused.contains({"Service", wanted.name})) return true;
  const auto there = service({policy.metadata.ns, wanted.name});
  return there && whose(*there, claimant(policy)) != Whose::kForeign && !has_template(*there, wanted);
}

std::vector<SliceFacts> FailoverCaches::slices_of(const kube::Key& service) const {
  std::set<kube::Key> keys;
  {
    MutexLock lock(mutex_);
    if (const auto found = slices_of_service_.find(service); found != slices_of_service_.end()) keys = found->second;
  }
  std::vector<SliceFacts> out;
  for (const kube::Key& key : keys)
    if (const auto slice = slices_.find(key)) out.push_back(*slice);
  return out;
}

void FailoverCaches::wrote_service(const Json& object) {
  services_.wrote(object.at("metadata").value("namespace", ""), object);
}

void FailoverCaches::wrote_config_map(const Json& object) {
  config_maps_.wrote(object.at("metadata").value("namespace", ""), object);
}

}  // namespace twinspan::controllers
