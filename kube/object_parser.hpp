// Objects of the API as they arrive, without what nothing here reads.
#pragma once
#include <string_view>

#include "core/json.hpp"

namespace twinspan::kube {

// As Json::parse without exceptions (discarded where the text is no JSON), but metadata.managedFields is left out: half
// of many an object, and thrown away by every decoder. The text may be the object or a watch event around it.
Json parse_object(std::string_view text);

}  // namespace twinspan::kube
