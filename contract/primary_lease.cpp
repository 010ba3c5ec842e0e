#include "contract/primary_lease.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

constexpr const char* kEpochs = "twinspan.dev/epochs";
constexpr const char* kEnd = "twinspan.dev/position";
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
  // What was said of another epoch was left behind by an earlier holder.
  const std::string epochs = text_of(notes, kEpochs), end = text_of(notes, kEnd),
                    said_of = fmt::format("{} ", record.epoch.value);
  if (record.promoted && epochs.starts_with(said_of))
    record.epochs = parse_epoch_history(std::string_view(epochs).substr(said_of.size()));
  if (record.promoted && end.starts_with(said_of))
    record.end = parse_position(std::string_view(end).substr(said_of.size()));
  lease.duration = std::clamp<std::chrono::milliseconds>(std::chrono::seconds(integer_of(spec, "leaseDurationSeconds")),
                                                         std::chrono::milliseconds(0), kLeaseDurationMost);
  const std::string cause = text_of(notes, kReleaseCause);
  if (record.held() || cause.empty()) return lease;
  // A word that this program does not know, of a newer one or a hand, is no release: such a lease has to stand first.
  const auto known = parse_cause(cause);
  const std::string position = text_of(notes, kFinalPosition);
  const auto final_position = parse_position(position);
  if (!known || (!final_position && !position.empty())) return lease;
  record.release = Release{text_of(notes, kReleasedBy), *known, final_position};
  return lease;
}

Json lease_patch(const LeaseRecord& record, std::chrono::milliseconds duration, WallTime renewed_at, bool acquisition) {
  Json notes = Json::object();
  Json spec = {{"renewTime", to_rfc3339_micro(renewed_at)},
               {"leaseTransitions", record.epoch.value},
               {"holderIdentity", record.held() ? record.holder_endpoint + "/" + record.holder_instance : ""},
               {"leaseDurationSeconds", std::chrono::ceil<std::chrono::seconds>(duration).count()}};
  notes[std::string(kPromotedAnnotation)] = record.promoted ? Json(std::to_string(record.epoch.value)) : Json(nullptr);
  if (record.promoted && !record.epochs.empty())
    notes[kEpochs] = fmt::format("{} {}", record.epoch.value, to_string(record.epochs));
  if (record.promoted && record.end) notes[kEnd] = fmt::format("{} {}", record.epoch.value, to_string(*record.end));
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
