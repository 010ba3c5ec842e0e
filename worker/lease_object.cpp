#include "worker/lease_object.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan::worker {
namespace {

constexpr const char* kPromoted = "twinspan.dev/promoted";
constexpr const char* kReleasedBy = "twinspan.dev/released-by";
constexpr const char* kReleaseCause = "twinspan.dev/release-cause";
constexpr const char* kFinalPosition = "twinspan.dev/final-position";

const Json& member(const Json& object, const char* key) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}
std::string text(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}
int64_t integer(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

}  // namespace

Result<StoredLease> parse_lease(const Json& object) {
  const Json &meta = member(object, "metadata"), &spec = member(object, "spec"), &notes = member(meta, "annotations");
  StoredLease lease;
  LeaseRecord& record = lease.record;
  record.version = text(meta, "resourceVersion");
  if (record.version.empty()) return fail(Code::kInvalid, "lease: metadata.resourceVersion is missing");
  const std::string holder = text(spec, "holderIdentity");
  const size_t slash = holder.find('/');
  record.holder_endpoint = holder.substr(0, slash);
  if (slash != std::string::npos) record.holder_instance = holder.substr(slash + 1);
  record.epoch = {integer(spec, "leaseTransitions")};
  record.promoted = text(notes, kPromoted) == std::to_string(record.epoch.value);
  lease.duration = std::chrono::seconds(integer(spec, "leaseDurationSeconds"));
  const std::string cause = text(notes, kReleaseCause);
  if (record.held() || cause.empty()) return lease;
  const auto known = parse_cause(cause);
  if (!known) return fail(Code::kInvalid, fmt::format("lease: {}: \"{}\" is no cause", kReleaseCause, cause));
  record.release = Release{text(notes, kReleasedBy), *known, std::nullopt};
  const std::string position = text(notes, kFinalPosition);
  if (position.empty()) return lease;
  record.release->final_position = parse_position(position);
  if (!record.release->final_position)
    return fail(Code::kInvalid, fmt::format("lease: {}: \"{}\" is no position", kFinalPosition, position));
  return lease;
}

Json lease_patch(const LeaseRecord& record, std::chrono::milliseconds duration, WallTime renewed_at, bool acquisition) {
  Json notes = Json::object();
  Json spec = {{"renewTime", to_rfc3339_micro(renewed_at)},
               {"leaseTransitions", record.epoch.value},
               {"holderIdentity", record.held() ? record.holder_endpoint + "/" + record.holder_instance : ""},
               {"leaseDurationSeconds", std::chrono::ceil<std::chrono::seconds>(duration).count()}};
  notes[kPromoted] = record.promoted ? Json(std::to_string(record.epoch.value)) : Json(nullptr);
  if (acquisition) {
    spec["acquireTime"] = to_rfc3339_micro(renewed_at);
    notes[kReleasedBy] = notes[kReleaseCause] = notes[kFinalPosition] = nullptr;
  }
  if (record.release) {
    notes[kReleasedBy] = record.release->endpoint;
    notes[kReleaseCause] = to_string(record.release->cause);
    notes[kFinalPosition] =
        record.release->final_position ? Json(to_string(*record.release->final_position)) : Json(nullptr);
  }
  return {{"metadata", {{"resourceVersion", record.version}, {"annotations", std::move(notes)}}},
          {"spec", std::move(spec)}};
}

}  // namespace twinspan::worker
