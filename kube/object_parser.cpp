#include "kube/object_parser.hpp"

#include <simdjson.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <string>

namespace twinspan::kube {
namespace {

using namespace simdjson;
using ondemand::json_type;

constexpr int kDeepest = 1000;  // nothing the API server stores nests a tenth as deep

// What a value is, as far as it matters to what is read of it.
enum class Part { kOutermost, kEventObject, kMeta, kOther };

Part part_of(std::string_view key, Part of) {
  if (of == Part::kOutermost && key == "object") return Part::kEventObject;
  if ((of == Part::kOutermost || of == Part::kEventObject) && key == "metadata") return Part::kMeta;
  return Part::kOther;
}

// One document at a time, in memory that is kept. The library reads beyond the end, so the text is copied.
class Text {
 public:
  ondemand::document open(std::string_view text) {
    padded_.reserve(text.size() + SIMDJSON_PADDING);
    padded_.assign(text);
    return parser_.iterate(padded_string_view(padded_.data(), text.size(), padded_.capacity()));
  }

 private:
  std::string padded_;
  ondemand::parser parser_{size_t{16} << 20};
};
thread_local Text this_threads_text;

// As nlohmann-json has it: what is beyond 64 bits is a double.
template <class Value>
Json number(Value& value) {
  const std::string_view token = value.raw_json_token();
  if (const auto whole = value.get_uint64(); whole.error() == SUCCESS) return whole.value_unsafe();
  if (const auto whole = value.get_int64(); whole.error() == SUCCESS) return whole.value_unsafe();
  if (const auto read = value.get_double(); read.error() == SUCCESS) return read.value_unsafe();
  // Digits alone are left to be tried.
  const std::string_view digits = token.substr(0, token.find_last_of("0123456789") + 1);
  double out = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (error != std::errc() || end != digits.data() + digits.size() ||
      digits.find_first_not_of("0123456789", digits[0] == '-' ? 1 : 0) != std::string_view::npos)
    throw simdjson_error(NUMBER_ERROR);
  return out;
}

template <class Value>
void build(Value& value, Json& out, Part part, int depth);

void build_object(ondemand::object object, Json& out, Part part, int depth) {
  out = Json::object();
  auto& members = out.get_ref<Json::object_t&>();
  for (ondemand::field field : object) {
    const std::string_view key = field.unescaped_key();
    if (part == Part::kMeta && key == "managedFields") continue;
    const Part inner = part_of(key, part);
    // The API server writes members in the order of their names.
    Json& member = members.emplace_hint(members.end(), Json::string_t(key), nullptr)->second;
    build(field.value(), member, inner, depth + 1);
  }
}

template <class Value>
void build(Value& value, Json& out, Part part, int depth) {
  if (depth > kDeepest) throw simdjson_error(DEPTH_ERROR);
  switch (json_type(value.type())) {
    case json_type::object: build_object(value.get_object(), out, part, depth); break;
    case json_type::array: {
      out = Json::array();
      auto& items = out.template get_ref<Json::array_t&>();
      for (ondemand::value item : ondemand::array(value.get_array()))
        build(item, items.emplace_back(), Part::kOther, depth + 1);
      break;
    }
    case json_type::string: out = Json::string_t(std::string_view(value.get_string())); break;
    case json_type::boolean: out = bool(value.get_bool()); break;
    case json_type::number: out = number(value); break;
    case json_type::null:
      if (!value.is_null()) throw simdjson_error(N_ATOM_ERROR);
      out = nullptr;
      break;
  }
}

void read_meta(ondemand::object meta, ObjectHead& out) {
  for (ondemand::field field : meta) {
    const std::string_view key = field.unescaped_key();
    std::string* const wanted = key == "name"              ? &out.key.name
                                : key == "namespace"       ? &out.key.ns
                                : key == "resourceVersion" ? &out.version
                                                           : nullptr;
    if (wanted) *wanted = std::string_view(field.value().get_string());
  }
}

void read_head(ondemand::object object, Part part, ObjectHead& out) {
  for (ondemand::field field : object) {
    const std::string_view key = field.unescaped_key();
    if (part == Part::kOutermost && key == "type") out.event = std::string_view(field.value().get_string());
    if (part_of(key, part) == Part::kEventObject) read_head(field.value().get_object(), Part::kEventObject, out);
    if (part_of(key, part) == Part::kMeta) read_meta(field.value().get_object(), out);
  }
}

}  // namespace

Json parse_object(std::string_view text) {
  try {
    ondemand::document document = this_threads_text.open(text);
    Json out;
    build(document, out, Part::kOutermost, 0);
    if (document.current_location().error() != OUT_OF_BOUNDS) return Json(Json::value_t::discarded);  // text follows
    return out;
  } catch (const simdjson_error&) {
    return Json(Json::value_t::discarded);
  }
}

std::optional<ObjectHead> head_of(std::string_view text) {
  try {
    ObjectHead head;
    ondemand::document document = this_threads_text.open(text);
    read_head(document.get_object(), Part::kOutermost, head);
    if (head.key.name.empty()) return std::nullopt;
    return head;
  } catch (const simdjson_error&) {
    return std::nullopt;
  }
}

}  // namespace twinspan::kube
