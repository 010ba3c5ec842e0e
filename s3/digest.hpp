// The digests and encodings that S3 requests carry. Private to this room and its stub server.
#pragma once
#include <array>
#include <string>
#include <string_view>

namespace twinspan::s3 {

std::string to_hex(std::string_view bytes);
std::string base64_of(std::string_view bytes);
std::string sha256_of(std::string_view bytes);  // 32 bytes
std::string md5_of(std::string_view bytes);     // 16 bytes
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace twinspan::s3
