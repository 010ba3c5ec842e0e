#include "engines/s3/share.hpp"

#include <fmt/format.h>

namespace twinspan::s3 {
namespace {

// FNV-1a, then the last step of MurmurHash3, so that every bit counts in a modulo. Never to change: workers of two
// versions must agree.
uint64_t hash_of(std::string_view key) {
  uint64_t hash = 14695981039346656037u;
  for (const char byte : key) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
  return hash ^ (hash >> 33);
}

}  // namespace

bool Share::has(std::string_view key) const {
  return whole() || hash_of(key) % static_cast<uint64_t>(count) == static_cast<uint64_t>(index);
}

size_t Share::part_of(size_t bound) const {
  if (whole()) return bound;
  const auto shares = static_cast<size_t>(count);
  return bound / shares + (static_cast<size_t>(index) < bound % shares ? 1 : 0);
}

std::string name_of_share(const std::string& link, const Share& share) {
  return share.whole() ? link : fmt::format("{}~{}-of-{}", link, share.index, share.count);
}

}  // namespace twinspan::s3
