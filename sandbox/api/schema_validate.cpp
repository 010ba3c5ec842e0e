#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>

#include "core/clock.hpp"
#include "sandbox/api/cel.hpp"
#include "sandbox/api/schema.hpp"

namespace twinspan::sandbox {
namespace {

std::string type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::object: return "object";
    case Json::value_t::array: return "array";
    case Json::value_t::string: return "string";
    case Json::value_t::boolean: return "boolean";
    case Json::value_t::number_float:
      return value.get<double>() == std::floor(value.get<double>()) ? "integer" : "number";
    default: return "integer";
  }
}

const std::regex& compiled(const std::string& pattern) {
  static std::mutex mutex;
  static std::map<std::string, std::regex>* const cache = new std::map<std::string, std::regex>;
  std::lock_guard lock(mutex);
  auto found = cache->find(pattern);
  if (found == cache->end()) found = cache->emplace(pattern, std::regex(pattern, std::regex::ECMAScript)).first;
  return found->second;
}

size_t characters(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; });
}

bool format_holds(const std::string& format, const std::string& text) {
  if (format == "date-time") return parse_rfc3339(text).has_value();
  static const std::map<std::string, std::string> patterns = {
      {"date", "^\\d{4}-\\d{2}-\\d{2}$"},
      {"ipv4", "^(\\d{1,3}\\.){3}\\d{1,3}$"},
      {"uuid", "^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$"},
      {"byte", "^[A-Za-z0-9+/\\r\\n]*={0,2}$"},
      {"duration", "^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$"},
      {"email", "^[^@\\s]+@[^@\\s]+$"},
  };
  const auto found = patterns.find(format);
  if (found == patterns.end()) return true;
  if (format == "byte")
    return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n") ==
           std::string::npos;
  return std::regex_match(text, compiled(found->second));
}

std::string number(const Json& value) { return value.dump(); }

class Validator {
 public:
  explicit Validator(Strictness strictness) : strictness_(strictness) {}

  void check(const Json& value, SchemaView schema, const std::string& path) {
    if (!schema) return;
    const Json& node = schema.node();
    if (value.is_null()) {
      if (node.value("nullable", false) || strictness_.builtin || schema.type().empty()) return;
      wrong_type(path, value, schema.type());
      return;
    }
    if (!check_type(value, schema, path)) return;
    if (const auto choices = node.find("enum"); choices != node.end() && !strictness_.builtin)
      check_enum(value, *choices, path);
    if (const auto choices = node.find("enum"); choices != node.end() && strictness_.builtin && value.is_string() &&
                                                !value.get_ref<const std::string&>().empty())
      check_enum(value, *choices, path);
    if (value.is_string()) check_string(value, node, path);
    if (value.is_number()) check_number(value, node, path);
    if (value.is_array()) check_array(value, schema, path);
    if (value.is_object()) check_object(value, schema, path);
    check_junctors(value, schema, path);
  }

  Causes causes;

 private:
  void add(std::string reason, const std::string& path, std::string message) {
    causes.push_back({std::move(reason), std::move(message), path.empty() ? "<nil>" : path});
  }

  void wrong_type(const std::string& path, const Json& value, const std::string& wanted) {
    add("FieldValueTypeInvalid", path,
        fmt::format("Invalid value: \"{}\": {} in body must be of type {}: \"{}\"", type_of(value), path, wanted,
                    type_of(value)));
  }

  bool check_type(const Json& value, SchemaView schema, const std::string& path) {
    if (schema.int_or_string()) {
      if (value.is_string() || value.is_number()) return true;
      wrong_type(path, value, "integer,string");
      return false;
    }
    const std::string wanted = schema.type();
    if (wanted.empty()) return true;
    const std::string have = type_of(value);
    const bool fits = have == wanted || (wanted == "number" && (have == "integer" || value.is_number())) ||
                      (wanted == "integer" && have == "integer");
    if (!fits) wrong_type(path, value, wanted);
    return fits;
  }

  void check_enum(const Json& value, const Json& choices, const std::string& path) {
    for (const Json& each : choices)
      if (each == value) return;
    std::vector<std::string> names;
    for (const Json& each : choices) names.push_back(each.is_string() ? each.get<std::string>() : each.dump());
    causes.push_back(unsupported_value(path, value, names));
  }

  void check_string(const Json& value, const Json& node, const std::string& path) {
    const auto& text = value.get_ref<const std::string&>();
    if (const auto most = node.find("maxLength"); most != node.end() && characters(text) > most->get<size_t>())
      add("FieldValueTooLong", path, fmt::format("Too long: may not be more than {} bytes", number(*most)));
    if (const auto least = node.find("minLength"); least != node.end() && characters(text) < least->get<size_t>())
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: {}: {} in body should be at least {} chars long", value.dump(), path,
                      number(*least)));
    if (const auto pattern = node.find("pattern");
        pattern != node.end() && !std::regex_search(text, compiled(*pattern)))
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: {}: {} in body should match '{}'", value.dump(), path,
                      pattern->get<std::string>()));
    if (const std::string format = node.value("format", ""); !format.empty() && !format_holds(format, text))
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: {}: {} in body must be of type {}: {}", value.dump(), path, format,
                      value.dump()));
  }

  void check_number(const Json& value, const Json& node, const std::string& path) {
    const double have = value.get<double>();
    if (const auto least = node.find("minimum"); least != node.end()) {
      const bool strict = node.value("exclusiveMinimum", false);
      if (have < least->get<double>() || (strict && have == least->get<double>()))
        add("FieldValueInvalid", path,
            fmt::format("Invalid value: {}: {} in body should be greater than {}{}", value.dump(), path,
                        strict ? "" : "or equal to ", number(*least)));
    }
    if (const auto most = node.find("maximum"); most != node.end()) {
      const bool strict = node.value("exclusiveMaximum", false);
      if (have > most->get<double>() || (strict && have == most->get<double>()))
        add("FieldValueInvalid", path,
            fmt::format("Invalid value: {}: {} in body should be less than {}{}", value.dump(), path,
                        strict ? "" : "or equal to ", number(*most)));
    }
    if (const auto step = node.find("multipleOf"); step != node.end() && std::fmod(have, step->get<double>()) != 0)
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: {}: {} in body should be a multiple of {}", value.dump(), path, number(*step)));
  }

  void check_array(const Json& value, SchemaView schema, const std::string& path) {
    const Json& node = schema.node();
    if (const auto least = node.find("minItems"); least != node.end() && value.size() < least->get<size_t>())
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: {}: {} in body should have at least {} items", value.size(), path,
                      number(*least)));
    if (const auto most = node.find("maxItems"); most != node.end() && value.size() > most->get<size_t>())
      add("FieldValueTooMany", path,
          fmt::format("Too many: {}: must have at most {} items", value.size(), number(*most)));
    const SchemaView items = schema.items();
    for (size_t i = 0; i < value.size(); ++i) check(value[i], items, fmt::format("{}[{}]", path, i));
    check_unique(value, schema, path);
  }

  void check_unique(const Json& value, SchemaView schema, const std::string& path) {
    const ListType type = schema.list_type();
    if (type == ListType::kAtomic || (strictness_.builtin && path.starts_with("status"))) return;
    std::set<std::string> seen;
    for (size_t i = 0; i < value.size(); ++i) {
      Json key = value[i];
      if (type == ListType::kMap) {
        if (!value[i].is_object()) continue;
        key = Json::object();
        for (const std::string& name : schema.list_keys()) {
          if (value[i].contains(name))
            key[name] = value[i][name];
          else if (const Json* fallback = schema.items().property(name).default_value())
            key[name] = *fallback;
        }
      }
      if (!seen.insert(key.dump()).second) causes.push_back(duplicate_value(fmt::format("{}[{}]", path, i), key));
    }
  }

  void check_object(const Json& value, SchemaView schema, const std::string& path) {
    const Json& node = schema.node();
    if (const auto required = node.find("required"); required != node.end()) {
      for (const Json& name : *required) {
        const auto found = value.find(name.get<std::string>());
        if (found != value.end() && !(strictness_.builtin && found->is_null())) continue;
        if (strictness_.builtin && exempt(schema.property(name.get<std::string>()), path)) continue;
        causes.push_back(required_value(join_path(path, name.get<std::string>())));
      }
    }
    if (const auto least = node.find("minProperties"); least != node.end() && value.size() < least->get<size_t>())
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: {}: {} in body should have at least {} properties", value.size(), path,
                      number(*least)));
    if (const auto most = node.find("maxProperties"); most != node.end() && value.size() > most->get<size_t>())
      add("FieldValueTooMany", path,
          fmt::format("Too many: {}: must have at most {} items", value.size(), number(*most)));
    for (const auto& [name, field] : value.items()) {
      const SchemaView property = schema.property(name);
      const bool in_map = schema.is_map() && !schema.has_property(name);
      if (property) check(field, property, in_map ? fmt::format("{}[{}]", path, name) : join_path(path, name));
    }
  }

  // Go writes every list and struct without omitempty, so the documents call it required; nobody needs to send it.
  static bool exempt(SchemaView property, const std::string& path) {
    return path.starts_with("status") || path.starts_with("metadata.managedFields") || property.type() == "array" ||
           property.type() == "object" || property.type() == "integer" || property.type() == "boolean";
  }

  bool holds(const Json& value, const Json& alternative, const std::string& path) {
    Validator inner(strictness_);
    inner.check(value, SchemaView(alternative), path);
    return inner.causes.empty();
  }

  void check_junctors(const Json& value, SchemaView schema, const std::string& path) {
    const Json& node = schema.node();
    if (const auto all = node.find("allOf"); all != node.end())
      for (const Json& each : *all) check(value, SchemaView(each), path);
    const auto matching = [&](const Json& alternatives) {
      return std::count_if(alternatives.begin(), alternatives.end(),
                           [&](const Json& each) { return holds(value, each, path); });
    };
    if (const auto any = node.find("anyOf"); any != node.end() && matching(*any) == 0)
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: \"\": \"{}\" must validate at least one schema (anyOf)",
                      path.empty() ? "<nil>" : path));
    if (const auto one = node.find("oneOf"); one != node.end() && matching(*one) != 1)
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: \"\": \"{}\" must validate one and only one schema (oneOf)",
                      path.empty() ? "<nil>" : path));
    if (const auto excluded = node.find("not"); excluded != node.end() && holds(value, *excluded, path))
      add("FieldValueInvalid", path,
          fmt::format("Invalid value: \"\": \"{}\" must not validate the schema (not)", path.empty() ? "<nil>" : path));
  }

  Strictness strictness_;
};

// The element of `old_list` that a rule's oldSelf means: found by list keys; other lists can't be correlated.
const Json* correlated(const Json& item, const Json* old_list, SchemaView list) {
  if (!old_list || !old_list->is_array() || list.list_type() != ListType::kMap) return nullptr;
  for (const Json& old_item : *old_list) {
    bool same = old_item.is_object() && item.is_object();
    for (const std::string& key : list.list_keys())
      same = same && old_item.value(key, Json()) == item.value(key, Json());
    if (same) return &old_item;
  }
  return nullptr;
}

void run_rules(const Json& value, const Json* old_value, SchemaView schema, const std::string& path, Causes& causes) {
  if (!schema || value.is_null()) return;
  const Json& node = schema.node();
  if (const auto rules = node.find("x-kubernetes-validations"); rules != node.end()) {
    for (const Json& rule : *rules) {
      auto program = cel::compile(rule.value("rule", ""));
      if (!program) continue;  // refused when the CRD was written
      if ((*program)->uses("oldSelf") && !old_value && !rule.value("optionalOldSelf", false)) continue;
      std::string field = path;
      if (const std::string suffix = rule.value("fieldPath", ""); !suffix.empty()) field = path + suffix;
      if (field.starts_with('.')) field.erase(0, 1);
      const Result<bool> verdict = (*program)->holds(value, old_value);
      if (verdict && *verdict) continue;
      std::string message = rule.value("message", fmt::format("failed rule: {}", rule.value("rule", "")));
      if (const std::string expression = rule.value("messageExpression", ""); verdict && !expression.empty()) {
        if (auto text = cel::compile(expression); text)
          if (const auto said = (*text)->text(value, old_value); said && !said->empty()) message = *said;
      }
      if (!verdict) message = fmt::format("{} evaluating rule: {}", verdict.error().message, rule.value("rule", ""));
      const std::string shown = Json(type_of(value)).dump();  // the real server names the type, never the value
      const std::string reason = rule.value("reason", "FieldValueInvalid");
      if (reason == "FieldValueRequired")
        causes.push_back(required_value(field, message));
      else if (reason == "FieldValueForbidden")
        causes.push_back(forbidden_value(field, message));
      else
        causes.push_back(
            {reason, fmt::format("Invalid value: {}: {}", shown, message), field.empty() ? "<nil>" : field});
    }
  }
  if (value.is_object()) {
    for (const auto& [name, field] : value.items()) {
      const Json* old_field =
          old_value && old_value->is_object() && old_value->contains(name) ? &(*old_value)[name] : nullptr;
      const bool in_map = schema.is_map() && !schema.has_property(name);
      run_rules(field, old_field, schema.property(name),
                in_map ? fmt::format("{}[{}]", path, name) : join_path(path, name), causes);
    }
  } else if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i)
      run_rules(value[i], correlated(value[i], old_value, schema), schema.items(), fmt::format("{}[{}]", path, i),
                causes);
  }
}

void check_node(const Json& node, const std::string& path, bool root, Causes& causes) {
  if (!node.is_object()) {
    causes.push_back(invalid_value(path, node, "must be an object"));
    return;
  }
  const bool any =
      node.value("x-kubernetes-int-or-string", false) || node.value("x-kubernetes-preserve-unknown-fields", false);
  if (!node.contains("type") && !any)
    causes.push_back(required_value(
        path + ".type", root ? "must not be empty at the root" : "must not be empty for specified object fields"));
  if (node.contains("$ref")) causes.push_back(forbidden_value(path + ".$ref", "$ref is not supported"));
  if (node.value("type", "") == "array" && !node.contains("items"))
    causes.push_back(required_value(path + ".items", "must be specified"));
  if (node.contains("properties") && node.contains("additionalProperties"))
    causes.push_back(
        forbidden_value(path + ".additionalProperties", "additionalProperties and properties are mutual exclusive"));
  if (const auto pattern = node.find("pattern"); pattern != node.end()) {
    try {
      compiled(pattern->get<std::string>());
    } catch (const std::exception& e) {
      causes.push_back(invalid_value(path + ".pattern", *pattern,
                                     fmt::format("must be a valid regular expression, but isn't: {}", e.what())));
    }
  }
  if (node.value("x-kubernetes-list-type", "") == "map" && !node.contains("x-kubernetes-list-map-keys"))
    causes.push_back(
        required_value(path + ".x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map"));
  if (node.value("x-kubernetes-list-type", "") == "map" && node.contains("items") &&
      node.contains("x-kubernetes-list-map-keys")) {
    for (const Json& key : node["x-kubernetes-list-map-keys"]) {
      const std::string name = key.get<std::string>();
      const Json& items = node["items"];
      if (!items.contains("properties") || !items["properties"].contains(name)) {
        causes.push_back(
            invalid_value(path + ".x-kubernetes-list-map-keys", key, "entries must all be names of item properties"));
        continue;
      }
      const bool required = items.contains("required") && std::find(items["required"].begin(), items["required"].end(),
                                                                    key) != items["required"].end();
      if (!required && !items["properties"][name].contains("default"))
        causes.push_back(required_value(
            fmt::format("{}.items.properties[{}].default", path, name),
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"));
    }
  }
  if (const auto fallback = node.find("default"); fallback != node.end()) {
    for (Cause& cause : validate(*fallback, SchemaView(node), path + ".default")) causes.push_back(std::move(cause));
  }
  if (const auto rules = node.find("x-kubernetes-validations"); rules != node.end()) {
    for (size_t i = 0; i < rules->size(); ++i) {
      const Json& rule = (*rules)[i];
      for (const char* field : {"rule", "messageExpression"}) {
        const std::string text = rule.value(field, "");
        const std::string where = fmt::format("{}.x-kubernetes-validations[{}].{}", path, i, field);
        if (text.empty()) {
          if (std::string_view(field) == "rule") causes.push_back(required_value(where, "rule is not specified"));
          continue;
        }
        const auto program = cel::compile(text);
        const Status sound =
            program ? (*program)->check(SchemaView(node), root) : Status(std::unexpected(program.error()));
        if (!sound) causes.push_back(invalid_value(where, text, "compilation failed: ERROR: " + sound.error().message));
      }
    }
  }
  if (const auto properties = node.find("properties"); properties != node.end())
    for (const auto& [name, property] : properties->items())
      if (!(root && (name == "apiVersion" || name == "kind" || name == "metadata")))
        check_node(property, fmt::format("{}.properties[{}]", path, name), false, causes);
  if (const auto items = node.find("items"); items != node.end()) check_node(*items, path + ".items", false, causes);
  if (const auto additional = node.find("additionalProperties"); additional != node.end() && additional->is_object())
    check_node(*additional, path + ".additionalProperties", false, causes);
}

}  // namespace

Causes validate(const Json& value, SchemaView schema, const std::string& path, Strictness strictness) {
  Validator validator(strictness);
  validator.check(value, schema, path);
  return std::move(validator.causes);
}

Causes validate_rules(const Json& value, const Json* old_value, SchemaView schema, const std::string& path) {
  Causes causes;
  run_rules(value, old_value, schema, path, causes);
  return causes;
}

bool any_rules(const Json& schema) {
  if (schema.is_object() && schema.contains("x-kubernetes-validations")) return true;
  return schema.is_structured() && std::any_of(schema.begin(), schema.end(), any_rules);
}

Causes validate_custom(const Json& value, const Json* old_value, SchemaView schema) {
  Causes causes = validate(value, schema, "");
  static const std::set<std::string> kBlocking = {"FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong",
                                                  "FieldValueTooMany", "FieldValueTypeInvalid"};
  const bool blocked =
      std::any_of(causes.begin(), causes.end(), [](const Cause& cause) { return kBlocking.contains(cause.reason); });
  if (!blocked) {
    for (Cause& cause : validate_rules(value, old_value, schema, "")) causes.push_back(std::move(cause));
  } else if (any_rules(schema.node())) {
    causes.push_back({"FieldValueInvalid",
                      "Invalid value: null: some validation rules were not checked because the object was invalid; "
                      "correct the existing errors to complete validation",
                      "<nil>"});
  }
  return causes;
}

Causes check_schema(const Json& open_api_v3_schema, const std::string& path) {
  Causes causes;
  check_node(open_api_v3_schema, path, true, causes);
  return causes;
}

}  // namespace twinspan::sandbox
