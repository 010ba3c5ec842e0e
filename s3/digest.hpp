// The digests and encodings that S3 requests carry. Private to this room and its stub server.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "core/base64.hpp"

struct evp_md_ctx_st;  // of OpenSSL

namespace twinspan::s3 {

std::string to_hex(std::string_view bytes);
std::string from_hex(std::string_view digits);  // "" where they are no pairs of lower-case digits
std::string sha256_of(std::string_view bytes);  // 32 bytes
std::string md5_of(std::string_view bytes);     // 16 bytes
// MD5 of what comes in pieces.
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(const Md5&) = delete;
  Md5& operator=(const Md5&) = delete;
  void add(std::string_view bytes);
  std::string finish();  // 16 bytes; once

 private:
  evp_md_ctx_st* context_;
};
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace twinspan::s3
