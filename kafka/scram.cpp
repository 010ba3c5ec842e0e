#include "kafka/scram.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>
#include <charconv>

#include "core/base64.hpp"

namespace twinspan::kafka {
namespace {

constexpr int kRoundsMost = 1'000'000;  // a server that asks for more only wants our time

const EVP_MD* digest_of(SaslMechanism mechanism) {
  return mechanism == SaslMechanism::kScramSha512 ? EVP_sha512() : EVP_sha256();
}

std::string hmac(const EVP_MD* digest, std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  HMAC(digest, key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), out.data(), &size);
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::string hash(const EVP_MD* digest, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out;
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), out.data(), &size, digest, nullptr);
  return {reinterpret_cast<const char*>(out.data()), size};
}

// The value of an attribute such as "r=" in a list with commas.
std::string_view attribute(std::string_view list, char name) {
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(','));
    if (one.size() >= 2 && one[0] == name && one[1] == '=') return one.substr(2);
    list.remove_prefix(std::min(list.size(), one.size() + 1));
  }
  return {};
}

std::string escaped(std::string_view user) {
  std::string out;
  for (const char c : user) {
    if (c == '=') {
      out += "=3D";
    } else if (c == ',') {
      out += "=2C";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Authentication::Authentication(const Sasl& sasl, std::string nonce) : sasl_(sasl), nonce_(std::move(nonce)) {
  if (!nonce_.empty()) return;
  std::array<unsigned char, 18> random;
  RAND_bytes(random.data(), random.size());
  nonce_ = base64_encode({reinterpret_cast<const char*>(random.data()), random.size()});
}

std::string_view Authentication::mechanism() const {
  switch (sasl_.mechanism) {
    case SaslMechanism::kPlain: return "PLAIN";
    case SaslMechanism::kScramSha256: return "SCRAM-SHA-256";
    case SaslMechanism::kScramSha512: return "SCRAM-SHA-512";
  }
  return "";
}

Result<std::string> Authentication::answer(std::string_view said) {
  ++step_;
  if (sasl_.mechanism == SaslMechanism::kPlain) {
    std::string out(1, '\0');
    return out.append(sasl_.user).append(1, '\0').append(sasl_.password);
  }
  if (step_ > 1) return prove(said);
  first_ = fmt::format("n={},r={}", escaped(sasl_.user), nonce_);
  return "n,," + first_;
}

Result<std::string> Authentication::prove(std::string_view challenge) {
  const std::string_view nonce = attribute(challenge, 'r'), rounds_text = attribute(challenge, 'i');
  const auto salt = base64_decode(attribute(challenge, 's'));
  int rounds = 0;
  const auto [end, error] = std::from_chars(rounds_text.data(), rounds_text.data() + rounds_text.size(), rounds);
  if (error != std::errc() || end != rounds_text.data() + rounds_text.size() || rounds < 4096 || rounds > kRoundsMost ||
      !salt || salt->empty() || !nonce.starts_with(nonce_) || nonce.size() == nonce_.size())
    return fail(Code::kDenied, fmt::format("SASL {}: the broker's challenge is none", mechanism()));
  const EVP_MD* digest = digest_of(sasl_.mechanism);
  std::string salted(static_cast<size_t>(EVP_MD_get_size(digest)), '\0');
  PKCS5_PBKDF2_HMAC(sasl_.password.data(), static_cast<int>(sasl_.password.size()),
                    reinterpret_cast<const unsigned char*>(salt->data()), static_cast<int>(salt->size()), rounds,
                    digest, static_cast<int>(salted.size()), reinterpret_cast<unsigned char*>(salted.data()));
  const std::string client_key = hmac(digest, salted, "Client Key");
  const std::string last = fmt::format("c=biws,r={}", nonce);
  const std::string everything = fmt::format("{},{},{}", first_, challenge, last);
  std::string proof = hmac(digest, hash(digest, client_key), everything);
  for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<char>(proof[i] ^ client_key[i]);
  expected_ = hmac(digest, hmac(digest, salted, "Server Key"), everything);
  return fmt::format("{},p={}", last, base64_encode(proof));
}

Status Authentication::check(std::string_view said) {
  if (sasl_.mechanism == SaslMechanism::kPlain) {
    done_ = true;
    return {};
  }
  if (step_ < 2) return {};
  const auto proof = base64_decode(attribute(said, 'v'));
  if (!proof || proof->size() != expected_.size() ||
      CRYPTO_memcmp(proof->data(), expected_.data(), expected_.size()) != 0)
    return fail(Code::kDenied, fmt::format("SASL {}: the broker does not know the password", mechanism()));
  done_ = true;
  return {};
}

}  // namespace twinspan::kafka
