#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/pod_template.hpp"
#include "api/quantity.hpp"
#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/pod_parts.hpp"
#include "controllers/link/render.hpp"
#include "core/merge_patch.hpp"

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
                {{"name", "shm"}, {"mountPath", "/dev/shm"}},
                {{"name", "tls"}, {"mountPath", "/etc/twinspan/tls"}, {"readOnly", true}},
                {{"name", "owner"}, {"mountPath", "/etc/twinspan/owner"}, {"readOnly", true}}}}};
  if (!config.image_pull_policy.empty()) out["imagePullPolicy"] = config.image_pull_policy;
  if (!managed.resources.is_null()) out["resources"] = managed.resources;
  return out;
}

// The runtime's own is 64 MiB, which a parallel hash join fills. What lies in there counts as the container's memory.
std::string shared_memory(const api::ManagedPostgres& managed) {
  if (managed.shared_memory) return *managed.shared_memory;
  constexpr int64_t kMost = int64_t{1} << 30, kMiB = 1 << 20;
  const Json& limit = member_of(member_of(managed.resources, "limits"), "memory");
  const auto bytes = api::parse_quantity(limit.is_string() ? limit.get<std::string>() : limit.dump());
  if (limit.is_null() || !bytes) return "1Gi";
  const auto half = static_cast<int64_t>(std::min(static_cast<double>(*bytes) / 2, static_cast<double>(kMost)));
  return half >= kMost ? "1Gi" : fmt::format("{}Mi", std::max<int64_t>(half / kMiB, 1));
}

Json volumes(const api::ReplicationLink& link, const api::Endpoint& endpoint, const api::ManagedPostgres& managed) {
  const Json empty = Json::object();
  Json data = {{"name", "data"}};
  if (managed.storage.ephemeral)
    data["emptyDir"] = empty;
  else
    data["persistentVolumeClaim"] = {{"claimName", claim_name(link.metadata.name, endpoint.name)}};
  // Data that exist are served also where somebody has deleted the Secret.
  Json owner = secret_volume("owner", owner_secret_name(link));
  owner["secret"]["optional"] = true;
  return {data,
          {{"name", "run"}, {"emptyDir", empty}},
          {{"name", "tmp"}, {"emptyDir", empty}},
          {{"name", "shm"}, {"emptyDir", {{"medium", "Memory"}, {"sizeLimit", shared_memory(managed)}}}},
          secret_volume("tls", tls_secret_name(link.metadata.name, endpoint.name)),
          owner};
}

// The spec has been judged (api/pod_template.hpp); whatever it says, ours stays.
void add_template(Json& pod, const api::PodTemplate& added) {
  Json& meta = pod["metadata"];
  for (const auto& [key, value] : added.labels) meta["labels"].emplace(key, value);
  for (const auto& [key, value] : added.annotations) meta["annotations"].emplace(key, value);
  if (added.priority_class_name) pod["spec"]["priorityClassName"] = *added.priority_class_name;
  for (const api::EnvVariable& one : added.env)
    if (!api::is_reserved_variable(one.name))
      pod["spec"]["containers"][0]["env"].push_back({{"name", one.name}, {"value", one.value}});
}

// Where no label or annotation is added, of the spec alone: pods that earlier versions made have that hash.
std::string hash_of(const Json& pod, const api::ManagedPostgres& managed) {
  std::string text = pod.at("spec").dump();
  if (const auto& added = managed.pod_template; added && (!added->labels.empty() || !added->annotations.empty()))
    text += Json::array({added->labels, added->annotations}).dump();
  return stable_hash(text);
}

Json render_without_hash(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config) {
  const api::ManagedPostgres& managed = *endpoint.postgres->managed;
  Json pod = render_meta(link, "v1", "Pod", pod_name(link.metadata.name, endpoint.name), endpoint.name, true);
  pod["metadata"]["labels"][std::string(kNameLabel)] = kWorkerName;
  Json spec = worker_pod_spec(link, config.image_pull_secrets);
  spec["containers"] = Json::array({container(link, endpoint, managed, config)});
  spec["volumes"] = volumes(link, endpoint, managed);
  place(spec, link,
        {managed.node_selector, managed.affinity, managed.tolerations, managed.topology_spread_constraints});
  pod["spec"] = std::move(spec);
  if (managed.pod_template) add_template(pod, *managed.pod_template);
  return pod;
}

}  // namespace

Json render_pod(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config) {
  Json pod = render_without_hash(link, endpoint, config);
  annotate_hash(pod, hash_of(pod, *endpoint.postgres->managed));
  annotate_origin(pod, config);
  pod["metadata"]["annotations"][std::string(kAskedAnnotation)] = asked_of_pod(link, endpoint);
  return pod;
}

std::string pod_hash(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config) {
  return hash_of(render_without_hash(link, endpoint, config), *endpoint.postgres->managed);
}

std::string asked_of_pod(const api::ReplicationLink& link, const api::Endpoint& endpoint) {
  // Without what is as by default: a field that a later version adds is no edit.
  Json asked = merge_patch_between(api::to_json(api::ManagedPostgres()), api::to_json(*endpoint.postgres->managed));
  for (const char* elsewhere : {"parameters", "storage"}) asked.erase(elsewhere);  // not in the pod, or immutable
  asked["ownerSecret"] = owner_secret_name(link);
  for (const auto& secret : link.spec.image_pull_secrets) asked["imagePullSecrets"].push_back(secret.name);
  return stable_hash(asked.dump());
}

}  // namespace twinspan::controllers
