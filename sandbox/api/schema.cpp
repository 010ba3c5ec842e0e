#include "sandbox/api/schema.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan::sandbox {

extern const char* const kBuiltinSchemas;  // schema_builtin.json, embedded by CMake

namespace {
const Json& definitions() {
  static const Json* const parsed = new Json(Json::parse(kBuiltinSchemas));
  return *parsed;
}
}  // namespace

SchemaView builtin_schema(std::string_view definition) {
  const auto found = definitions().find(std::string(definition));
  return found == definitions().end() ? SchemaView() : SchemaView(*found);
}

void SchemaView::resolve() {
  for (int depth = 0; node_ != nullptr && depth < 8; ++depth) {
    const auto ref = node_->find("$ref");
    if (ref == node_->end() || !ref->is_string()) return;
    if (outer_ == nullptr) outer_ = node_;
    const auto found = definitions().find(ref->get<std::string>());
    if (found == definitions().end()) return;
    node_ = &*found;
  }
}

std::string SchemaView::type() const { return node_ ? node_->value("type", "") : ""; }

bool SchemaView::flag(const char* name) const { return node_ && node_->value(name, false); }

bool SchemaView::open() const {
  if (!node_) return true;
  return !node_->contains("properties") && !is_map() && (preserves_unknown() || !node_->contains("items"));
}

bool SchemaView::has_property(std::string_view name) const {
  if (!node_) return false;
  const auto properties = node_->find("properties");
  return properties != node_->end() && properties->contains(std::string(name));
}

SchemaView SchemaView::property(std::string_view name) const {
  if (!node_) return {};
  if (const auto properties = node_->find("properties"); properties != node_->end()) {
    if (const auto found = properties->find(std::string(name)); found != properties->end()) return SchemaView(*found);
  }
  return additional();
}

SchemaView SchemaView::additional() const {
  if (!node_) return {};
  const auto found = node_->find("additionalProperties");
  return found != node_->end() && found->is_object() ? SchemaView(*found) : SchemaView();
}

SchemaView SchemaView::items() const {
  if (!node_) return {};
  const auto found = node_->find("items");
  return found != node_->end() && found->is_object() ? SchemaView(*found) : SchemaView();
}

bool SchemaView::atomic_map() const {
  if (!node_) return false;
  if (node_->value("x-kubernetes-map-type", "") == "atomic") return true;
  return outer_ && outer_->value("x-kubernetes-map-type", "") == "atomic";
}

ListType SchemaView::list_type() const {
  const std::string type = node_ ? node_->value("x-kubernetes-list-type", "atomic") : "atomic";
  return type == "map" ? ListType::kMap : type == "set" ? ListType::kSet : ListType::kAtomic;
}

std::vector<std::string> SchemaView::list_keys() const {
  if (!node_ || !node_->contains("x-kubernetes-list-map-keys")) return {};
  return (*node_)["x-kubernetes-list-map-keys"].get<std::vector<std::string>>();
}

std::optional<std::string> SchemaView::merge_key() const {
  if (!node_) return std::nullopt;
  const std::string strategy = node_->value("x-kubernetes-patch-strategy", "");
  if (strategy.find("merge") == std::string::npos) return std::nullopt;
  return node_->value("x-kubernetes-patch-merge-key", "");
}

bool SchemaView::replace_keys() const {
  for (const Json* node : {node_, outer_})
    if (node && node->value("x-kubernetes-patch-strategy", "").find("retainKeys") != std::string::npos) return true;
  return false;
}

const Json* SchemaView::default_value() const {
  for (const Json* node : {outer_, node_}) {
    if (!node) continue;
    if (const auto found = node->find("default"); found != node->end()) return &*found;
  }
  return nullptr;
}

std::string join_path(const std::string& path, std::string_view field) {
  return path.empty() ? std::string(field) : fmt::format("{}.{}", path, field);
}

std::shared_ptr<const Json> complete_schema(const Json& open_api_v3_schema) {
  auto out = std::make_shared<Json>(open_api_v3_schema);
  Json& properties = (*out)["properties"];
  if (!properties.is_object()) properties = Json::object();
  const auto describe = [&](const char* name, Json schema, const char* text) {
    if (properties.contains(name) && properties[name].contains("description"))
      schema["description"] = properties[name]["description"];
    else
      schema["description"] = text;
    properties[name] = std::move(schema);
  };
  describe("apiVersion", {{"type", "string"}}, "The versioned schema of this representation of an object.");
  describe("kind", {{"type", "string"}}, "The REST resource this object represents.");
  describe("metadata", {{"$ref", "meta.v1.ObjectMeta"}}, "Standard object's metadata.");
  if (!out->contains("type")) (*out)["type"] = "object";
  return out;
}

void prune(Json& value, SchemaView schema, const std::string& path, std::vector<std::string>& unknown) {
  if (!schema) return;
  if (value.is_object()) {
    const bool declared = schema.node().contains("properties");
    const bool embedded = schema.embedded();
    const bool keeps = schema.preserves_unknown() || schema.open();
    for (auto field = value.begin(); field != value.end();) {
      const std::string here = join_path(path, field.key());
      const bool own = declared && schema.has_property(field.key());
      const bool of_object =
          embedded && (field.key() == "apiVersion" || field.key() == "kind" || field.key() == "metadata");
      if (own || schema.is_map()) {
        prune(field.value(), schema.property(field.key()), here, unknown);
      } else if (!keeps && !of_object) {
        unknown.push_back(fmt::format("unknown field \"{}\"", here));
        field = value.erase(field);
        continue;
      }
      ++field;
    }
  } else if (value.is_array()) {
    size_t index = 0;
    for (Json& item : value) prune(item, schema.items(), fmt::format("{}[{}]", path, index++), unknown);
  }
}

void set_defaults(Json& value, SchemaView schema) {
  if (!schema) return;
  if (value.is_object()) {
    if (const auto properties = schema.node().find("properties"); properties != schema.node().end()) {
      for (const auto& [name, node] : properties->items()) {
        const SchemaView property(node);
        const auto found = value.find(name);
        const bool drops_null = found != value.end() && found->is_null() && !property.node().value("nullable", false);
        if (const Json* fallback = property.default_value(); fallback && (found == value.end() || drops_null)) {
          value[name] = *fallback;
        }
      }
    }
    for (auto& [name, field] : value.items()) set_defaults(field, schema.property(name));
  } else if (value.is_array()) {
    const SchemaView items = schema.items();
    for (Json& item : value) set_defaults(item, items);
  }
}

}  // namespace twinspan::sandbox
