// Files read whole.
#pragma once
#include <string>

#include "core/result.hpp"

namespace twinspan {

// kNotFound where there is none.
Result<std::string> read_file(const std::string& path);

}  // namespace twinspan
