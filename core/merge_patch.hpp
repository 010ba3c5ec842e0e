// JSON merge patches (RFC 7386).
#pragma once
#include "core/json.hpp"

namespace twinspan {

// What turns one object into the other: nulls for what went away, lists whole.
Json merge_patch_between(const Json& before, const Json& after);

}  // namespace twinspan
