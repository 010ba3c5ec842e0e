#include "controllers/s3/s3_render.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/pod_parts.hpp"

namespace twinspan::controllers {
namespace {

constexpr const char* kMounts = "/etc/twinspan/s3";  // ENDPOINT/credentials, ENDPOINT/ca

Json labels_of(const api::ReplicationLink& link) {
  return {{std::string(kManagedByLabel), kManagedBy},
          {std::string(kNameLabel), kWorkerName},
          {std::string(kLinkLabel), link.metadata.name},
          {std::string(kEndpointLabel), kS3Member}};
}

template <class Each>
void for_each_endpoint(const api::ReplicationLink& link, Each each) {
  each(link.spec.source);
  for (const api::Endpoint& target : link.spec.targets) each(target);
}

// The keys of a Secret as files below ENDPOINT/. Optional: a worker whose Secret is missing says so in the status,
// where a pod that can't start says nothing. A Secret that comes or changes later reaches the worker by the mount.
Json projected(const std::string& secret_name, const std::string& folder, std::initializer_list<const char*> keys) {
  Json items = Json::array();
  for (const char* key : keys) items.push_back({{"key", key}, {"path", folder + "/" + key}});
  return {{"secret", {{"name", secret_name}, {"optional", true}, {"items", std::move(items)}}}};
}

// Only the keys that mean something: what else lies in those Secrets is none of the worker's business.
Json sources_of(const api::ReplicationLink& link) {
  Json sources = Json::array();
  for_each_endpoint(link, [&](const api::Endpoint& endpoint) {
    const api::S3Endpoint& s3 = *endpoint.s3;
    if (s3.credentials_secret_ref)
      sources.push_back(projected(s3.credentials_secret_ref->name, endpoint.name + "/credentials",
                                  {"accessKeyId", "secretAccessKey", "sessionToken", "AWS_ACCESS_KEY_ID",
                                   "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}));
    if (s3.ca_secret_ref) sources.push_back(projected(s3.ca_secret_ref->name, endpoint.name + "/ca", {"ca.crt"}));
  });
  if (const auto& encryption = link.spec.s3.client_encryption) {
    Json source = projected(encryption->key_secret_ref.name, "client_encryption", {});
    source["secret"]["items"].push_back({{"key", encryption->key_secret_ref.key}, {"path", "client_encryption/key"}});
    sources.push_back(std::move(source));
  }
  return sources;
}

Json pod_spec(const api::ReplicationLink& link, const RenderConfig& config) {
  const api::S3Settings& settings = link.spec.s3;
  Json volumes = {{{"name", "tmp"}, {"emptyDir", Json::object()}},
                  secret_volume("tls", tls_secret_name(link.metadata.name, kS3Member))};
  Json mounts = {{{"name", "tmp"}, {"mountPath", "/tmp"}},
                 {{"name", "tls"}, {"mountPath", "/etc/twinspan/tls"}, {"readOnly", true}}};
  if (Json sources = sources_of(link); !sources.empty()) {
    volumes.push_back({{"name", "s3"}, {"projected", {{"defaultMode", 0440}, {"sources", std::move(sources)}}}});
    mounts.push_back({{"name", "s3"}, {"mountPath", kMounts}, {"readOnly", true}});
  }
  Json container = {
      {"name", "worker"},
      {"image", settings.image.value_or(config.s3_worker_image)},
      {"command", {"twinspan-s3-worker"}},
      {"args",
       {"--namespace", link.metadata.ns, "--link", link.metadata.name, "--pod-name", "$(POD_NAME)", "--pod-uid",
        "$(POD_UID)", "--address", "$(POD_IP)", "--tls-dir", "/etc/twinspan/tls", "--s3-dir", kMounts}},
      {"env", own_facts()},
      {"ports", {{{"name", "status"}, {"containerPort", 8443}}, {{"name", "health"}, {"containerPort", 8080}}}},
      {"readinessProbe", health_probe("/readyz", 2, 2, 3)},
      {"livenessProbe", health_probe("/healthz", 10, 5, 6)},
      {"securityContext", confined()},
      {"volumeMounts", std::move(mounts)}};
  if (!config.image_pull_policy.empty()) container["imagePullPolicy"] = config.image_pull_policy;
  if (!settings.resources.is_null()) container["resources"] = settings.resources;
  Json spec = worker_pod_spec(link, config.image_pull_secrets);
  spec["containers"] = Json::array({std::move(container)});
  spec["volumes"] = std::move(volumes);
  place(spec, link,
        {settings.node_selector, settings.affinity, settings.tolerations, settings.topology_spread_constraints});
  return spec;
}

}  // namespace

Json render_s3_set(const api::ReplicationLink& link, const RenderConfig& config) {
  const std::string name = s3_set_name(link.metadata.name);
  const Json labels = labels_of(link);
  Json set = render_meta(link, "apps/v1", "StatefulSet", name, std::string(kS3Member), true);
  set["spec"] = {{"replicas", link.spec.s3.workers},
                 {"serviceName", name},
                 {"podManagementPolicy", "Parallel"},
                 {"selector", {{"matchLabels", labels}}},
                 {"template", {{"metadata", {{"labels", labels}}}, {"spec", pod_spec(link, config)}}}};
  annotate_hash(set, stable_hash(set["spec"].dump()));
  annotate_origin(set, config);
  return set;
}

Json render_s3_role(const api::ReplicationLink& link, size_t shares) {
  std::vector<std::string> leases;
  for (size_t share = 0; share < shares; ++share)
    leases.push_back(s3_lease_name(link.metadata.name, static_cast<int64_t>(share)));
  Json role = render_role(link, leases);
  if (shares == 1 && !link.status.division) return role;
  role["rules"].push_back(
      {{"apiGroups", {"coordination.k8s.io"}}, {"resources", {"leases"}}, {"verbs", {"get", "list", "watch"}}});
  annotate_hash(role);
  return role;
}

Json render_s3_budget(const api::ReplicationLink& link) {
  Json budget = render_budget(link);
  budget["metadata"].erase("annotations");
  budget["spec"].erase("minAvailable");
  budget["spec"]["maxUnavailable"] = 1;
  annotate_hash(budget);
  return budget;
}

Json render_s3_network_policy(const api::ReplicationLink& link, const NetworkRules& rules) {
  std::set<int64_t> ports;
  for_each_endpoint(link, [&](const api::Endpoint& endpoint) {
    ports.insert(port_of(endpoint.s3->endpoint));
    if (!endpoint.s3->credentials_secret_ref) ports.insert(80);  // the instance's metadata service gives them
  });
  return render_network_policy(link, rules, Clients::kNone, ports);
}

}  // namespace twinspan::controllers
