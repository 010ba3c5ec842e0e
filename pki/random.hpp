// Random text for passwords.
#pragma once
#include <cstddef>
#include <string>

#include "core/result.hpp"

namespace twinspan::pki {

// `bytes` of OpenSSL's randomness as lower-case hexadecimal digits.
Result<std::string> random_text(size_t bytes);

}  // namespace twinspan::pki
