// CPU and memory of a container, as people write them into a spec.
#pragma once
#include <string>
#include <vector>

#include "api/validate.hpp"
#include "core/json.hpp"

namespace twinspan::api {

// Every amount of `requests` and `limits` must be a quantity. `field`: where `resources` stands. null: nothing to
// check.
void check_resources(const Json& resources, const std::string& field, std::vector<FieldError>& errors);

}  // namespace twinspan::api
