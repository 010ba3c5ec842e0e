// ConversionReview of apiextensions.k8s.io/v1: objects of one version of a CRD as another. Pure.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::webhooks {

// One way of one kind. Both ways together must lose nothing: the API server stores one version and serves all.
struct Conversion {
  std::string kind;      // "ReplicationLink"
  std::string from, to;  // "v1alpha1"
  // What is to be done beside another apiVersion; empty where both schemas are the same. metadata stays as it is.
  std::function<void(Json& object)> change;
};
using Conversions = std::vector<Conversion>;

// The whole answer: every object asked for, in its order, or a failure that names the first that can't be converted and
// the versions it could be. kInvalid where the body is no ConversionReview, naming the field, its value and what was
// expected.
Result<Json> convert(std::string_view body, const Conversions& known);

}  // namespace twinspan::webhooks
