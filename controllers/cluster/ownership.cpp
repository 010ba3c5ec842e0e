#include "controllers/cluster/ownership.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

constexpr std::string_view kOurGroup = "twinspan.dev/";

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

}  // namespace

Marks marks_of(const Json& object) {
  const Json& meta = member_of(object, "metadata");
  const Json &labels = member_of(meta, "labels"), &notes = member_of(meta, "annotations");
  Marks marks;
  marks.managed = text_of(labels, kManagedByLabel) == kManagedBy;
  marks.link = text_of(labels, kLinkLabel);
  marks.made_for = text_of(notes, kLinkUidAnnotation);
  marks.handed_to = text_of(notes, kHandOverAnnotation);
  for (const Json& reference : member_of(meta, "ownerReferences")) {
    const Json& controls = member_of(reference, "controller");
    if (text_of(reference, "apiVersion").starts_with(kOurGroup)) {
      marks.owner = text_of(reference, "uid");
    } else if (controls.is_boolean() && controls.get<bool>()) {
      marks.controller = text_of(reference, "kind") + "/" + text_of(reference, "name");
    }
  }
  return marks;
}

Claimant claimant(const api::ReplicationLink& link) {
  return {link.metadata.name, link.metadata.name, link.metadata.uid};
}

Claimant claimant(const api::FailoverPolicy& policy) {
  return {policy.metadata.name, policy.spec.link_ref.name, policy.metadata.uid};
}

Whose whose(const Marks& object, const Claimant& claimant) {
  if (!object.handed_to.empty() && object.handed_to == claimant.name) return Whose::kHandedOver;
  if (!object.managed || object.link != claimant.link) return Whose::kForeign;
  // Pods of S3 and Kafka links are their StatefulSet's, which is ours.
  if (!object.controller.empty() && object.controller != "StatefulSet/" + s3_set_name(claimant.link) &&
      object.controller != "StatefulSet/" + kafka_set_name(claimant.link))
    return Whose::kForeign;
  const std::string& made_for = object.owner.empty() ? object.made_for : object.owner;
  return !made_for.empty() && made_for == claimant.uid ? Whose::kOurs : Whose::kPredecessors;
}

bool can_be_handed_over(std::string_view kind) { return kind != "Pod" && kind != "StatefulSet"; }

bool may_be_written(Whose whose, std::string_view kind) {
  return whose != Whose::kForeign && (whose != Whose::kHandedOver || can_be_handed_over(kind));
}

bool may_be_deleted(Whose whose) { return whose == Whose::kOurs || whose == Whose::kPredecessors; }

std::string foreign_message(const std::vector<Foreign>& foreign, const std::string& ns, const std::string& claimant,
                            const std::string& rename) {
  std::string out;
  for (const Foreign& one : foreign) {
    if (!out.empty()) out += "; ";
    out += fmt::format("{} {} is not Twinspan's and stays as it is: rename {}, remove that object", one.kind, one.name,
                       rename);
    if (can_be_handed_over(one.kind))
      out += fmt::format(", or hand it over with: kubectl -n {} annotate {} {} {}={}", ns, lower(one.kind), one.name,
                         kHandOverAnnotation, claimant);
  }
  return out;
}

Json takeover_patch(const Json& wanted, Whose whose, const std::string& resource_version) {
  const Json& meta = wanted.at("metadata");
  Json patch = {{"resourceVersion", resource_version}, {"labels", meta.at("labels")}};
  if (whose == Whose::kHandedOver)
    patch["labels"].erase(std::string(kManagedByLabel));
  else
    patch["ownerReferences"] = meta.value("ownerReferences", Json());
  return {{"metadata", std::move(patch)}};
}

Json as_may_be_written(Json wanted, Whose whose) {
  if (whose != Whose::kHandedOver) return wanted;
  Json& meta = wanted["metadata"];
  meta.erase("ownerReferences");
  meta["labels"].erase(std::string(kManagedByLabel));
  // The hash is of what is written: with another it would be written for ever.
  if (meta.contains("annotations") && meta["annotations"].contains(std::string(kHashAnnotation)))
    meta["annotations"][std::string(kHashAnnotation)] = content_hash(wanted);
  return wanted;
}

}  // namespace twinspan::controllers
