#include "s3/uri.hpp"

#include "net/http.hpp"

namespace twinspan::s3 {

std::string encode_key(std::string_view key) {
  std::string out;
  for (size_t at = 0; at <= key.size();) {
    const size_t slash = std::min(key.find('/', at), key.size());
    out += net::percent_encode(key.substr(at, slash - at));
    if (slash < key.size()) out += '/';
    at = slash + 1;
  }
  return out;
}

}  // namespace twinspan::s3
