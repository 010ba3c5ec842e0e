#include "webhooks/review.hpp"

#include <fmt/format.h>

#include "core/base64.hpp"
#include "webhooks/wrong.hpp"

namespace twinspan::webhooks {
namespace {

constexpr std::string_view kApiVersion = "admission.k8s.io/v1", kGroup = "twinspan.dev";

Result<Operation> parse_operation(const Json& request) {
  const std::string text = text_of(request, "operation");
  if (text == "CREATE") return Operation::kCreate;
  if (text == "UPDATE") return Operation::kUpdate;
  if (text == "DELETE") return Operation::kDelete;
  return wrong("request.operation", member_of(request, "operation"), "CREATE, UPDATE or DELETE");
}

Json head(const Review& review) {
  return {
      {"apiVersion", kApiVersion}, {"kind", "AdmissionReview"}, {"response", {{"uid", review.uid}, {"allowed", true}}}};
}

}  // namespace

Result<Review> parse_review(std::string_view body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return fail(Code::kInvalid, "the body is no JSON object: expected an AdmissionReview");
  if (text_of(json, "apiVersion") != kApiVersion)
    return wrong("apiVersion", member_of(json, "apiVersion"), kApiVersion);
  if (text_of(json, "kind") != "AdmissionReview") return wrong("kind", member_of(json, "kind"), "AdmissionReview");
  const Json& request = member_of(json, "request");
  if (!request.is_object()) return wrong("request", request, "an object");
  Review review;
  review.uid = text_of(request, "uid");
  if (review.uid.empty()) return wrong("request.uid", member_of(request, "uid"), "the request's uid");
  const auto operation = parse_operation(request);
  if (!operation) return std::unexpected(operation.error());
  review.operation = *operation;
  const Json& kind = member_of(request, "kind");
  review.kind = text_of(kind, "kind");
  const bool ours =
      review.kind == "ReplicationLink" || review.kind == "FailoverPolicy" || review.kind == "BackupSchedule";
  if (text_of(kind, "group") != kGroup || !ours)
    return wrong("request.kind", kind, "ReplicationLink, FailoverPolicy or BackupSchedule of twinspan.dev");
  if (text_of(kind, "version") != kube::kReplicationLinks.version)
    return wrong("request.kind.version", member_of(kind, "version"), kube::kReplicationLinks.version);
  review.object = member_of(request, "object");
  review.old = member_of(request, "oldObject");
  const bool wants_object = review.operation != Operation::kDelete, wants_old = review.operation != Operation::kCreate;
  if (review.object.is_object() != wants_object)
    return wrong("request.object", review.object, wants_object ? "an object" : "null");
  if (review.old.is_object() != wants_old)
    return wrong("request.oldObject", review.old, wants_old ? "an object" : "null");
  review.key = {text_of(request, "namespace"), text_of(request, "name")};
  if (review.key.ns.empty())
    return wrong("request.namespace", member_of(request, "namespace"), "the object's namespace");
  review.user = text_of(member_of(request, "userInfo"), "username");
  return review;
}

Json answer(const Review& review, const Verdict& verdict) {
  Json out = head(review);
  Json& response = out["response"];
  response["allowed"] = verdict.errors.empty();
  if (!verdict.warnings.empty()) response["warnings"] = verdict.warnings;
  if (verdict.errors.empty()) return out;
  Json causes = Json::array();
  for (const api::FieldError& error : verdict.errors)
    causes.push_back({{"reason", "FieldValueInvalid"}, {"field", error.field}, {"message", error.message}});
  response["status"] = {
      {"status", "Failure"},
      {"code", verdict.forbidden ? 403 : 422},
      {"reason", verdict.forbidden ? "Forbidden" : "Invalid"},
      {"message", api::to_string(verdict.errors)},
      {"details", {{"group", kGroup}, {"kind", review.kind}, {"name", review.key.name}, {"causes", causes}}}};
  return out;
}

Json answer_with_patch(const Review& review, const Json& patch) {
  Json out = head(review);
  if (patch.empty()) return out;
  out["response"]["patchType"] = "JSONPatch";
  out["response"]["patch"] = base64_encode(patch.dump());
  return out;
}

}  // namespace twinspan::webhooks
