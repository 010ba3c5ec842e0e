#include "pki/random.hpp"

#include <openssl/rand.h>

#include <vector>

namespace twinspan::pki {

Result<std::string> random_text(size_t bytes) {
  std::vector<unsigned char> raw(bytes);
  if (RAND_bytes(raw.data(), static_cast<int>(bytes)) != 1) return fail(Code::kInternal, "no randomness");
  std::string out;
  for (const unsigned char byte : raw) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

}  // namespace twinspan::pki
