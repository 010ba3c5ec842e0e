#include "sandbox/runtime/endpoints.hpp"

#include <fmt/format.h>

#include "kube/controller.hpp"

namespace twinspan::sandbox {
namespace {

constexpr const char* kServiceNameLabel = "kubernetes.io/service-name";
constexpr const char* kManagedByLabel = "endpointslice.kubernetes.io/managed-by";

const Json kNothing = Json::object();
const Json& member(const Json& object, const char* field) {
  const auto found = object.find(field);
  return found == object.end() || found->is_null() ? kNothing : *found;
}

bool is_ready(const Json& pod) {
  for (const Json& condition : member(member(pod, "status"), "conditions"))
    if (condition.value("type", "") == "Ready") return condition.value("status", "") == "True";
  return false;
}

int target_port(const Json& port, const std::vector<std::shared_ptr<const Json>>& pods) {
  const Json target = port.value("targetPort", port.at("port"));
  if (target.is_number_integer()) return target.get<int>();
  for (const auto& pod : pods)
    for (const Json& container : member(*pod, "spec").value("containers", Json::array()))
      for (const Json& candidate : container.value("ports", Json::array()))
        if (candidate.value("name", "") == target.get<std::string>()) return candidate.value("containerPort", 0);
  return 0;
}

// Everything of a slice that this controller decides.
bool same(const Json& have, const Json& want) {
  return member(have, "endpoints") == want["endpoints"] && member(have, "ports") == want["ports"] &&
         member(member(have, "metadata"), "labels") == want["metadata"]["labels"];
}

}  // namespace

bool selects(const Json& service, const Json& pod) {
  const Json& selector = member(member(service, "spec"), "selector");
  if (selector.empty()) return false;
  const Json& labels = member(member(pod, "metadata"), "labels");
  for (const auto& [key, value] : selector.items())
    if (const auto found = labels.find(key); found == labels.end() || *found != value) return false;
  return true;
}

std::optional<Json> desired_slice(const Json& service, const std::vector<std::shared_ptr<const Json>>& pods) {
  const Json& spec = member(service, "spec");
  if (member(spec, "selector").empty() || spec.value("type", "") == "ExternalName") return std::nullopt;
  const Json& metadata = service.at("metadata");
  const std::string name = metadata.at("name").get<std::string>();
  const bool publish_not_ready = spec.value("publishNotReadyAddresses", false);

  std::vector<std::shared_ptr<const Json>> chosen;
  for (const auto& pod : pods) {
    const Json& status = member(*pod, "status");
    const std::string phase = status.value("phase", "");
    if (selects(service, *pod) && !status.value("podIP", "").empty() && phase != "Succeeded" && phase != "Failed")
      chosen.push_back(pod);
  }
  std::ranges::sort(chosen, {},
                    [](const auto& pod) { return pod->at("metadata").at("name").template get<std::string>(); });

  Json endpoints = Json::array();
  for (const auto& pod : chosen) {
    const Json& pod_metadata = pod->at("metadata");
    const bool ready = is_ready(*pod), terminating = pod_metadata.contains("deletionTimestamp");
    Json endpoint{{"addresses", Json::array({pod->at("status").at("podIP")})},
                  {"conditions",
                   {{"ready", publish_not_ready || (ready && !terminating)},
                    {"serving", publish_not_ready || ready},
                    {"terminating", terminating}}},
                  {"targetRef",
                   {{"kind", "Pod"},
                    {"namespace", pod_metadata.at("namespace")},
                    {"name", pod_metadata.at("name")},
                    {"uid", pod_metadata.at("uid")}}}};
    if (const std::string node = member(*pod, "spec").value("nodeName", ""); !node.empty()) endpoint["nodeName"] = node;
    endpoints.push_back(std::move(endpoint));
  }
  Json ports = Json::array();
  for (const Json& port : spec.value("ports", Json::array()))
    if (const int number = target_port(port, chosen); number != 0)
      ports.push_back(
          {{"name", port.value("name", "")}, {"port", number}, {"protocol", port.value("protocol", "TCP")}});

  Json labels = metadata.value("labels", Json::object());
  labels[kServiceNameLabel] = name;
  labels[kManagedByLabel] = "endpointslice-controller.k8s.io";
  const Json owner{{"apiVersion", "v1"},        {"kind", "Service"},  {"name", name},
                   {"uid", metadata.at("uid")}, {"controller", true}, {"blockOwnerDeletion", true}};
  return Json{{"apiVersion", "discovery.k8s.io/v1"},
              {"kind", "EndpointSlice"},
              {"metadata",
               {{"name", name + "-sandbox"},
                {"namespace", metadata.at("namespace")},
                {"labels", labels},
                {"ownerReferences", Json::array({owner})}}},
              {"addressType", "IPv4"},
              {"endpoints", endpoints},
              {"ports", ports}};
}

struct EndpointsController::Impl {
  Impl(kube::Client& given, RuntimeCaches& cache, const Clock& clock)
      : client(given),
        caches(cache),
        controller("sandbox-endpoints", 1, clock,
                   [this](const kube::Key& key, const std::stop_token&) { return reconcile(key); }) {}

  kube::Client& client;
  RuntimeCaches& caches;
  kube::Controller controller;

  void enqueue_services_of(const kube::Key& key, const std::shared_ptr<const Json>& pod) {
    if (!pod) return;
    for (const auto& [service_key, service] : caches.services.all())
      if (service_key.ns == key.ns && selects(*service, *pod)) controller.queue().add(service_key);
  }

  Result<kube::Requeue> reconcile(const kube::Key& key) {
    const auto service = caches.services.find(key);
    const kube::Key slice_key{key.ns, key.name + "-sandbox"};
    const auto have = caches.slices.find(slice_key);
    std::vector<std::shared_ptr<const Json>> pods;
    if (service)
      for (const auto& [pod_key, pod] : caches.pods.all())
        if (pod_key.ns == key.ns) pods.push_back(pod);
    auto want = service ? desired_slice(*service, pods) : std::nullopt;
    if (!want) {
      if (!have) return kube::Requeue::none();
      auto removed = client.remove(kube::kEndpointSlices, slice_key);
      if (!removed && removed.error().code != Code::kNotFound) return std::unexpected(removed.error());
      return kube::Requeue::none();
    }
    if (have && same(*have, *want)) return kube::Requeue::none();
    if (have) (*want)["metadata"]["resourceVersion"] = have->at("metadata").at("resourceVersion");
    auto written = have ? client.update(kube::kEndpointSlices, *want) : client.create(kube::kEndpointSlices, *want);
    if (!written) return std::unexpected(written.error());
    caches.slices.wrote(*written);
    return kube::Requeue::none();
  }
};

EndpointsController::EndpointsController(kube::Client& client, RuntimeCaches& caches, const Clock& clock)
    : impl_(std::make_unique<Impl>(client, caches, clock)) {
  Impl* impl = impl_.get();
  caches.services.add_handler(
      [impl](const kube::Key& key, const auto&, const auto&) { impl->controller.queue().add(key); });
  caches.pods.add_handler([impl](const kube::Key& key, const auto& before, const auto& after) {
    impl->enqueue_services_of(key, before);
    impl->enqueue_services_of(key, after);
  });
  caches.slices.add_handler([impl](const kube::Key& key, const auto& before, const auto& after) {
    const Json& labels = member(member(after ? *after : *before, "metadata"), "labels");
    if (const std::string service = labels.value(kServiceNameLabel, ""); !service.empty())
      impl->controller.queue().add({key.ns, service});
  });
}

EndpointsController::~EndpointsController() = default;
void EndpointsController::start() { impl_->controller.start(); }
void EndpointsController::stop() { impl_->controller.stop(); }

}  // namespace twinspan::sandbox
