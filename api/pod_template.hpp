// What people add to the pods of an endpoint (managed.podTemplate). Pure.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/validate.hpp"

namespace twinspan::api {

// Whether the agent, PostgreSQL, its client library or the loader act upon a variable of that name, or the agent sets
// it: it is not to be had.
bool is_reserved_variable(std::string_view name);

// `field`: where a part stands that is taken out of a PodTemplate by `part`, which is compared:
// "spec.postgres.managed".
using PodTemplateField = std::function<std::string(const std::function<Json(const PodTemplate&)>& part)>;
void check_pod_template(const PodTemplate& added, const PodTemplateField& field, std::vector<FieldError>& errors);

}  // namespace twinspan::api
