#include "sandbox/api/catalog.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "core/text.hpp"

namespace twinspan::sandbox {
namespace {

enum Trait : unsigned { kNamespaced = 1, kStatus = 2, kGeneration = 4, kVersioned = 8 };

struct BuiltIn {
  const char *group, *version, *plural, *kind, *schema;
  std::vector<std::string> short_names, categories;
  unsigned traits;
};

std::vector<BuiltIn> built_in() {
  const char *rbac = "rbac.authorization.k8s.io", *all = "all";
  return {
      {"", "v1", "namespaces", "Namespace", "core.v1.Namespace", {"ns"}, {}, kStatus},
      {"", "v1", "pods", "Pod", "core.v1.Pod", {"po"}, {all}, kNamespaced | kStatus | kGeneration},
      {"", "v1", "services", "Service", "core.v1.Service", {"svc"}, {all}, kNamespaced | kStatus},
      {"", "v1", "secrets", "Secret", "core.v1.Secret", {}, {}, kNamespaced},
      {"", "v1", "configmaps", "ConfigMap", "core.v1.ConfigMap", {"cm"}, {}, kNamespaced},
      {"", "v1", "serviceaccounts", "ServiceAccount", "core.v1.ServiceAccount", {"sa"}, {}, kNamespaced},
      {"",
       "v1",
       "persistentvolumeclaims",
       "PersistentVolumeClaim",
       "core.v1.PersistentVolumeClaim",
       {"pvc"},
       {},
       kNamespaced | kStatus},
      {"", "v1", "persistentvolumes", "PersistentVolume", "core.v1.PersistentVolume", {"pv"}, {}, kStatus},
      {"", "v1", "nodes", "Node", "core.v1.Node", {"no"}, {}, kStatus},
      {"", "v1", "events", "Event", "core.v1.Event", {"ev"}, {}, kNamespaced},
      {"", "v1", "endpoints", "Endpoints", "core.v1.Endpoints", {"ep"}, {}, kNamespaced},
      {"apps",
       "v1",
       "deployments",
       "Deployment",
       "apps.v1.Deployment",
       {"deploy"},
       {all},
       kNamespaced | kStatus | kGeneration},
      {"apps",
       "v1",
       "statefulsets",
       "StatefulSet",
       "apps.v1.StatefulSet",
       {"sts"},
       {all},
       kNamespaced | kStatus | kGeneration},
      {"apps",
       "v1",
       "replicasets",
       "ReplicaSet",
       "apps.v1.ReplicaSet",
       {"rs"},
       {all},
       kNamespaced | kStatus | kGeneration},
      {"apiextensions.k8s.io",
       "v1",
       "customresourcedefinitions",
       "CustomResourceDefinition",
       "apiextensions.v1.CustomResourceDefinition",
       {"crd", "crds"},
       {"api-extensions"},
       kStatus | kGeneration | kVersioned},
      {"coordination.k8s.io", "v1", "leases", "Lease", "coordination.v1.Lease", {}, {}, kNamespaced | kVersioned},
      {"discovery.k8s.io",
       "v1",
       "endpointslices",
       "EndpointSlice",
       "discovery.v1.EndpointSlice",
       {},
       {},
       kNamespaced | kGeneration},
      {"policy",
       "v1",
       "poddisruptionbudgets",
       "PodDisruptionBudget",
       "policy.v1.PodDisruptionBudget",
       {"pdb"},
       {},
       kNamespaced | kStatus | kGeneration | kVersioned},
      {"networking.k8s.io",
       "v1",
       "networkpolicies",
       "NetworkPolicy",
       "networking.v1.NetworkPolicy",
       {"netpol"},
       {},
       kNamespaced | kGeneration},
      {rbac, "v1", "roles", "Role", "rbac.v1.Role", {}, {}, kNamespaced},
      {rbac, "v1", "rolebindings", "RoleBinding", "rbac.v1.RoleBinding", {}, {}, kNamespaced},
      {rbac, "v1", "clusterroles", "ClusterRole", "rbac.v1.ClusterRole", {}, {}, 0},
      {rbac, "v1", "clusterrolebindings", "ClusterRoleBinding", "rbac.v1.ClusterRoleBinding", {}, {}, 0},
      {"scheduling.k8s.io",
       "v1",
       "priorityclasses",
       "PriorityClass",
       "scheduling.v1.PriorityClass",
       {"pc"},
       {},
       kGeneration},
      {"storage.k8s.io", "v1", "storageclasses", "StorageClass", "storage.v1.StorageClass", {"sc"}, {}, 0},
  };
}

std::vector<std::string> strings(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || !found->is_array() ? std::vector<std::string>{}
                                                     : found->get<std::vector<std::string>>();
}

}  // namespace

Catalog::Catalog() {
  for (const BuiltIn& each : built_in()) {
    auto kind = std::make_shared<Kind>();
    kind->group = each.group;
    kind->version = each.version;
    kind->plural = each.plural;
    kind->kind = each.kind;
    kind->singular = to_lower(each.kind);
    kind->short_names = each.short_names;
    kind->categories = each.categories;
    kind->namespaced = each.traits & kNamespaced;
    kind->status = each.traits & kStatus;
    kind->generation = each.traits & kGeneration;
    kind->must_name_version = each.traits & kVersioned;
    kind->schema = builtin_schema(each.schema);
    kinds_.push_back(std::move(kind));
  }
}

KindPtr Catalog::find(std::string_view group, std::string_view version, std::string_view plural) const {
  std::lock_guard lock(mutex_);
  for (const KindPtr& kind : kinds_)
    if (kind->plural == plural && kind->group == group && kind->version == version) return kind;
  return nullptr;
}

KindPtr Catalog::find(const ResourceName& resource) const {
  std::lock_guard lock(mutex_);
  for (const KindPtr& kind : kinds_)
    if (kind->resource() == resource) return kind;
  return nullptr;
}

std::vector<KindPtr> Catalog::all() const {
  std::lock_guard lock(mutex_);
  return kinds_;
}

std::vector<std::string> Catalog::versions(std::string_view group) const {
  std::vector<std::string> out;
  for (const KindPtr& kind : all())
    if (kind->group == group && std::find(out.begin(), out.end(), kind->version) == out.end())
      out.push_back(kind->version);
  return out;
}

void Catalog::install(const Json& definition) {
  const Json& spec = definition.at("spec");
  const Json& names = spec.at("names");
  std::vector<KindPtr> made;
  for (const Json& version : spec.at("versions")) {
    if (!version.value("served", true)) continue;
    auto kind = std::make_shared<Kind>();
    kind->group = spec.at("group");
    kind->version = version.at("name");
    kind->plural = names.at("plural");
    kind->kind = names.at("kind");
    kind->singular = names.value("singular", to_lower(kind->kind));
    kind->short_names = strings(names, "shortNames");
    kind->categories = strings(names, "categories");
    kind->namespaced = spec.value("scope", "Namespaced") == "Namespaced";
    kind->status = version.contains("subresources") && version["subresources"].contains("status");
    kind->generation = kind->custom = kind->must_name_version = true;
    kind->document = complete_schema(
        version.contains("schema") ? version["schema"].value("openAPIV3Schema", Json::object()) : Json::object());
    kind->schema = SchemaView(*kind->document);
    if (const auto columns = version.find("additionalPrinterColumns"); columns != version.end()) {
      for (const Json& column : *columns)
        kind->columns.push_back({column.at("name"), column.value("type", "string"), column.value("format", ""),
                                 column.value("description", ""), column.at("jsonPath"), column.value("priority", 0)});
    } else {
      kind->columns.push_back({"Age", "date", "", "", ".metadata.creationTimestamp", 0});
    }
    if (const auto fields = version.find("selectableFields"); fields != version.end())
      for (const Json& field : *fields)
        kind->selectable_fields.push_back(field.at("jsonPath").get<std::string>().substr(1));
    made.push_back(std::move(kind));
  }
  const ResourceName resource{spec.at("group"), names.at("plural")};
  std::lock_guard lock(mutex_);
  std::erase_if(kinds_, [&](const KindPtr& kind) { return kind->custom && kind->resource() == resource; });
  kinds_.insert(kinds_.end(), made.begin(), made.end());
}

void Catalog::remove(const ResourceName& resource) {
  std::lock_guard lock(mutex_);
  std::erase_if(kinds_, [&](const KindPtr& kind) { return kind->custom && kind->resource() == resource; });
}

Causes check_definition(const Json& definition) {
  Causes causes;
  const Json spec = definition.value("spec", Json::object());
  const std::string group = spec.value("group", "");
  const Json names = spec.value("names", Json::object());
  const std::string plural = names.value("plural", "");
  if (group.empty())
    causes.push_back(required_value("spec.group"));
  else if (group.find('.') == std::string::npos)
    causes.push_back(invalid_value("spec.group", group, "should be a domain with at least one dot"));
  if (plural.empty()) causes.push_back(required_value("spec.names.plural"));
  if (names.value("kind", "").empty()) causes.push_back(required_value("spec.names.kind"));
  const std::string name = definition["metadata"].value("name", "");
  if (!group.empty() && !plural.empty() && name != plural + "." + group)
    causes.push_back(invalid_value("metadata.name", name, fmt::format("must be spec.names.plural+\".\"+spec.group")));
  const std::string scope = spec.value("scope", "");
  if (scope != "Namespaced" && scope != "Cluster") {
    causes.push_back(scope.empty() ? required_value("spec.scope")
                                   : unsupported_value("spec.scope", scope, {"Cluster", "Namespaced"}));
  }
  const Json versions = spec.value("versions", Json::array());
  int stored = 0;
  static const std::regex kVersion("^v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$");
  for (size_t i = 0; i < versions.size(); ++i) {
    const Json& version = versions[i];
    const std::string path = fmt::format("spec.versions[{}]", i);
    if (!std::regex_match(version.value("name", ""), kVersion))
      causes.push_back(
          invalid_value(path + ".name", version.value("name", ""), "a version is named like v1 or v1alpha1"));
    if (version.value("storage", false)) ++stored;
    if (!version.contains("schema") || !version["schema"].contains("openAPIV3Schema")) {
      causes.push_back(required_value(path + ".schema.openAPIV3Schema", "schemas are required"));
      continue;
    }
    for (Cause& cause : check_schema(version["schema"]["openAPIV3Schema"], path + ".schema.openAPIV3Schema"))
      causes.push_back(std::move(cause));
    if (version["schema"]["openAPIV3Schema"].value("type", "") != "object")
      causes.push_back(invalid_value(path + ".schema.openAPIV3Schema.type",
                                     version["schema"]["openAPIV3Schema"].value("type", ""),
                                     "must be object at the root"));
  }
  if (stored != 1)
    causes.push_back(
        invalid_value("spec.versions", versions.size(), "must have exactly one version marked as storage version"));
  return causes;
}

Json core_versions() {
  return {{"kind", "APIVersions"},
          {"versions", {"v1"}},
          {"serverAddressByClientCIDRs", {{{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", "127.0.0.1"}}}}};
}

namespace {
// Served without being stored: what RBAC asks clients to post.
struct Posted {
  const char *group, *version, *plural, *kind;
  bool namespaced;
};
constexpr Posted kPosted[] = {
    {"authentication.k8s.io", "v1", "tokenreviews", "TokenReview", false},
    {"authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", false},
    {"authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", false},
    {"authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false},
    {"authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false},
    {"authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true},
};

std::vector<std::string> groups(const Catalog& catalog) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& group) {
    if (!group.empty() && std::find(out.begin(), out.end(), group) == out.end()) out.push_back(group);
  };
  for (const Posted& each : kPosted) add(each.group);
  for (const KindPtr& kind : catalog.all()) add(kind->group);
  return out;
}
}  // namespace

std::optional<Json> group_document(const Catalog& catalog, const std::string& group) {
  std::vector<std::string> versions = catalog.versions(group);
  for (const Posted& each : kPosted)
    if (each.group == group && versions.empty()) versions.push_back(each.version);
  if (versions.empty() || group.empty()) return std::nullopt;
  Json listed = Json::array();
  for (const std::string& version : versions)
    listed.push_back({{"groupVersion", group + "/" + version}, {"version", version}});
  return Json{{"kind", "APIGroup"},
              {"apiVersion", "v1"},
              {"name", group},
              {"versions", listed},
              {"preferredVersion", listed[0]}};
}

Json group_list(const Catalog& catalog) {
  Json out = {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", Json::array()}};
  for (const std::string& group : groups(catalog)) {
    Json document = *group_document(catalog, group);
    document.erase("kind");
    document.erase("apiVersion");
    out["groups"].push_back(std::move(document));
  }
  return out;
}

std::optional<Json> resource_list(const Catalog& catalog, const std::string& group, const std::string& version) {
  Json resources = Json::array();
  const auto sub = [](const KindPtr& kind, const char* name, const char* its_kind, Json verbs) {
    return Json{{"name", kind->plural + "/" + name},
                {"singularName", ""},
                {"namespaced", kind->namespaced},
                {"kind", its_kind},
                {"verbs", std::move(verbs)}};
  };
  for (const KindPtr& kind : catalog.all()) {
    if (kind->group != group || kind->version != version) continue;
    Json entry = {{"name", kind->plural},
                  {"singularName", kind->singular},
                  {"namespaced", kind->namespaced},
                  {"kind", kind->kind},
                  {"verbs", {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}},
                  {"storageVersionHash", fmt::format("{:016x}", std::hash<std::string>{}(kind->kind))}};
    if (!kind->short_names.empty()) entry["shortNames"] = kind->short_names;
    if (!kind->categories.empty()) entry["categories"] = kind->categories;
    resources.push_back(std::move(entry));
    if (kind->status) resources.push_back(sub(kind, "status", kind->kind.c_str(), {"get", "patch", "update"}));
    if (group.empty() && kind->plural == "pods") {
      resources.push_back(sub(kind, "log", "Pod", {"get"}));
      resources.push_back(sub(kind, "exec", "PodExecOptions", {"create", "get"}));
      resources.push_back(sub(kind, "binding", "Binding", {"create"}));
      resources.push_back(sub(kind, "eviction", "Eviction", {"create"}));
    }
    if (group.empty() && kind->plural == "serviceaccounts")
      resources.push_back(sub(kind, "token", "TokenRequest", {"create"}));
  }
  for (const Posted& each : kPosted)
    if (each.group == group && each.version == version)
      resources.push_back({{"name", each.plural},
                           {"singularName", to_lower(each.kind)},
                           {"namespaced", each.namespaced},
                           {"kind", each.kind},
                           {"verbs", {"create"}}});
  if (resources.empty()) return std::nullopt;
  return Json{{"kind", "APIResourceList"},
              {"apiVersion", "v1"},
              {"groupVersion", group.empty() ? version : group + "/" + version},
              {"resources", resources}};
}

}  // namespace twinspan::sandbox
