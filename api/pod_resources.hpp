// CPU and memory of a container, as people write them into a spec.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "api/validate.hpp"
#include "core/json.hpp"

namespace twinspan::api {

// Every amount of `requests` and `limits` must be a quantity. null: nothing to check. `field` says where `resources`
// stands that has this amount (of "limits", "memory").
using ResourcesField = std::function<std::string(const std::string& kind, const std::string& name)>;
void check_resources(const Json& resources, const ResourcesField& field, std::vector<FieldError>& errors);

}  // namespace twinspan::api
