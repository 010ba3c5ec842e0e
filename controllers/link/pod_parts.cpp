#include "controllers/link/pod_parts.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

constexpr int kUser = 26026;

Json from_field(const char* name, const char* path) {
  return {{"name", name}, {"valueFrom", {{"fieldRef", {{"fieldPath", path}}}}}};
}

Json spread(const api::ReplicationLink& link) {
  return {{{"maxSkew", 1},
           {"topologyKey", "kubernetes.io/hostname"},
           {"whenUnsatisfiable", "ScheduleAnyway"},
           {"labelSelector", {{"matchLabels", {{std::string(kLinkLabel), link.metadata.name}}}}}}};
}

}  // namespace

Json health_probe(const char* path, int period_seconds, int timeout_seconds, int failures) {
  return {{"httpGet", {{"path", path}, {"port", "health"}}},
          {"periodSeconds", period_seconds},
          {"timeoutSeconds", timeout_seconds},
          {"failureThreshold", failures}};
}

Json own_facts() {
  return {from_field("POD_NAME", "metadata.name"), from_field("POD_UID", "metadata.uid"),
          from_field("POD_IP", "status.podIP")};
}

Json confined() {
  return {{"allowPrivilegeEscalation", false}, {"readOnlyRootFilesystem", true}, {"capabilities", {{"drop", {"ALL"}}}}};
}

Json secret_volume(const std::string& name, const std::string& secret_name) {
  return {{"name", name}, {"secret", {{"secretName", secret_name}, {"defaultMode", 0440}}}};
}

Json worker_pod_spec(const api::ReplicationLink& link, const std::vector<std::string>& image_pull_secrets) {
  std::vector<std::string> names;
  for (const auto& own : link.spec.image_pull_secrets) names.push_back(own.name);
  for (const std::string& common : image_pull_secrets)
    if (std::find(names.begin(), names.end(), common) == names.end()) names.push_back(common);
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
                 {"seccompProfile", {{"type", "RuntimeDefault"}}}}}};
  for (const std::string& name : names) spec["imagePullSecrets"].push_back({{"name", name}});
  return spec;
}

void place(Json& spec, const api::ReplicationLink& link, const Placement& placement) {
  if (!placement.node_selector.empty()) spec["nodeSelector"] = placement.node_selector;
  if (!placement.affinity.is_null()) spec["affinity"] = placement.affinity;
  if (!placement.tolerations.empty()) spec["tolerations"] = placement.tolerations;
  if (!placement.topology_spread_constraints.empty())
    spec["topologySpreadConstraints"] = placement.topology_spread_constraints;
  else if (placement.affinity.is_null())
    spec["topologySpreadConstraints"] = spread(link);
}

}  // namespace twinspan::controllers
