// How apply names the parts of a value: one place for what is merged and what is replaced as a whole.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/json.hpp"
#include "sandbox/api/schema.hpp"

namespace twinspan::sandbox {

// Maps whose fields are owned one by one.
inline bool granular_map(const Json& value, SchemaView schema) { return value.is_object() && !schema.atomic_map(); }
// Lists whose items are.
inline bool granular_list(const Json& value, SchemaView schema) {
  return value.is_array() && schema && schema.list_type() != ListType::kAtomic;
}

// The element's name in FieldsV1. nullopt: an item of a map list without its keys.
inline std::optional<std::string> element_of(const Json& item, SchemaView list) {
  if (list.list_type() == ListType::kSet) return "v:" + item.dump();
  if (!item.is_object()) return std::nullopt;
  Json key = Json::object();
  for (const std::string& name : list.list_keys()) {
    if (item.contains(name))
      key[name] = item[name];
    else if (const Json* fallback = list.items().property(name).default_value())
      key[name] = *fallback;
  }
  if (key.empty()) return std::nullopt;
  return "k:" + key.dump();
}

}  // namespace twinspan::sandbox
