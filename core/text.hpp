// Text, whatever the locale.
#pragma once
#include <string>
#include <string_view>

namespace twinspan {

std::string to_lower(std::string_view text);  // of ASCII letters; every other byte stays

// What somebody else wrote, for a message: in one line, without what can't be printed, in UTF-8, at most so many bytes.
std::string one_line(std::string_view text, size_t bytes_max);

}  // namespace twinspan
