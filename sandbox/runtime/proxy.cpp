#include "sandbox/runtime/proxy.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "kube/controller.hpp"

namespace twinspan::sandbox {
namespace {

constexpr const char* kServiceNameLabel = "kubernetes.io/service-name";

std::string service_of(const Json& slice) {
  return slice.at("metadata").value("labels", Json::object()).value(kServiceNameLabel, "");
}

}  // namespace

std::vector<Backend> backends_of(const std::string& port_name, const std::vector<std::shared_ptr<const Json>>& slices) {
  std::set<Backend> ready, serving;
  for (const auto& slice : slices)
    for (const Json& port : slice->value("ports", Json::array())) {
      if (port.value("name", "") != port_name) continue;
      for (const Json& endpoint : slice->value("endpoints", Json::array())) {
        const Json conditions = endpoint.value("conditions", Json::object());
        const Backend backend{endpoint.at("addresses").at(0).get<std::string>(), port.value("port", 0)};
        if (conditions.value("ready", true)) ready.insert(backend);
        if (conditions.value("serving", false) && conditions.value("terminating", false)) serving.insert(backend);
      }
    }
  const auto& chosen = ready.empty() ? serving : ready;
  return {chosen.begin(), chosen.end()};
}

struct ServiceProxy::Impl {
  Impl(RuntimeCaches& cache, const Clock& clock)
      : caches(cache), controller("sandbox-proxy", 1, clock, [this](const kube::Key& key, const std::stop_token&) {
          return reconcile(key);
        }) {}

  using Listen = std::pair<std::string, int>;
  RuntimeCaches& caches;
  std::mutex mutex;
  std::map<kube::Key, std::map<Listen, std::unique_ptr<Forwarder>>> forwarders;
  std::set<std::string> refused;
  kube::Controller controller;

  Result<kube::Requeue> reconcile(const kube::Key& key) {
    const auto service = caches.services.find(key);
    std::lock_guard lock(mutex);
    std::map<Listen, std::string> wanted;  // the port's name
    if (service) {
      const Json& spec = service->at("spec");
      const std::string address = spec.value("clusterIP", "");
      if (!address.empty() && address != "None")
        for (const Json& port : spec.value("ports", Json::array()))
          if (port.value("protocol", "TCP") == "TCP") wanted[{address, port.value("port", 0)}] = port.value("name", "");
    }
    auto& running = forwarders[key];
    std::erase_if(running, [&](const auto& entry) { return !wanted.contains(entry.first); });
    std::vector<std::shared_ptr<const Json>> slices;
    for (const auto& [slice_key, slice] : caches.slices.all())
      if (slice_key.ns == key.ns && service_of(*slice) == key.name) slices.push_back(slice);
    Status outcome{};
    for (const auto& [listen, name] : wanted) {
      auto& forwarder = running[listen];
      if (!forwarder) forwarder = std::make_unique<Forwarder>(listen.first, listen.second);
      std::vector<Backend> backends = backends_of(name, slices);
      std::erase_if(backends, [&](const Backend& backend) { return refused.contains(backend.address); });
      if (auto set = forwarder->set_backends(std::move(backends)); !set) outcome = set;
    }
    if (running.empty()) forwarders.erase(key);
    if (!outcome) return std::unexpected(outcome.error());
    return kube::Requeue::none();
  }
};

ServiceProxy::ServiceProxy(RuntimeCaches& caches, const Clock& clock) : impl_(std::make_unique<Impl>(caches, clock)) {
  Impl* impl = impl_.get();
  caches.services.add_handler(
      [impl](const kube::Key& key, const auto&, const auto&) { impl->controller.queue().add(key); });
  caches.slices.add_handler([impl](const kube::Key& key, const auto& before, const auto& after) {
    for (const auto& slice : {before, after})
      if (slice) impl->controller.queue().add({key.ns, service_of(*slice)});
  });
}

ServiceProxy::~ServiceProxy() { stop(); }
void ServiceProxy::start() { impl_->controller.start(); }
void ServiceProxy::stop() {
  impl_->controller.stop();
  std::lock_guard lock(impl_->mutex);
  impl_->forwarders.clear();
}
void ServiceProxy::refuse(const std::string& pod_ip, bool refused) {
  {
    std::lock_guard lock(impl_->mutex);
    if (refused)
      impl_->refused.insert(pod_ip);
    else
      impl_->refused.erase(pod_ip);
  }
  for (const auto& [key, service] : impl_->caches.services.all()) impl_->controller.queue().add(key);
}

}  // namespace twinspan::sandbox
