#include "s3/digest.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace twinspan::s3 {
namespace {

std::string digest(const EVP_MD* kind, std::string_view bytes) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), out, &size, kind, nullptr);
  return {reinterpret_cast<char*>(out), size};
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string from_hex(std::string_view digits) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string bytes;
  if (digits.size() % 2 != 0) return bytes;
  for (size_t i = 0; i < digits.size(); i += 2) {
    const size_t high = kHex.find(digits[i]), low = kHex.find(digits[i + 1]);
    if (high == kHex.npos || low == kHex.npos) return {};
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

// Fetched once: the look-up by name costs more than the digest of a small request.
std::string sha256_of(std::string_view bytes) {
  static EVP_MD* const kind = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return digest(kind, bytes);
}

std::string md5_of(std::string_view bytes) {
  static EVP_MD* const kind = EVP_MD_fetch(nullptr, "MD5", nullptr);
  return digest(kind, bytes);
}

Md5::Md5() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_md5(), nullptr); }

Md5::~Md5() { EVP_MD_CTX_free(context_); }

void Md5::add(std::string_view bytes) { EVP_DigestUpdate(context_, bytes.data(), bytes.size()); }

std::string Md5::finish() {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(context_, out, &size);
  return {reinterpret_cast<char*>(out), size};
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out, &size);
  return {reinterpret_cast<char*>(out), size};
}

}  // namespace twinspan::s3
