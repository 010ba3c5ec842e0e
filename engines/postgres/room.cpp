#include "engines/postgres/room.hpp"

#include <algorithm>

namespace twinspan::postgres {
namespace {

constexpr uint64_t kMiB = 1ULL << 20, kGiB = 1ULL << 30;

// Whole MiB, as PostgreSQL counts them, and no less than PostgreSQL needs (two segments).
uint64_t share(uint64_t bytes, uint64_t parts, uint64_t most) {
  return std::clamp(bytes / parts / kMiB * kMiB, 32 * kMiB, most);
}

}  // namespace

WalBounds wal_bounds(uint64_t volume_bytes) {
  return {share(volume_bytes, 5, 4 * kGiB), share(volume_bytes, 10, kGiB), share(volume_bytes, 20, 256 * kMiB)};
}

// At least eight segments, and four: the next one is made whole.
bool is_low(const Volume& volume) {
  return volume.free_bytes < std::clamp(volume.total_bytes / 10, 128 * kMiB, 10 * kGiB);
}
bool is_critical(const Volume& volume) {
  return volume.free_bytes < std::clamp(volume.total_bytes / 20, 64 * kMiB, 2 * kGiB);
}

}  // namespace twinspan::postgres
