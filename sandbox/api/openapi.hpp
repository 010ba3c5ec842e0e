// OpenAPI documents of what is served, for `kubectl explain` and client-side validation.
#pragma once
#include <optional>
#include <string>

#include "core/json.hpp"
#include "sandbox/api/catalog.hpp"

namespace twinspan::sandbox {

Json openapi_v3_index(const Catalog& catalog);
std::optional<Json> openapi_v3(const Catalog& catalog,
                               const std::string& path);  // "api/v1", "apis/twinspan.dev/v1alpha1"
Json openapi_v2(const Catalog& catalog);

}  // namespace twinspan::sandbox
