// How the generated parsers read JSON and write it back. Included by the generated types.cpp, and by
// what completes what it has read.
#pragma once
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/meta.hpp"
#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::api {

// Where in the object a value stands. Lives on the stack of the parser; spelled out only when something is wrong.
struct Path {
  const Path* parent = nullptr;
  std::string_view name{};  // of a field, or the key of a map where `is_key`
  int64_t index = -1;       // of a list, where not negative
  bool is_key = false;
  std::string str() const;  // "spec.targets[1].postgres.managed.parameters[max_connections]"
};

// What a schema demands of a value.
struct Rule {
  std::optional<int64_t> minimum{}, maximum{};
  size_t min_length = 0, max_length = std::numeric_limits<size_t>::max();  // of a string, in code points
  bool (*matches)(std::string_view) = nullptr;
  std::string_view shape{};                                              // what `matches` accepts, for people
  size_t min_items = 0, max_items = std::numeric_limits<size_t>::max();  // of a list or map
  bool unique = false;
  const Rule* items = nullptr;
};

// kInvalid "FIELD: is VALUE, must be EXPECTED"; long values are cut.
std::unexpected<Error> wrong(const Path& at, const Json& value, std::string_view expected);
std::unexpected<Error> missing(const Path& at);
std::unexpected<Error> duplicate(const Path& at, std::string_view value);
Status expect_object(const Json& json, const Path& at);
Status expect_items(const Json& json, const Path& at, size_t count, const Rule& rule);

Status read(const Json& json, const Path& at, std::string& out, const Rule& rule);
Status read(const Json& json, const Path& at, int64_t& out, const Rule& rule);
Status read(const Json& json, const Path& at, double& out, const Rule& rule);
Status read(const Json& json, const Path& at, bool& out, const Rule& rule);
Status read(const Json& json, const Path& at, Json& out, const Rule& rule);  // any object

template <class T>
Status read(const Json& json, const Path& at, std::vector<T>& out, const Rule& rule) {
  if (!json.is_array()) return wrong(at, json, "a list");
  if (auto ok = expect_items(json, at, json.size(), rule); !ok) return ok;
  out.clear();
  out.reserve(json.size());
  for (const Json& item : json) {
    const Path here{&at, {}, static_cast<int64_t>(out.size())};
    if (auto ok = read(item, here, out.emplace_back(), rule.items ? *rule.items : Rule{}); !ok) return ok;
    if constexpr (std::equality_comparable<T>)
      if (rule.unique && std::find(out.begin(), out.end() - 1, out.back()) != out.end() - 1)
        return duplicate(here, item.is_string() ? item.get_ref<const std::string&>() : item.dump());
  }
  return {};
}

template <class T>
Status read(const Json& json, const Path& at, std::map<std::string, T>& out, const Rule& rule) {
  if (!json.is_object()) return wrong(at, json, "a map");
  if (auto ok = expect_items(json, at, json.size(), rule); !ok) return ok;
  out.clear();
  for (const auto& [key, value] : json.items()) {
    const Path here{&at, key, -1, true};
    if (auto ok = read(value, here, out[key], rule.items ? *rule.items : Rule{}); !ok) return ok;
  }
  return {};
}

template <class T>
Status read_enum(const Json& json, const Path& at, T& out, std::optional<T> (*parse)(std::string_view),
                 std::string_view values) {
  const auto parsed = json.is_string() ? parse(json.get_ref<const std::string&>()) : std::nullopt;
  if (!parsed) return wrong(at, json, "one of " + std::string(values));
  out = *parsed;
  return {};
}

// null counts as absent everywhere, as it does for the API server.
template <class T>
Status read_required(const Json& json, const Path& at, std::string_view key, T& out, const Rule& rule) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return missing(Path{&at, key});
  return read(*found, Path{&at, key}, out, rule);
}

template <class T>
Status read_defaulted(const Json& json, const Path& at, std::string_view key, T& out, const Rule& rule) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  return read(*found, Path{&at, key}, out, rule);
}

template <class T>
Status read_optional(const Json& json, const Path& at, std::string_view key, std::optional<T>& out, const Rule& rule) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return {};
  return read(*found, Path{&at, key}, out.emplace(), rule);
}

template <class T, class Key>
Status expect_unique(const std::vector<T>& items, Key T::*key, const Path& at, std::string_view name) {
  std::set<Key> seen;
  for (size_t i = 0; i < items.size(); ++i)
    if (!seen.insert(items[i].*key).second) {
      const Path here{&at, {}, static_cast<int64_t>(i)};
      return duplicate(Path{&here, name}, items[i].*key);
    }
  return {};
}

template <class T>
Result<T> parse_as(const Json& json) {
  T out;
  if (auto ok = read(json, Path{}, out, Rule{}); !ok) return std::unexpected(ok.error());
  return out;
}

// Items of a list lack apiVersion and kind; where they stand they must be right.
Status expect_type(const Json& json, std::string_view api_version, std::string_view kind);

template <class T>
Result<T> parse_root(const Json& json) {
  T out;
  if (auto ok = expect_object(json, Path{}); !ok) return std::unexpected(ok.error());
  if (auto ok = expect_type(json, T::kApiVersion, T::kKind); !ok) return std::unexpected(ok.error());
  const auto metadata = json.find("metadata");
  auto meta = parse_object_meta(metadata == json.end() ? Json::object() : *metadata);
  if (!meta) return std::unexpected(meta.error());
  out.metadata = std::move(*meta);
  if (auto ok = read_required(json, Path{}, "spec", out.spec, Rule{}); !ok) return std::unexpected(ok.error());
  if (auto ok = read_defaulted(json, Path{}, "status", out.status, Rule{}); !ok) return std::unexpected(ok.error());
  return out;
}

// Absent optionals and free-form objects are left out; lists and maps are always written, so that a merge patch empties
// them.
template <class T>
Json written(const T& value) {
  if constexpr (std::same_as<T, Json>) {  // first: the library's to_string would take it
    return value;
  } else if constexpr (requires { to_string(value); }) {
    return std::string(to_string(value));
  } else if constexpr (requires { to_json(value); }) {
    return to_json(value);
  } else {
    return value;
  }
}
template <class T>
void write(Json& json, const char* key, const T& value) {
  json[key] = written(value);
}
template <class T>
void write(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = written(*value);
}
template <class T>
void write(Json& json, const char* key, const std::vector<T>& values) {
  Json& list = json[key] = Json::array();
  for (const T& value : values) list.push_back(written(value));
}
template <class T>
void write(Json& json, const char* key, const std::map<std::string, T>& values) {
  Json& object = json[key] = Json::object();
  for (const auto& [name, value] : values) object[name] = written(value);
}
inline void write(Json& json, const char* key, const Json& value) {
  if (!value.is_null()) json[key] = value;
}
template <class List>
void write_unless_empty(Json& json, const char* key, const List& values) {
  if (!values.empty()) write(json, key, values);
}

}  // namespace twinspan::api
