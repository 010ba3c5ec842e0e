// URI encoding as Signature Version 4 wants it ("Create a canonical request").
#pragma once
#include <string>
#include <string_view>

namespace twinspan::s3 {

// Every byte but the unreserved ones as %XX; '/' stays.
std::string encode_key(std::string_view key);

}  // namespace twinspan::s3
