#include "sandbox/api/protobuf.hpp"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/clock.hpp"

namespace twinspan::sandbox {

extern const char* const kBuiltinProtobuf;  // protobuf_builtin.json, embedded by CMake

namespace {

struct Malformed {};

// The wire format: protobuf.dev/programming-guides/encoding.
class Wire {
 public:
  explicit Wire(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return bytes_.empty(); }
  uint64_t varint() {
    uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) throw Malformed{};
      const auto byte = static_cast<unsigned char>(bytes_[0]);
      bytes_.remove_prefix(1);
      out |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (!(byte & 0x80)) return out;
    }
    throw Malformed{};
  }
  std::string_view take(uint64_t count) {
    if (count > bytes_.size()) throw Malformed{};
    const std::string_view out = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return out;
  }
  struct Field {
    uint64_t number = 0;
    uint64_t value = 0;      // varint and fixed widths
    std::string_view bytes;  // length-delimited
  };
  Field field() {
    const uint64_t tag = varint();
    Field out{tag >> 3, 0, {}};
    switch (tag & 7) {
      case 0: out.value = varint(); break;
      case 1: std::memcpy(&out.value, take(8).data(), 8); break;
      case 2: out.bytes = take(varint()); break;
      case 5: std::memcpy(&out.value, take(4).data(), 4); break;
      default: throw Malformed{};
    }
    return out;
  }

 private:
  std::string_view bytes_;
};

const Json& messages() {
  static const Json* const parsed = new Json(Json::parse(kBuiltinProtobuf));
  return *parsed;
}

// Pointers in Go: written only where set, so that a zero means something.
bool zero_counts(const std::string& name) {
  static const std::set<std::string> kPointers = {"replicas",
                                                  "terminationGracePeriodSeconds",
                                                  "gracePeriodSeconds",
                                                  "maxUnavailable",
                                                  "minAvailable",
                                                  "maxSurge",
                                                  "runAsUser",
                                                  "runAsGroup",
                                                  "fsGroup",
                                                  "revisionHistoryLimit",
                                                  "progressDeadlineSeconds",
                                                  "tolerationSeconds",
                                                  "leaseTransitions",
                                                  "automountServiceAccountToken",
                                                  "enableServiceLinks",
                                                  "controller",
                                                  "blockOwnerDeletion",
                                                  "optional",
                                                  "immutable",
                                                  "allowPrivilegeEscalation",
                                                  "readOnlyRootFilesystem",
                                                  "runAsNonRoot",
                                                  "privileged",
                                                  "hostUsers",
                                                  "shareProcessNamespace",
                                                  "allowVolumeExpansion",
                                                  "orphanDependents",
                                                  "ready",
                                                  "serving",
                                                  "terminating"};
  return kPointers.contains(name);
}

bool empty_counts(const std::string& name) {
  static const std::set<std::string> kValues = {"metadata",        "status",    "spec",         "strategy",
                                                "updateStrategy",  "resources", "loadBalancer", "nodeInfo",
                                                "daemonEndpoints", "source",    "template",     "involvedObject"};
  return !kValues.contains(name);
}

Json decode_message(const std::string& type, std::string_view bytes, int depth);

Json decode_value(const std::string& type, const Wire::Field& field, int depth) {
  if (type == "string") return std::string(field.bytes);
  if (type == "bytes") return base64_encode(field.bytes);
  if (type == "bool") return field.value != 0;
  if (type == "double") {
    double out = 0;
    std::memcpy(&out, &field.value, sizeof(out));
    return out;
  }
  if (type.find('.') == std::string::npos) return static_cast<int64_t>(field.value);
  if (type == "meta.v1.FieldsV1" || type == "runtime.RawExtension") {
    Wire wire(field.bytes);
    return wire.done() ? Json() : Json::parse(wire.field().bytes, nullptr, false);
  }
  if (type == "api.resource.Quantity") {
    Wire wire(field.bytes);
    return wire.done() ? Json() : Json(std::string(wire.field().bytes));
  }
  if (type == "meta.v1.Time" || type == "meta.v1.MicroTime" || type == "util.intstr.IntOrString") {
    std::map<uint64_t, Wire::Field> parts;
    for (Wire wire(field.bytes); !wire.done();) {
      const Wire::Field part = wire.field();
      parts[part.number] = part;
    }
    if (type == "util.intstr.IntOrString") {
      if (parts[1].value == 1) return std::string(parts[3].bytes);
      return static_cast<int64_t>(parts[2].value);
    }
    if (!parts.contains(1)) return nullptr;
    const WallTime time{std::chrono::seconds(static_cast<int64_t>(parts[1].value)) +
                        std::chrono::microseconds(parts[2].value / 1000)};
    return type == "meta.v1.Time" ? to_rfc3339(time) : to_rfc3339_micro(time);
  }
  return decode_message(type, field.bytes, depth + 1);
}

void put(Json& object, const std::string& name, Json value) {
  if (value.is_null() || value == "") return;
  if (value.is_object() && value.empty() && !empty_counts(name)) return;
  const bool zero = value == false || (value.is_number() && value == 0);
  if (zero && !zero_counts(name)) return;
  object[name] = std::move(value);
}

Json decode_message(const std::string& type, std::string_view bytes, int depth) {
  const auto message = messages().find(type);
  if (message == messages().end() || depth > 40) throw Malformed{};
  Json out = Json::object();
  for (Wire wire(bytes); !wire.done();) {
    const Wire::Field field = wire.field();
    const auto found = message->find(std::to_string(field.number));
    if (found == message->end()) continue;
    const auto& declared = found->get_ref<const std::string&>();
    const size_t space = declared.find(' ');
    const std::string name = declared.substr(0, space);
    std::string its_type = declared.substr(space + 1);
    if (name[0] == '.') {
      const Json inner = decode_value(its_type, field, depth);
      if (inner.is_object()) out.update(inner);
    } else if (its_type.starts_with("[]")) {
      out[name].push_back(decode_value(its_type.substr(2), field, depth));
    } else if (its_type.starts_with("{}")) {
      its_type = its_type.substr(2);
      std::string key;
      Json value = its_type == "string" || its_type == "bytes" ? Json("") : Json();
      for (Wire entry(field.bytes); !entry.done();) {
        const Wire::Field part = entry.field();
        if (part.number == 1) key = part.bytes;
        if (part.number == 2) value = decode_value(its_type, part, depth);
      }
      out[name][key] = std::move(value);
    } else {
      put(out, name, decode_value(its_type, field, depth));
    }
  }
  return out;
}

}  // namespace

bool is_protobuf(std::string_view body) { return body.starts_with(std::string_view("k8s\0", 4)); }

Answer<Json> from_protobuf(std::string_view body) {
  try {
    std::string api_version, kind;
    std::string_view raw;
    for (Wire unknown(body.substr(4)); !unknown.done();) {  // runtime.Unknown: typeMeta = 1, raw = 2
      const Wire::Field field = unknown.field();
      if (field.number == 2) raw = field.bytes;
      if (field.number != 1) continue;
      for (Wire meta(field.bytes); !meta.done();) {
        const Wire::Field part = meta.field();
        (part.number == 1 ? api_version : kind) = part.bytes;
      }
    }
    // "rbac.authorization.k8s.io/v1" → "rbac.v1"; "v1" → "core.v1", where DeleteOptions is meta.v1's in every group.
    const size_t slash = api_version.find('/');
    std::string type = slash == std::string::npos ? "core." + api_version
                                                  : api_version.substr(0, std::min(api_version.find('.'), slash)) +
                                                        "." + api_version.substr(slash + 1);
    if (kind == "DeleteOptions") type = "meta.v1";
    type += "." + kind;
    if (!messages().contains(type))
      return refuse(415, "UnsupportedMediaType", fmt::format("{} is not read from protobuf here, send JSON", type));
    Json out = decode_message(type, raw, 0);
    out["apiVersion"] = api_version;
    out["kind"] = kind;
    return out;
  } catch (const Malformed&) {
    return bad_request("the body of the request is not the protobuf it claims to be");
  }
}

}  // namespace twinspan::sandbox
