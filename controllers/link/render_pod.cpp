#include <nlohmann/json.hpp>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/pod_parts.hpp"
#include "controllers/link/render.hpp"

namespace twinspan::controllers {
namespace {

Json container(const api::ReplicationLink& link, const api::Endpoint& endpoint, const api::ManagedPostgres& managed,
               const RenderConfig& config) {
  Json out = {{"name", "worker"},
              {"image", managed.image.value_or(config.worker_image)},
              {"command", {"twinspan-worker"}},
              {"args", {"--namespace",        link.metadata.ns,       "--link",      link.metadata.name,
                        "--endpoint",         endpoint.name,          "--pod-name",  "$(POD_NAME)",
                        "--pod-uid",          "$(POD_UID)",           "--address",   "$(POD_IP)",
                        "--data-dir",         "/var/lib/twinspan",    "--run-dir",   "/run/twinspan",
                        "--tls-dir",          "/etc/twinspan/tls",    "--owner-dir", "/etc/twinspan/owner",
                        "--postgres-bin-dir", config.postgres_bin_dir}},
              {"env", own_facts()},
              {"ports",
               {{{"name", "postgres"}, {"containerPort", 5432}},
                {{"name", "status"}, {"containerPort", 8443}},
                {{"name", "health"}, {"containerPort", 8080}}}},
              {"readinessProbe", health_probe("/readyz", 2, 2, 3)},
              // Lenient: the agent watches PostgreSQL itself; this one is for an agent that hangs, and a restart costs
              // a failover.
              {"livenessProbe", health_probe("/healthz", 10, 5, 6)},
              {"securityContext", confined()},
              {"volumeMounts",
               {{{"name", "data"}, {"mountPath", "/var/lib/twinspan"}},
                {{"name", "run"}, {"mountPath", "/run/twinspan"}},
                {{"name", "tmp"}, {"mountPath", "/tmp"}},
                {{"name", "tls"}, {"mountPath", "/etc/twinspan/tls"}, {"readOnly", true}},
                {{"name", "owner"}, {"mountPath", "/etc/twinspan/owner"}, {"readOnly", true}}}}};
  if (!config.image_pull_policy.empty()) out["imagePullPolicy"] = config.image_pull_policy;
  if (!managed.resources.is_null()) out["resources"] = managed.resources;
  return out;
}

Json volumes(const api::ReplicationLink& link, const api::Endpoint& endpoint, const api::ManagedPostgres& managed) {
  const Json empty = Json::object();
  Json data = {{"name", "data"}};
  if (managed.storage.ephemeral)
    data["emptyDir"] = empty;
  else
    data["persistentVolumeClaim"] = {{"claimName", claim_name(link.metadata.name, endpoint.name)}};
  return {data,
          {{"name", "run"}, {"emptyDir", empty}},
          {{"name", "tmp"}, {"emptyDir", empty}},
          secret_volume("tls", tls_secret_name(link.metadata.name, endpoint.name)),
          secret_volume("owner", owner_secret_name(link))};
}

Json render_without_hash(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config) {
  const api::ManagedPostgres& managed = *endpoint.postgres->managed;
  Json pod = render_meta(link, "v1", "Pod", pod_name(link.metadata.name, endpoint.name), endpoint.name, true);
  pod["metadata"]["labels"][std::string(kNameLabel)] = kWorkerName;
  Json spec = worker_pod_spec(link);
  spec["containers"] = Json::array({container(link, endpoint, managed, config)});
  spec["volumes"] = volumes(link, endpoint, managed);
  place(spec, link,
        {managed.node_selector, managed.affinity, managed.tolerations, managed.topology_spread_constraints});
  pod["spec"] = std::move(spec);
  return pod;
}

}  // namespace

Json render_pod(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config) {
  Json pod = render_without_hash(link, endpoint, config);
  annotate_hash(pod, stable_hash(pod["spec"].dump()));
  return pod;
}

std::string pod_hash(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config) {
  return stable_hash(render_without_hash(link, endpoint, config)["spec"].dump());
}

}  // namespace twinspan::controllers
