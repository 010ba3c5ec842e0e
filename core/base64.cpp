#include "core/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace twinspan {
namespace {

const unsigned char* octets(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* octets(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

bool is_space(char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; }

}  // namespace

std::string base64_encode(std::string_view bytes) {
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(octets(out), reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

// EVP_DecodeBlock takes '=' for a digit, and counts padding as bytes.
std::optional<std::string> base64_decode(std::string_view text) {
  std::string digits;
  digits.reserve(text.size());
  std::remove_copy_if(text.begin(), text.end(), std::back_inserter(digits), is_space);
  const size_t padding = digits.size() - std::min(digits.size(), digits.find_last_not_of('=') + 1);
  if (digits.size() % 4 != 0 || padding > 2 || digits.find('=') < digits.size() - padding) return std::nullopt;
  std::string out(digits.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(octets(out), octets(std::as_const(digits)), static_cast<int>(digits.size()));
  if (size != static_cast<int>(out.size())) return std::nullopt;  // it passes over '-' at the end
  out.resize(out.size() - padding);
  return out;
}

}  // namespace twinspan
