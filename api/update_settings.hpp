// What the schema can't say of spec.postgres.updates.
#pragma once
#include <vector>

#include "api/types.hpp"
#include "api/validate.hpp"

namespace twinspan::api {

// Both are to be had, and the window is shut now and then.
void check_updates(const UpdateSettings& updates, std::vector<FieldError>& errors);

}  // namespace twinspan::api
