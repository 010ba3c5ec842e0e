#include "api/reader.hpp"

#include <cmath>

namespace twinspan::api {

namespace {

constexpr size_t kShownBytes = 60;

// Code points, as the API server counts them.
size_t length(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string bounds(const Rule& rule) {
  if (rule.minimum && rule.maximum)
    return " from " + std::to_string(*rule.minimum) + " to " + std::to_string(*rule.maximum);
  if (rule.minimum) return " of at least " + std::to_string(*rule.minimum);
  if (rule.maximum) return " of at most " + std::to_string(*rule.maximum);
  return "";
}

template <class T>
bool within(T value, const Rule& rule) {
  return (!rule.minimum || value >= static_cast<T>(*rule.minimum)) &&
         (!rule.maximum || value <= static_cast<T>(*rule.maximum));
}

}  // namespace

std::string Path::str() const {
  if (!parent) return std::string(name);
  std::string text = parent->str();
  if (index >= 0) return text + "[" + std::to_string(index) + "]";
  if (is_key) return text + "[" + std::string(name) + "]";
  return text.empty() ? std::string(name) : text + "." + std::string(name);
}

std::unexpected<Error> wrong(const Path& at, const Json& value, std::string_view expected) {
  std::string shown = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (shown.size() > kShownBytes) shown = shown.substr(0, kShownBytes) + "…";
  const std::string where = at.str();
  return fail(Code::kInvalid,
              (where.empty() ? "the object" : where) + ": is " + shown + ", must be " + std::string(expected));
}

std::unexpected<Error> missing(const Path& at) { return fail(Code::kInvalid, at.str() + ": is required"); }

std::unexpected<Error> duplicate(const Path& at, std::string_view value) {
  return fail(Code::kInvalid,
              at.str() + ": \"" + std::string(value.substr(0, kShownBytes)) + "\" stands there twice, must be unique");
}

Status expect_object(const Json& json, const Path& at) {
  if (!json.is_object()) return wrong(at, json, "an object");
  return {};
}

Status expect_items(const Json& json, const Path& at, size_t count, const Rule& rule) {
  if (count < rule.min_items) return wrong(at, json, "a list of at least " + std::to_string(rule.min_items));
  if (count > rule.max_items) return wrong(at, json, "at most " + std::to_string(rule.max_items) + " of them");
  return {};
}

Status read(const Json& json, const Path& at, std::string& out, const Rule& rule) {
  if (!json.is_string()) return wrong(at, json, "a string");
  const std::string& text = json.get_ref<const std::string&>();
  if (rule.min_length == 1 && text.empty()) return wrong(at, json, "not empty");
  const size_t size = length(text);
  if (size < rule.min_length) return wrong(at, json, "at least " + std::to_string(rule.min_length) + " characters");
  if (size > rule.max_length) return wrong(at, json, "at most " + std::to_string(rule.max_length) + " characters");
  if (rule.matches && !rule.matches(text)) return wrong(at, json, rule.shape);
  out = text;
  return {};
}

Status read(const Json& json, const Path& at, int64_t& out, const Rule& rule) {
  const bool too_large =
      json.is_number_unsigned() && json.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()};
  if (!json.is_number_integer() || too_large) return wrong(at, json, "an integer" + bounds(rule));
  if (!within(json.get<int64_t>(), rule)) return wrong(at, json, "an integer" + bounds(rule));
  out = json.get<int64_t>();
  return {};
}

Status read(const Json& json, const Path& at, double& out, const Rule& rule) {
  if (!json.is_number() || !std::isfinite(json.get<double>()) || !within(json.get<double>(), rule))
    return wrong(at, json, "a number" + bounds(rule));
  out = json.get<double>();
  return {};
}

Status read(const Json& json, const Path& at, bool& out, const Rule&) {
  if (!json.is_boolean()) return wrong(at, json, "true or false");
  out = json.get<bool>();
  return {};
}

Status read(const Json& json, const Path& at, Json& out, const Rule&) {
  if (!json.is_object()) return wrong(at, json, "an object");
  out = json;
  return {};
}

Status expect_type(const Json& json, std::string_view api_version, std::string_view kind) {
  for (const auto& [key, expected] : {std::pair{"apiVersion", api_version}, std::pair{"kind", kind}}) {
    const auto found = json.find(key);
    if (found != json.end() && *found != expected) return wrong(Path{nullptr, key}, *found, expected);
  }
  return {};
}

}  // namespace twinspan::api
