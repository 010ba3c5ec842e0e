// How a review is refused that is not as its kind says.
#pragma once
#include <string_view>

#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::webhooks {

// kInvalid: "request.operation: is \"READ\", must be CREATE, UPDATE or DELETE".
std::unexpected<Error> wrong(std::string_view field, const Json& value, std::string_view expected);

}  // namespace twinspan::webhooks
