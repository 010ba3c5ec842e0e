#include "controllers/backup/test_render.hpp"

#include <nlohmann/json.hpp>

#include "api/endpoints.hpp"
#include "contract/restore_test.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/network_rules.hpp"
#include "controllers/link/pod_parts.hpp"
#include "core/text.hpp"

namespace twinspan::controllers {
namespace {

constexpr int kLongestSeconds = 24 * 3600;
constexpr const char* kVolume = "restored";  // its claim is none of an endpoint's, which end with -data

const api::ManagedPostgres* pattern_of(const api::ReplicationLink& link) {
  for (const auto& [endpoint, field] : api::endpoint_places(link))
    if (const auto& postgres = endpoint->postgres; postgres && postgres->managed) return &*postgres->managed;
  return nullptr;
}

RestoreTestOrder order_of(const api::ReplicationLink& link, const api::ManagedPostgres& pattern) {
  const api::BackupAssignment& backup = *link.status.backup;
  RestoreTestOrder order;
  order.stanza = backup.stanza;
  order.destination = backup.destination;
  order.encryption = backup.encryption;
  order.test = *backup.test;
  order.database = link.spec.postgres.database;
  // By another case, too: PostgreSQL takes either.
  for (const auto& [name, value] : pattern.parameters)
    if (to_lower(name) == "shared_preload_libraries") order.libraries = value;
  return order;
}

Json secrets_of(const RestoreTestOrder& order) {
  Json sources = Json::array();
  const auto add = [&](const std::string& secret, const std::string& key) {
    // Optional: the pod starts without it, and says what is missing.
    sources.push_back({{"secret",
                        {{"name", secret},
                         {"optional", true},
                         {"items", Json::array({{{"key", key}, {"path", secret_file_name(secret, key)}}})}}}});
  };
  const api::S3Destination& s3 = order.destination.s3;
  add(s3.credentials_secret_ref.name, "accessKeyId");
  add(s3.credentials_secret_ref.name, "secretAccessKey");
  if (s3.ca_secret_ref) add(s3.ca_secret_ref->name, "ca.crt");
  if (order.encryption) add(order.encryption->key_secret_ref.name, order.encryption->key_secret_ref.key);
  return {{"name", "secrets"}, {"projected", {{"defaultMode", 0440}, {"sources", std::move(sources)}}}};
}

Json volume_of(const api::BackupSchedule& schedule, const api::ManagedPostgres& pattern, const Json& labels) {
  const auto& test = schedule.spec.verification ? schedule.spec.verification->restore_test : std::nullopt;
  const auto& asked = test ? test->storage : std::nullopt;
  if (pattern.storage.ephemeral && !asked) return {{"name", kVolume}, {"emptyDir", Json::object()}};
  Json claim = {
      {"accessModes", {"ReadWriteOnce"}},
      {"resources", {{"requests", {{"storage", asked && asked->size ? *asked->size : pattern.storage.size}}}}}};
  const auto& storage_class =
      asked && asked->storage_class_name ? asked->storage_class_name : pattern.storage.storage_class_name;
  if (storage_class) claim["storageClassName"] = *storage_class;
  return {{"name", kVolume},
          {"ephemeral", {{"volumeClaimTemplate", {{"metadata", {{"labels", labels}}}, {"spec", std::move(claim)}}}}}};
}

Json labels_of(const api::ReplicationLink& link) {
  // None of those by which the link's own pods are found.
  return {{std::string(kNameLabel), kRestoreTestName}, {std::string(kRestoreTestLabel), link.metadata.name}};
}

}  // namespace

Result<Json> render_test_pod(const api::ReplicationLink& link, const api::BackupSchedule& schedule,
                             const RenderConfig& config) {
  const api::ManagedPostgres* pattern = pattern_of(link);
  if (!pattern) return fail(Code::kInvalid, "the link has no managed endpoint, whose image could be taken");
  const RestoreTestOrder order = order_of(link, *pattern);
  Json pod = render_meta(link, "v1", "Pod", restore_test_name(link.metadata.name), "", true);
  pod["metadata"]["labels"] = labels_of(link);
  pod["metadata"]["annotations"] = {{std::string(kRestoreTestAnnotation), to_json(order).dump()},
                                    {"cluster-autoscaler.kubernetes.io/safe-to-evict", "false"}};
  Json spec = worker_pod_spec(link, config.image_pull_secrets);
  spec.erase("serviceAccountName");  // its rights are none: neither at the API nor at a cloud
  spec["automountServiceAccountToken"] = false;
  spec["restartPolicy"] = "Never";
  spec["activeDeadlineSeconds"] = kLongestSeconds;
  Json container = {{"name", "restore-test"},
                    {"image", pattern->image.value_or(config.worker_image)},
                    {"command", {"twinspan-worker"}},
                    {"args",
                     {"restore-test", "--order", "/etc/twinspan/order/order.json", "--secrets-dir",
                      "/etc/twinspan/secrets", "--data-dir", "/var/lib/twinspan", "--run-dir", "/run/twinspan",
                      "--result", "/dev/termination-log", "--postgres-bin-dir", config.postgres_bin_dir}},
                    {"terminationMessagePath", "/dev/termination-log"},
                    {"securityContext", confined()},
                    {"volumeMounts",
                     {{{"name", kVolume}, {"mountPath", "/var/lib/twinspan"}},
                      {{"name", "run"}, {"mountPath", "/run/twinspan"}},
                      {{"name", "tmp"}, {"mountPath", "/tmp"}},
                      {{"name", "order"}, {"mountPath", "/etc/twinspan/order"}, {"readOnly", true}},
                      {{"name", "secrets"}, {"mountPath", "/etc/twinspan/secrets"}, {"readOnly", true}}}}};
  if (!config.image_pull_policy.empty()) container["imagePullPolicy"] = config.image_pull_policy;
  if (!pattern->resources.is_null()) container["resources"] = pattern->resources;
  spec["containers"] = Json::array({std::move(container)});
  const Json order_file = {
      {"path", "order.json"},
      {"fieldRef", {{"fieldPath", "metadata.annotations['" + std::string(kRestoreTestAnnotation) + "']"}}}};
  spec["volumes"] = {volume_of(schedule, *pattern, labels_of(link)),
                     {{"name", "run"}, {"emptyDir", Json::object()}},
                     {{"name", "tmp"}, {"emptyDir", Json::object()}},
                     {{"name", "order"}, {"downwardAPI", {{"items", Json::array({order_file})}}}},
                     secrets_of(order)};
  const Json anywhere;
  place(spec, link, {pattern->node_selector, anywhere, pattern->tolerations, {}});
  pod["spec"] = std::move(spec);
  return pod;
}

Json render_test_policy(const api::ReplicationLink& link) {
  Json policy =
      render_meta(link, "networking.k8s.io/v1", "NetworkPolicy", restore_test_name(link.metadata.name), "", true);
  const int64_t bucket = port_of(link.status.backup->destination.s3.endpoint);
  policy["spec"] = {{"podSelector", {{"matchLabels", labels_of(link)}}},
                    {"policyTypes", {"Ingress", "Egress"}},
                    {"ingress", Json::array()},
                    {"egress", Json::array({{{"ports", name_ports()}},
                                            {{"ports", Json::array({{{"port", bucket}, {"protocol", "TCP"}}})}}})}};
  return policy;
}

}  // namespace twinspan::controllers
