// Objects of the API as they arrive, without what nothing here reads.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "kube/object.hpp"

namespace twinspan::kube {

// As Json::parse without exceptions (discarded where the text is no JSON), but metadata.managedFields is left out: half
// of many an object, and thrown away by every decoder. The text may be the object or a watch event around it. What
// nests deeper than a thousand levels is discarded too.
Json parse_object(std::string_view text);

// At a tenth of parse_object's cost. nullopt: not to be seen this way, and parse_object will tell.
std::optional<ObjectHead> head_of(std::string_view text);

}  // namespace twinspan::kube
