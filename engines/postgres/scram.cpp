#include "engines/postgres/scram.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "core/base64.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::string_view kForm = "SCRAM-SHA-256$";
constexpr int kIterationsMost = 100000;  // PostgreSQL's own are 4096
using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

}  // namespace

bool is_verifier_of(const std::string& verifier, const std::string& password) {
  if (!verifier.starts_with(kForm)) return false;
  if (password.empty() || !std::ranges::all_of(password, [](char c) { return c >= 0x20 && c < 0x7f; })) return false;
  const size_t begin = kForm.size(), colon = verifier.find(':', begin), dollar = verifier.find('$', begin),
               end = verifier.find(':', dollar == verifier.npos ? dollar : dollar + 1);
  if (colon == verifier.npos || dollar == verifier.npos || end == verifier.npos || colon > dollar) return false;
  int iterations = 0;
  const auto [rest, failed] = std::from_chars(verifier.data() + begin, verifier.data() + colon, iterations);
  const auto salt = base64_decode(verifier.substr(colon + 1, dollar - colon - 1));
  const auto stored = base64_decode(verifier.substr(dollar + 1, end - dollar - 1));
  if (failed != std::errc() || rest != verifier.data() + colon || iterations < 1 || iterations > kIterationsMost)
    return false;
  const auto proof = base64_decode(verifier.substr(end + 1));  // of the server to the client
  if (!salt || !stored || !proof || stored->size() != SHA256_DIGEST_LENGTH || proof->size() != SHA256_DIGEST_LENGTH)
    return false;
  Digest salted, client, own, server;
  unsigned int length = 0;
  constexpr std::string_view kClientKey = "Client Key", kServerKey = "Server Key";
  const auto mac = [&](std::string_view text, Digest& out) {
    return HMAC(EVP_sha256(), salted.data(), salted.size(), reinterpret_cast<const unsigned char*>(text.data()),
                text.size(), out.data(), &length) != nullptr;
  };
  const bool hashed =
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                        reinterpret_cast<const unsigned char*>(salt->data()), static_cast<int>(salt->size()),
                        iterations, EVP_sha256(), salted.size(), salted.data()) == 1 &&
      mac(kClientKey, client) && mac(kServerKey, server) && SHA256(client.data(), client.size(), own.data()) != nullptr;
  return hashed && CRYPTO_memcmp(own.data(), stored->data(), own.size()) == 0 &&
         CRYPTO_memcmp(server.data(), proof->data(), server.size()) == 0;
}

}  // namespace twinspan::postgres
