#include "sandbox/api/patch.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/protobuf.hpp"

namespace twinspan::sandbox {

Answer<Json> json_patch(const Json& object, const Json& patch) {
  try {
    return object.patch(patch);
  } catch (const Json::exception& e) {
    const bool shape = std::string_view(e.what()).find("parse_error") != std::string_view::npos;
    if (shape) return bad_request(fmt::format("json: cannot unmarshal patch: {}", e.what()));
    return refuse(422, "Invalid",
                  fmt::format("the server rejected our request due to an error in our request: {}", e.what()));
  }
}

Json merge_patch(Json object, const Json& patch) {
  object.merge_patch(patch);
  return object;
}

namespace {

bool is_directive(const std::string& name) { return name.starts_with("$"); }

Json without_directives(const Json& value) {
  if (value.is_object()) {
    Json out = Json::object();
    for (const auto& [name, field] : value.items())
      if (!is_directive(name) && !field.is_null()) out[name] = without_directives(field);
    return out;
  }
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& item : value)
      if (!(item.is_object() && item.value("$patch", "") == "delete")) out.push_back(without_directives(item));
    return out;
  }
  return value;
}

Json merge_list(const Json& list, const Json& patch, const std::string& key, SchemaView items) {
  for (const Json& item : patch) {
    if (item.is_object() && item.value("$patch", "") == "replace") {
      Json out = Json::array();
      for (const Json& each : patch)
        if (!(each.is_object() && each.contains("$patch"))) out.push_back(without_directives(each));
      return out;
    }
  }
  Json out = list;
  for (const Json& item : patch) {
    if (key.empty()) {
      if (std::find(out.begin(), out.end(), item) == out.end()) out.push_back(item);
      continue;
    }
    const Json wanted = item.is_object() ? item.value(key, Json()) : Json();
    const auto found = std::find_if(out.begin(), out.end(), [&](const Json& each) {
      return each.is_object() && each.value(key, Json()) == wanted;
    });
    if (item.is_object() && item.value("$patch", "") == "delete") {
      if (found != out.end()) out.erase(found);
    } else if (found != out.end()) {
      *found = strategic_merge_patch(*found, item, items);
    } else {
      out.push_back(without_directives(item));
    }
  }
  return out;
}

// Elements named come in the order given; others keep their places after them.
Json ordered(const Json& list, const Json& order, const std::string& key) {
  Json out = Json::array();
  std::vector<bool> placed(list.size(), false);
  const auto same = [&](const Json& item, const Json& wanted) {
    return key.empty() ? item == wanted
                       : item.is_object() && wanted.is_object() && item.value(key, Json()) == wanted.value(key, Json());
  };
  for (const Json& wanted : order) {
    for (size_t i = 0; i < list.size(); ++i) {
      if (placed[i] || !same(list[i], wanted)) continue;
      out.push_back(list[i]);
      placed[i] = true;
      break;
    }
  }
  for (size_t i = 0; i < list.size(); ++i)
    if (!placed[i]) out.push_back(list[i]);
  return out;
}

}  // namespace

Json strategic_merge_patch(const Json& object, const Json& patch, SchemaView schema) {
  if (!patch.is_object() || !object.is_object()) return without_directives(patch);
  const std::string directive =
      patch.contains("$patch") && patch["$patch"].is_string() ? patch["$patch"].get<std::string>() : "";
  if (directive == "replace") return without_directives(patch);
  if (directive == "delete") return Json::object();
  Json out = object;
  if (const auto retained = patch.find("$retainKeys"); retained != patch.end()) {
    for (auto field = out.begin(); field != out.end();)
      field = std::find(retained->begin(), retained->end(), field.key()) == retained->end() ? out.erase(field)
                                                                                            : std::next(field);
  }
  for (const auto& [name, value] : patch.items()) {
    if (const std::string prefix = "$deleteFromPrimitiveList/"; name.starts_with(prefix)) {
      Json& list = out[name.substr(prefix.size())];
      if (!list.is_array()) continue;
      Json kept = Json::array();
      for (const Json& item : list)
        if (std::find(value.begin(), value.end(), item) == value.end()) kept.push_back(item);
      list = std::move(kept);
    }
    if (is_directive(name)) continue;
    if (value.is_null()) {
      out.erase(name);
      continue;
    }
    const SchemaView property = schema.property(name);
    const auto existing = out.find(name);
    if (existing == out.end()) {
      out[name] = without_directives(value);
    } else if (value.is_object() && existing->is_object()) {
      out[name] = strategic_merge_patch(*existing, value, property);
    } else if (const auto key = property.merge_key(); value.is_array() && existing->is_array() && key) {
      out[name] = merge_list(*existing, value, *key, property.items());
    } else {
      out[name] = without_directives(value);
    }
  }
  for (const auto& [name, order] : patch.items()) {
    const std::string prefix = "$setElementOrder/";
    if (!name.starts_with(prefix)) continue;
    const std::string field = name.substr(prefix.size());
    if (out.contains(field) && out[field].is_array())
      out[field] = ordered(out[field], order, schema.property(field).merge_key().value_or(""));
  }
  return out;
}

namespace {
Json from_yaml(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      Json out = Json::object();
      for (const auto& entry : node) out[entry.first.as<std::string>()] = from_yaml(entry.second);
      return out;
    }
    case YAML::NodeType::Sequence: {
      Json out = Json::array();
      for (const auto& item : node) out.push_back(from_yaml(item));
      return out;
    }
    case YAML::NodeType::Scalar: {
      const std::string& text = node.Scalar();
      if (node.Tag() == "!") return text;  // quoted
      if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return nullptr;
      if (text == "true" || text == "True" || text == "TRUE") return true;
      if (text == "false" || text == "False" || text == "FALSE") return false;
      const Json number = Json::parse(text, nullptr, false);
      if (number.is_number()) return number;
      return text;
    }
    default: return nullptr;
  }
}
}  // namespace

Answer<std::vector<Json>> parse_yaml_documents(const std::string& text) {
  try {
    std::vector<Json> out;
    for (const YAML::Node& node : YAML::LoadAll(text)) {
      Json document = from_yaml(node);
      if (!document.is_null()) out.push_back(std::move(document));
    }
    return out;
  } catch (const YAML::Exception& e) {
    return bad_request(fmt::format("error converting YAML to JSON: yaml: {}", e.what()));
  }
}

Answer<Json> parse_body(const std::string& text) {
  if (is_protobuf(text)) return from_protobuf(text);
  Json out = Json::parse(text, nullptr, false);
  if (!out.is_discarded()) return out;
  auto documents = parse_yaml_documents(text);
  if (!documents) return std::unexpected(documents.error());
  if (documents->size() != 1) return bad_request("the body of the request is not one JSON or YAML object");
  return documents->front();
}

}  // namespace twinspan::sandbox
