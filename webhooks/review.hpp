// AdmissionReview of admission.k8s.io/v1: what the API server asks, and what it is answered. Pure.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "api/validate.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "kube/resource.hpp"

namespace twinspan::webhooks {

enum class Operation { kCreate, kUpdate, kDelete };

struct Review {
  std::string uid;  // echoed
  Operation operation = Operation::kCreate;
  std::string kind;  // "ReplicationLink"
  kube::Key key;     // name empty: metadata.generateName will make one
  std::string user;  // who asks
  Json object, old;  // null where absent: an object is created from nothing, and deleted to nothing
};
// kInvalid names the field, its value and what was expected.
Result<Review> parse_review(std::string_view body);

struct Verdict {
  std::vector<api::FieldError> errors;  // none: admitted
  std::vector<std::string> warnings;    // kubectl prints them, whatever becomes of the request
  bool forbidden = false;               // refused for what is asked, not for what the object says
  bool operator==(const Verdict&) const = default;
};

// The whole answer. A refusal is a Status with a cause for each field at fault, as the API server's own are.
Json answer(const Review& review, const Verdict& verdict);
// Of a mutating webhook; `patch` is a JSON Patch (RFC 6902), empty where there is nothing to fill in.
Json answer_with_patch(const Review& review, const Json& patch);

}  // namespace twinspan::webhooks
