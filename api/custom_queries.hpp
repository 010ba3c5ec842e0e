// People's queries for metrics, spec.postgres.metrics: what the schema can't say. Pure.
#pragma once
#include <vector>

#include "api/types.hpp"
#include "api/validate.hpp"

namespace twinspan::api {

void check_queries(const std::vector<CustomQuery>& queries, std::vector<FieldError>& errors);

}  // namespace twinspan::api
