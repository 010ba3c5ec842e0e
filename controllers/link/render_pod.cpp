#include <nlohmann/json.hpp>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/render.hpp"

namespace twinspan::controllers {
namespace {

constexpr int kUser = 26026;

Json probe(const char* path, int period_seconds, int timeout_seconds, int failures) {
  return {{"httpGet", {{"path", path}, {"port", "health"}}},
          {"periodSeconds", period_seconds},
          {"timeoutSeconds", timeout_seconds},
          {"failureThreshold", failures}};
}

Json from_field(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

Json container(const api::ReplicationLink& link, const api::Endpoint& endpoint, const api::ManagedPostgres& managed,
               const RenderConfig& config) {
  Json out = {
      {"name", "worker"},
      {"image", managed.image.value_or(config.worker_image)},
      {"command", {"twinspan-worker"}},
      {"args", {"--namespace",        link.metadata.ns,       "--link",      link.metadata.name,
                "--endpoint",         endpoint.name,          "--pod-name",  "$(POD_NAME)",
                "--pod-uid",          "$(POD_UID)",           "--address",   "$(POD_IP)",
                "--data-dir",         "/var/lib/twinspan",    "--run-dir",   "/run/twinspan",
                "--tls-dir",          "/etc/twinspan/tls",    "--owner-dir", "/etc/twinspan/owner",
                "--postgres-bin-dir", config.postgres_bin_dir}},
      {"env",
       {from_field("POD_NAME", "metadata.name"), from_field("POD_UID", "metadata.uid"),
        from_field("POD_IP", "status.podIP")}},
      {"ports",
       {{{"name", "postgres"}, {"containerPort", 5432}},
        {{"name", "status"}, {"containerPort", 8443}},
        {{"name", "health"}, {"containerPort", 8080}}}},
      {"readinessProbe", probe("/readyz", 2, 2, 3)},
      // Lenient: the agent watches PostgreSQL itself; this one is for an agent that hangs, and a restart costs a
      // failover.
      {"livenessProbe", probe("/healthz", 10, 5, 6)},
      {"securityContext",
       {{"allowPrivilegeEscalation", false}, {"readOnlyRootFilesystem", true}, {"capabilities", {{"drop", {"ALL"}}}}}},
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
  // 0440 with fsGroup: the group of the worker reads, nobody else does.
  const auto secret = [](const char* name, const std::string& secret_name) -> Json {
    return {{"name", name}, {"secret", {{"secretName", secret_name}, {"defaultMode", 0440}}}};
  };
  return {data,
          {{"name", "run"}, {"emptyDir", empty}},
          {{"name", "tmp"}, {"emptyDir", empty}},
          secret("tls", tls_secret_name(link.metadata.name, endpoint.name)),
          secret("owner", owner_secret_name(link))};
}

// Where nothing is asked for, endpoints of one link go to different nodes as far as there are some.
Json spread(const api::ReplicationLink& link) {
  return {{{"maxSkew", 1},
           {"topologyKey", "kubernetes.io/hostname"},
           {"whenUnsatisfiable", "ScheduleAnyway"},
           {"labelSelector", {{"matchLabels", {{std::string(kLinkLabel), link.metadata.name}}}}}}};
}

Json render_without_hash(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config) {
  const api::ManagedPostgres& managed = *endpoint.postgres->managed;
  Json pod = render_meta(link, "v1", "Pod", pod_name(link.metadata.name, endpoint.name), endpoint.name, true);
  pod["metadata"]["labels"][std::string(kNameLabel)] = kWorkerName;
  Json spec = {{"serviceAccountName", worker_account_name(link.metadata.name)},
               {"restartPolicy", "Always"},
               {"terminationGracePeriodSeconds", 30},
               {"enableServiceLinks", false},
               {"securityContext",
                {{"runAsNonRoot", true},
                 {"runAsUser", kUser},
                 {"runAsGroup", kUser},
                 {"fsGroup", kUser},
                 {"fsGroupChangePolicy", "OnRootMismatch"},
                 {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
               {"containers", Json::array({container(link, endpoint, managed, config)})},
               {"volumes", volumes(link, endpoint, managed)}};
  if (!managed.node_selector.empty()) spec["nodeSelector"] = managed.node_selector;
  if (!managed.affinity.is_null()) spec["affinity"] = managed.affinity;
  if (!managed.tolerations.empty()) spec["tolerations"] = managed.tolerations;
  if (!managed.topology_spread_constraints.empty())
    spec["topologySpreadConstraints"] = managed.topology_spread_constraints;
  else if (managed.affinity.is_null())
    spec["topologySpreadConstraints"] = spread(link);
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
