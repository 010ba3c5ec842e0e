// Reviews as an API server would send them.
#pragma once
#include <nlohmann/json.hpp>

#include "unit/api/manifest.hpp"
#include "webhooks/review.hpp"

namespace twinspan::webhooks {

inline Json review_json(const std::string& operation, const Json& object, const Json& old) {
  const Json& any = object.is_null() ? old : object;
  return {{"apiVersion", "admission.k8s.io/v1"},
          {"kind", "AdmissionReview"},
          {"request",
           {{"uid", "705ab4f5-6393-11e8-b7cc-42010a800002"},
            {"kind", {{"group", "twinspan.dev"}, {"version", "v1alpha1"}, {"kind", any["kind"]}}},
            {"name", any["metadata"]["name"]},
            {"namespace", any["metadata"].value("namespace", "shop")},
            {"operation", operation},
            {"userInfo", {{"username", "jo"}}},
            {"object", object},
            {"oldObject", old},
            {"dryRun", false}}}};
}

inline Review review_of(const Json& object, const Json& old = nullptr) {
  return *parse_review(review_json(object.is_null() ? "DELETE"
                                   : old.is_null()  ? "CREATE"
                                                    : "UPDATE",
                                   object, old)
                           .dump());
}

}  // namespace twinspan::webhooks
