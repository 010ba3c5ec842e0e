// The patch formats beside server-side apply.
#pragma once
#include <string>

#include "core/json.hpp"
#include "sandbox/api/error.hpp"
#include "sandbox/api/schema.hpp"

namespace twinspan::sandbox {

Answer<Json> json_patch(const Json& object, const Json& patch);  // RFC 6902
Json merge_patch(Json object, const Json& patch);                // RFC 7386
// Strategic merge: lists with a merge key are merged by it, with the directives $patch, $retainKeys,
// $deleteFromPrimitiveList and $setElementOrder (kubernetes/community: strategic-merge-patch.md).
Json strategic_merge_patch(const Json& object, const Json& patch, SchemaView schema);

Answer<Json> parse_body(const std::string& text);  // JSON, or YAML where it isn't JSON
Answer<std::vector<Json>> parse_yaml_documents(const std::string& text);

}  // namespace twinspan::sandbox
