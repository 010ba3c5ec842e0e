// Where pods may run, as the API server judges it beyond what a schema can say. Pure.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/validate.hpp"
#include "core/json.hpp"

namespace twinspan::api {

struct PlacementSpec {
  const std::map<std::string, std::string>& node_selector;
  const Json& affinity;
  const std::vector<Json>&tolerations, &topology_spread_constraints;
};
// What `named` stands below: "spec.s3" of "spec.s3.tolerations".
using PlacementField = std::function<std::string(const std::string& named)>;
void check_placement(const PlacementSpec& placement, const PlacementField& field, std::vector<FieldError>& errors);

}  // namespace twinspan::api
