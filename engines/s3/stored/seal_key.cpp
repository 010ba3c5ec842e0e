#include "engines/s3/stored/seal_key.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>

#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kBytes = 32, kIdBytes = 8;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

SealKey::SealKey(std::string_view bytes) : id_(to_hex(sha256_of(bytes).substr(0, kIdBytes))) {
  std::copy_n(bytes.begin(), kBytes, bytes_.begin());
}

SealKey::~SealKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Result<std::shared_ptr<const SealKey>> SealKey::parse(std::string_view text) {
  if (text.size() == kBytes) return std::make_shared<const SealKey>(text);
  const std::string_view base64 = trimmed(text);
  constexpr size_t kBase64Bytes = 44, kDecodedBytes = 33;  // one character of padding
  if (base64.size() == kBase64Bytes && base64.ends_with('=') && base64[kBase64Bytes - 2] != '=') {
    std::array<unsigned char, kDecodedBytes> decoded{};
    const int size = EVP_DecodeBlock(decoded.data(), reinterpret_cast<const unsigned char*>(base64.data()),
                                     static_cast<int>(base64.size()));
    if (size == static_cast<int>(kDecodedBytes)) {
      auto key = std::make_shared<const SealKey>(std::string_view(reinterpret_cast<char*>(decoded.data()), kBytes));
      OPENSSL_cleanse(decoded.data(), decoded.size());
      return key;
    }
  }
  return fail(Code::kInvalid, "is no key: expected 32 bytes, or their Base64 (44 characters)");
}

}  // namespace twinspan::s3
