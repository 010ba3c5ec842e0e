// Text, whatever the locale.
#pragma once
#include <string>
#include <string_view>

namespace twinspan {

std::string to_lower(std::string_view text);  // of ASCII letters; every other byte stays

}  // namespace twinspan
