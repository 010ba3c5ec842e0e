#include <nlohmann/json.hpp>
#include <set>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/render.hpp"
#include "core/base64.hpp"

namespace twinspan::controllers {

Json render_meta(const api::ReplicationLink& link, const std::string& api_version, const std::string& kind,
                 const std::string& name, const std::string& endpoint, bool owned) {
  Json labels = {{std::string(kManagedByLabel), kManagedBy}, {std::string(kLinkLabel), link.metadata.name}};
  if (!endpoint.empty()) labels[std::string(kEndpointLabel)] = endpoint;
  Json object = {{"apiVersion", api_version},
                 {"kind", kind},
                 {"metadata", {{"name", name}, {"namespace", link.metadata.ns}, {"labels", std::move(labels)}}}};
  if (owned)
    object["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", api::ReplicationLink::kApiVersion},
                                                          {"kind", api::ReplicationLink::kKind},
                                                          {"name", link.metadata.name},
                                                          {"uid", link.metadata.uid},
                                                          {"controller", true}}});
  return object;
}

void annotate_hash(Json& object, const std::string& hash) {
  object["metadata"]["annotations"][std::string(kHashAnnotation)] = hash;
}

void annotate_hash(Json& object) { annotate_hash(object, content_hash(object)); }

void annotate_origin(Json& object, const RenderConfig& config) {
  if (!config.origin.empty()) object["metadata"]["annotations"][std::string(kOriginAnnotation)] = config.origin;
}

namespace {

Json render_lasting(const api::ReplicationLink& link, const std::string& kind, const std::string& name,
                    const std::string& endpoint) {
  const bool owned = link.spec.deletion_policy == api::DeletionPolicy::kDelete;
  Json object = render_meta(link, "v1", kind, name, endpoint, owned);
  object["metadata"]["annotations"][std::string(kLinkUidAnnotation)] = link.metadata.uid;
  return object;
}

}  // namespace

Json render_owner(const api::ReplicationLink& link, const std::string& password) {
  Json secret = render_lasting(link, "Secret", owner_secret_name(link), "");
  secret["type"] = "kubernetes.io/basic-auth";
  secret["data"] = {{"username", base64_encode(link.spec.postgres.database)}, {"password", base64_encode(password)}};
  return secret;
}

Json render_claim(const api::ReplicationLink& link, const api::Endpoint& endpoint) {
  const api::PostgresStorage& storage = endpoint.postgres->managed->storage;
  Json claim =
      render_lasting(link, "PersistentVolumeClaim", claim_name(link.metadata.name, endpoint.name), endpoint.name);
  claim["spec"] = {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", storage.size}}}}}};
  if (storage.storage_class_name) claim["spec"]["storageClassName"] = *storage.storage_class_name;
  return claim;
}

Json render_account(const api::ReplicationLink& link) {
  Json account = render_meta(link, "v1", "ServiceAccount", worker_account_name(link.metadata.name), "", true);
  if (const auto& settings = link.spec.postgres.service_account; settings && !settings->annotations.empty()) {
    Json& annotations = account["metadata"]["annotations"] = settings->annotations;
    std::string keys;
    for (const auto& [key, value] : settings->annotations) keys += (keys.empty() ? "" : ",") + key;
    annotations[std::string(kAddedAnnotation)] = std::move(keys);
  }
  annotate_hash(account);
  return account;
}

namespace {

// What opens the repository that the link's log goes to, or that its first data come from.
void add_repository_secrets(const api::LinkStatus& status, std::set<std::string>& names) {
  const auto add = [&](const auto& from) {
    if (!from) return;
    names.insert(from->destination.s3.credentials_secret_ref.name);
    if (const auto& authorities = from->destination.s3.ca_secret_ref) names.insert(authorities->name);
    if (from->encryption) names.insert(from->encryption->key_secret_ref.name);
  };
  add(status.backup);
  add(status.restore);
}

// Of an import until all is here.
void add_import_secrets(const api::ReplicationLink& link, std::set<std::string>& names) {
  const auto& bootstrap = link.spec.postgres.bootstrap;
  const auto& status = link.status.import_;
  if (!bootstrap || !bootstrap->import_ || (status && status->phase == api::ImportPhase::kCompleted)) return;
  names.insert(bootstrap->import_->password_secret_ref.name);
  if (const auto& authorities = bootstrap->import_->ca_secret_ref) names.insert(authorities->name);
}

}  // namespace

// Its own link to read, its own lease to hold, the passwords of roles that it keeps, what opens its repository, and
// nothing else. list and watch are authorised by name where the request carries metadata.name as its field selector
// (Kubernetes, RBAC, "Referring to resources").
Json render_role(const api::ReplicationLink& link) {
  Json role = render_role(link, {lease_name(link.metadata.name)});
  std::set<std::string> secrets;
  for (const api::DeclaredRole& declared : link.spec.postgres.roles)
    if (declared.password_secret_ref && declared.ensure == api::Ensure::kPresent)
      secrets.insert(declared.password_secret_ref->name);
  add_repository_secrets(link.status, secrets);
  add_import_secrets(link, secrets);
  if (secrets.empty()) return role;
  role["rules"].push_back(
      {{"apiGroups", {""}}, {"resources", {"secrets"}}, {"resourceNames", secrets}, {"verbs", {"get"}}});
  annotate_hash(role);
  return role;
}

Json render_role(const api::ReplicationLink& link, const std::vector<std::string>& leases) {
  Json role =
      render_meta(link, "rbac.authorization.k8s.io/v1", "Role", worker_account_name(link.metadata.name), "", true);
  role["rules"] = Json::array({{{"apiGroups", {"twinspan.dev"}},
                                {"resources", {"replicationlinks"}},
                                {"resourceNames", {link.metadata.name}},
                                {"verbs", {"get", "list", "watch"}}}});
  if (!leases.empty())  // without names it would be all of them
    role["rules"].push_back({{"apiGroups", {"coordination.k8s.io"}},
                             {"resources", {"leases"}},
                             {"resourceNames", leases},
                             {"verbs", {"get", "list", "watch", "update", "patch"}}});
  annotate_hash(role);
  return role;
}

Json render_binding(const api::ReplicationLink& link) {
  const std::string name = worker_account_name(link.metadata.name);
  Json binding = render_meta(link, "rbac.authorization.k8s.io/v1", "RoleBinding", name, "", true);
  binding["roleRef"] = {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", name}};
  binding["subjects"] = Json::array({{{"kind", "ServiceAccount"}, {"name", name}, {"namespace", link.metadata.ns}}});
  annotate_hash(binding);
  return binding;
}

Json render_ca_bundle(const api::ReplicationLink& link, const std::string& bundle_pem) {
  Json map = render_meta(link, "v1", "ConfigMap", ca_bundle_name(link.metadata.name), "", true);
  map["data"] = {{"ca.crt", bundle_pem}};
  annotate_hash(map);
  return map;
}

Json render_budget(const api::ReplicationLink& link) {
  Json budget = render_meta(link, "policy/v1", "PodDisruptionBudget", budget_name(link.metadata.name), "", true);
  // All but one. Not maxUnavailable: that needs an owner with a scale subresource, and blocks every eviction without
  // one.
  budget["spec"] = {
      {"minAvailable", link.spec.targets.size()},
      {"selector",
       {{"matchLabels", {{std::string(kLinkLabel), link.metadata.name}, {std::string(kNameLabel), kWorkerName}}}}}};
  annotate_hash(budget);
  return budget;
}

Json render_lease(const api::ReplicationLink& link) { return render_lease(link, lease_name(link.metadata.name)); }

Json render_lease(const api::ReplicationLink& link, const std::string& name) {
  Json lease = render_meta(link, "coordination.k8s.io/v1", "Lease", name, "", true);
  lease["spec"] = {{"leaseTransitions", 0}};
  return lease;
}

}  // namespace twinspan::controllers
