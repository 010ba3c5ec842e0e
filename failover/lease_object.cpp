#include "failover/lease_object.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

constexpr const char* kReleasedBy = "twinspan.dev/released-by";
constexpr const char* kReleaseCause = "twinspan.dev/release-cause";
constexpr const char* kFinalPosition = "twinspan.dev/final-position";

}  // namespace

Result<StoredLease> parse_lease(const Json& object) {
  const Json &meta = member_of(object, "metadata"), &spec = member_of(object, "spec"),
             &notes = member_of(meta, "annotations");
  StoredLease lease;
  LeaseRecord& record = lease.record;
  record.version = text_of(meta, "resourceVersion");
  if (record.version.empty()) return fail(Code::kInvalid, "lease: metadata.resourceVersion is missing");
  const std::string holder = text_of(spec, "holderIdentity");
  const size_t slash = holder.find('/');
  record.holder_endpoint = holder.substr(0, slash);
  if (slash != std::string::npos) record.holder_instance = holder.substr(slash + 1);
  record.epoch = {integer_of(spec, "leaseTransitions")};
  record.promoted = text_of(notes, kPromotedAnnotation) == std::to_string(record.epoch.value);
  lease.duration = std::chrono::seconds(integer_of(spec, "leaseDurationSeconds"));
  const std::string cause = text_of(notes, kReleaseCause);
  if (record.held() || cause.empty()) return lease;
  const auto known = parse_cause(cause);
  if (!known) return fail(Code::kInvalid, fmt::format("lease: {}: \"{}\" is no cause", kReleaseCause, cause));
  record.release = Release{text_of(notes, kReleasedBy), *known, std::nullopt};
  const std::string position = text_of(notes, kFinalPosition);
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
  notes[std::string(kPromotedAnnotation)] = record.promoted ? Json(std::to_string(record.epoch.value)) : Json(nullptr);
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

}  // namespace twinspan
