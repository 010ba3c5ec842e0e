#include "controllers/failover/failover_caches.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

kube::ReflectorOptions labelled() {
  kube::ReflectorOptions options;
  options.label_selector = std::string(kLinkLabel);
  return options;
}

}  // namespace

FailoverCaches::FailoverCaches(kube::Client& client, Cluster& cluster, const std::vector<std::string>& namespaces)
    : cluster_(cluster),
      services_(client, kube::kServices, namespaces, labelled(), decode_service),
      slices_(client, kube::kEndpointSlices, namespaces, labelled(), decode_slice) {
  cluster_.policies.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    std::lock_guard lock(mutex_);
    if (before) policies_of_link_[{key.ns, before->spec.link_ref.name}].erase(key);
    if (after) policies_of_link_[{key.ns, after->spec.link_ref.name}].insert(key);
  });
  slices_.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    std::lock_guard lock(mutex_);
    if (before) slices_of_service_[{key.ns, before->service}].erase(key);
    if (after) slices_of_service_[{key.ns, after->service}].insert(key);
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
}

void FailoverCaches::start() {
  services_.start();
  slices_.start();
}

void FailoverCaches::stop() {
  services_.stop();
  slices_.stop();
}

bool FailoverCaches::synced() const { return services_.synced() && slices_.synced(); }

std::vector<std::shared_ptr<const api::FailoverPolicy>> FailoverCaches::policies_of(const kube::Key& link) const {
  std::set<kube::Key> keys;
  {
    std::lock_guard lock(mutex_);
    if (const auto found = policies_of_link_.find(link); found != policies_of_link_.end()) keys = found->second;
  }
  std::vector<std::shared_ptr<const api::FailoverPolicy>> out;
  for (const kube::Key& key : keys)
    if (auto policy = cluster_.policies.find(key); policy && !policy->metadata.deleting())
      out.push_back(std::move(policy));
  const auto age = [](const auto& one) { return std::tie(one->metadata.creation_timestamp, one->metadata.name); };
  std::sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return age(a) < age(b); });
  return out;
}

std::optional<ServiceFacts> FailoverCaches::service(const kube::Key& key) const {
  const auto found = services_.find(key);
  return found ? std::optional(*found) : std::nullopt;
}

std::vector<SliceFacts> FailoverCaches::slices_of(const kube::Key& service) const {
  std::set<kube::Key> keys;
  {
    std::lock_guard lock(mutex_);
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

}  // namespace twinspan::controllers
