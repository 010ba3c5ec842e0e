// Bodies in protobuf, which kubectl's typed commands send (`kubectl create secret`, `kubectl auth can-i`). Answers are
// always JSON.
#pragma once
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "sandbox/api/error.hpp"

namespace twinspan::sandbox {

bool is_protobuf(std::string_view body);  // begins as runtime.Unknown does: "k8s\0"
// The object as JSON. Zero values that Go always writes are left out where their absence means the same.
Answer<Json> from_protobuf(std::string_view body);

}  // namespace twinspan::sandbox
