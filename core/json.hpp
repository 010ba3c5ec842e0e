// The JSON value used throughout. Forward declaration only: .cpp files include <nlohmann/json.hpp>.
#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace twinspan {

using Json = nlohmann::json;

// Reading objects that others wrote: what is missing or of another type reads as nothing, never as an exception.
const Json& member_of(const Json& object, std::string_view key);  // null where absent
std::string text_of(const Json& object, std::string_view key);    // empty where absent or no string
int64_t integer_of(const Json& object, std::string_view key);     // 0 where absent or no integer

}  // namespace twinspan
