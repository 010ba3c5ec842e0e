// The JSON value used throughout. Forward declaration only: .cpp files include <nlohmann/json.hpp>.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace twinspan {
using Json = nlohmann::json;
}
