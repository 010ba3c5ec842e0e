#include "sandbox/api/openapi.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

namespace twinspan::sandbox {

extern const char* const kBuiltinSchemas;

namespace {

std::string long_name(const std::string& short_name) {
  const std::string first = short_name.substr(0, short_name.find('.'));
  if (first == "meta") return "io.k8s.apimachinery.pkg.apis." + short_name;
  if (first == "api" || first == "util" || first == "runtime") return "io.k8s.apimachinery.pkg." + short_name;
  if (first == "apiextensions") return "io.k8s.apiextensions-apiserver.pkg.apis." + short_name;
  return "io.k8s.api." + short_name;
}

// dev.twinspan.v1alpha1.ReplicationLink: the group's labels turned around, as the real server names them.
std::string custom_name(const Kind& kind) {
  std::string reversed;
  size_t end = kind.group.size();
  while (true) {
    const size_t dot = end == 0 ? std::string::npos : kind.group.rfind('.', end - 1);
    reversed +=
        kind.group.substr(dot == std::string::npos ? 0 : dot + 1, end - (dot == std::string::npos ? 0 : dot + 1)) + ".";
    if (dot == std::string::npos) break;
    end = dot;
  }
  return reversed + kind.version + "." + kind.kind;
}

const Json& builtin_documents() {
  static const Json* const parsed = new Json(Json::parse(kBuiltinSchemas));
  return *parsed;
}

// A copy whose references lead to `where`; their targets are noted in `wanted`.
Json exported(const Json& node, const std::string& where, std::set<std::string>& wanted) {
  if (node.is_array()) {
    Json out = Json::array();
    for (const Json& item : node) out.push_back(exported(item, where, wanted));
    return out;
  }
  if (!node.is_object()) return node;
  Json out = Json::object();
  for (const auto& [name, value] : node.items()) {
    if (name == "$ref" && value.is_string()) continue;
    if (name == "properties") {  // names of fields, whatever they are
      for (const auto& [field, schema] : value.items()) out["properties"][field] = exported(schema, where, wanted);
    } else {
      out[name] = name == "default" || name == "enum" ? value : exported(value, where, wanted);
    }
  }
  if (const auto reference = node.find("$ref"); reference != node.end() && reference->is_string()) {
    wanted.insert(*reference);
    const Json target = {{"$ref", where + long_name(*reference)}};
    if (out.empty()) return target;
    out["allOf"] = {target};
  }
  if (node.value("x-kubernetes-int-or-string", false) && !node.contains("anyOf")) {
    out.erase("x-kubernetes-int-or-string");
    out["format"] = "int-or-string";
    out["oneOf"] = {{{"type", "integer"}}, {{"type", "string"}}};
  }
  return out;
}

Json group_version_kind(const Kind& kind) {
  return {{"group", kind.group}, {"version", kind.version}, {"kind", kind.kind}};
}

std::string collection_path(const Kind& kind) {
  return fmt::format("{}{}/{}", kind.group.empty() ? "/api/v1" : fmt::format("/apis/{}/{}", kind.group, kind.version),
                     kind.namespaced ? "/namespaces/{namespace}" : "", kind.plural);
}

std::string schema_name(const Kind& kind) {
  if (kind.custom) return custom_name(kind);
  static const std::map<std::string, std::string> kPackages = {{"", "core"},
                                                               {"rbac.authorization.k8s.io", "rbac"},
                                                               {"apiextensions.k8s.io", "apiextensions"},
                                                               {"coordination.k8s.io", "coordination"},
                                                               {"discovery.k8s.io", "discovery"},
                                                               {"networking.k8s.io", "networking"},
                                                               {"scheduling.k8s.io", "scheduling"},
                                                               {"storage.k8s.io", "storage"}};
  const auto package = kPackages.find(kind.group);
  return long_name(
      fmt::format("{}.{}.{}", package == kPackages.end() ? kind.group : package->second, kind.version, kind.kind));
}

void add_schemas(const std::vector<KindPtr>& kinds, const std::string& where, Json& schemas) {
  std::set<std::string> wanted;
  for (const KindPtr& kind : kinds) {
    Json schema = exported(kind->schema.node(), where, wanted);
    schema["x-kubernetes-group-version-kind"] = {group_version_kind(*kind)};
    schemas[schema_name(*kind)] = std::move(schema);
  }
  while (!wanted.empty()) {
    const std::string next = *wanted.begin();
    wanted.erase(wanted.begin());
    if (schemas.contains(long_name(next)) || !builtin_documents().contains(next)) continue;
    schemas[long_name(next)] = Json::object();  // before the walk: definitions may lead back to themselves
    std::set<std::string> found;
    schemas[long_name(next)] = exported(builtin_documents()[next], where, found);
    for (const std::string& each : found)
      if (!schemas.contains(long_name(each))) wanted.insert(each);
  }
}

Json parameters() {
  Json out = Json::array();
  for (const char* name : {"dryRun", "fieldManager", "fieldValidation"})
    out.push_back({{"name", name}, {"in", "query"}, {"schema", {{"type", "string"}, {"uniqueItems", true}}}});
  return out;
}

Json operation(const Kind& kind, const char* action) {
  return {{"x-kubernetes-action", action},
          {"x-kubernetes-group-version-kind", group_version_kind(kind)},
          {"parameters", parameters()}};
}

Json patch_types(const Kind& kind) {
  Json types = {"application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"};
  if (!kind.custom) types.push_back("application/strategic-merge-patch+json");
  return types;
}

std::vector<KindPtr> of_group_version(const Catalog& catalog, const std::string& path) {
  std::vector<KindPtr> out;
  for (const KindPtr& kind : catalog.all())
    if ((kind->group.empty() ? "api/" + kind->version : "apis/" + kind->api_version()) == path) out.push_back(kind);
  return out;
}

Json info() { return {{"title", "Twinspan sandbox"}, {"version", "v1.34.4+sandbox"}}; }

}  // namespace

Json openapi_v3_index(const Catalog& catalog) {
  Json paths = Json::object();
  for (const KindPtr& kind : catalog.all()) {
    const std::string path = kind->group.empty() ? "api/" + kind->version : "apis/" + kind->api_version();
    if (paths.contains(path)) continue;
    size_t hash = 0;  // clients cache by it
    for (const KindPtr& each : of_group_version(catalog, path))
      hash = hash * 31 + std::hash<std::string>{}(each->custom ? each->document->dump() : each->kind);
    paths[path] = {{"serverRelativeURL", fmt::format("/openapi/v3/{}?hash={:016X}", path, hash)}};
  }
  return {{"paths", paths}};
}

std::optional<Json> openapi_v3(const Catalog& catalog, const std::string& path) {
  const auto kinds = of_group_version(catalog, path);
  if (kinds.empty()) return std::nullopt;
  Json paths = Json::object(), schemas = Json::object();
  for (const KindPtr& kind : kinds) {
    const Json body = {{"schema", {{"$ref", "#/components/schemas/" + schema_name(*kind)}}}};
    Json create = operation(*kind, "post"), patch = operation(*kind, "patch"), update = operation(*kind, "put");
    create["requestBody"]["content"]["*/*"] = update["requestBody"]["content"]["*/*"] = body;
    for (const Json& type : patch_types(*kind))
      patch["requestBody"]["content"][type.get<std::string>()] = {{"schema", {{"type", "object"}}}};
    const Json ok = {{"200", {{"description", "OK"}, {"content", {{"application/json", body}}}}}};
    Json get = operation(*kind, "get"), list = operation(*kind, "list");
    for (Json* each : {&create, &patch, &update, &get, &list}) (*each)["responses"] = ok;
    paths[collection_path(*kind)] = {{"get", list}, {"post", create}};
    paths[collection_path(*kind) + "/{name}"] = {
        {"get", get}, {"put", update}, {"patch", patch}, {"delete", operation(*kind, "delete")}};
  }
  add_schemas(kinds, "#/components/schemas/", schemas);
  return Json{{"openapi", "3.0.0"}, {"info", info()}, {"paths", paths}, {"components", {{"schemas", schemas}}}};
}

Json openapi_v2(const Catalog& catalog) {
  Json paths = Json::object(), definitions = Json::object();
  const auto kinds = catalog.all();
  for (const KindPtr& kind : kinds) {
    Json create = operation(*kind, "post"), patch = operation(*kind, "patch");
    patch["consumes"] = patch_types(*kind);
    create["responses"] = patch["responses"] = {
        {"200", {{"description", "OK"}, {"schema", {{"$ref", "#/definitions/" + schema_name(*kind)}}}}}};
    for (Json* each : {&create, &patch})
      for (Json& parameter : (*each)["parameters"])
        parameter = {{"name", parameter["name"]}, {"in", "query"}, {"type", "string"}};
    paths[collection_path(*kind)] = {{"post", create}};
    paths[collection_path(*kind) + "/{name}"] = {{"patch", patch}};
  }
  add_schemas(kinds, "#/definitions/", definitions);
  return {{"swagger", "2.0"}, {"info", info()}, {"paths", paths}, {"definitions", definitions}};
}

}  // namespace twinspan::sandbox
