#include "controllers/link/render_set.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

Json pod_spec(const api::ReplicationLink& link, const WorkerSet& set, const RenderConfig& config) {
  const std::string folder = "/etc/twinspan/" + set.folder;
  Json volumes = {{{"name", "tmp"}, {"emptyDir", Json::object()}},
                  secret_volume("tls", tls_secret_name(link.metadata.name, set.member))};
  Json mounts = {{{"name", "tmp"}, {"mountPath", "/tmp"}},
                 {{"name", "tls"}, {"mountPath", "/etc/twinspan/tls"}, {"readOnly", true}}};
  if (!set.secrets.empty()) {
    volumes.push_back({{"name", set.folder}, {"projected", {{"defaultMode", 0440}, {"sources", set.secrets}}}});
    mounts.push_back({{"name", set.folder}, {"mountPath", folder}, {"readOnly", true}});
  }
  Json container = {
      {"name", "worker"},
      {"image", set.image},
      {"command", {set.program}},
      {"args",
       {"--namespace", link.metadata.ns, "--link", link.metadata.name, "--pod-name", "$(POD_NAME)", "--pod-uid",
        "$(POD_UID)", "--address", "$(POD_IP)", "--tls-dir", "/etc/twinspan/tls", "--" + set.folder + "-dir", folder}},
      {"env", own_facts()},
      {"ports", {{{"name", "status"}, {"containerPort", 8443}}, {{"name", "health"}, {"containerPort", 8080}}}},
      {"readinessProbe", health_probe("/readyz", 2, 2, 3)},
      {"livenessProbe", health_probe("/healthz", 10, 5, 6)},
      {"securityContext", confined()},
      {"volumeMounts", std::move(mounts)}};
  if (!config.image_pull_policy.empty()) container["imagePullPolicy"] = config.image_pull_policy;
  if (!set.resources.is_null()) container["resources"] = set.resources;
  Json spec = worker_pod_spec(link, config.image_pull_secrets);
  spec["containers"] = Json::array({std::move(container)});
  spec["volumes"] = std::move(volumes);
  place(spec, link, set.placement);
  return spec;
}

}  // namespace

Json projected_secret(const std::string& secret_name, const std::string& folder,
                      std::initializer_list<const char*> keys) {
  Json items = Json::array();
  for (const char* key : keys) items.push_back({{"key", key}, {"path", folder + "/" + key}});
  return {{"secret", {{"name", secret_name}, {"optional", true}, {"items", std::move(items)}}}};
}

Json render_worker_set(const api::ReplicationLink& link, const WorkerSet& set, const RenderConfig& config) {
  const Json labels = {{std::string(kManagedByLabel), kManagedBy},
                       {std::string(kNameLabel), kWorkerName},
                       {std::string(kLinkLabel), link.metadata.name},
                       {std::string(kEndpointLabel), set.member}};
  Json object = render_meta(link, "apps/v1", "StatefulSet", set.name, set.member, true);
  object["spec"] = {{"replicas", set.replicas},
                    {"serviceName", set.name},
                    {"podManagementPolicy", "Parallel"},
                    {"selector", {{"matchLabels", labels}}},
                    {"template", {{"metadata", {{"labels", labels}}}, {"spec", pod_spec(link, set, config)}}}};
  annotate_hash(object, stable_hash(object["spec"].dump()));
  annotate_origin(object, config);
  return object;
}

Json render_set_budget(const api::ReplicationLink& link) {
  Json budget = render_budget(link);
  budget["metadata"].erase("annotations");
  budget["spec"].erase("minAvailable");
  budget["spec"]["maxUnavailable"] = 1;
  annotate_hash(budget);
  return budget;
}

}  // namespace twinspan::controllers
