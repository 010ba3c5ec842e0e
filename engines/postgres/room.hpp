// How much of a volume WAL may take, and when the room left is too little. Pure. The figures stand in docs/postgres.md.
#pragma once
#include <cstdint>

namespace twinspan::postgres {

struct Volume {
  uint64_t total_bytes = 0, free_bytes = 0;
  bool operator==(const Volume&) const = default;
};

// Defaults of PostgreSQL's parameters for a volume of this size; people's own values go before them. A primary whose
// volume is full dies: log that is kept for a replica must never be what fills it.
struct WalBounds {
  uint64_t slots_bytes = 0;       // max_slot_wal_keep_size: a fifth of the volume, 4 GiB at most
  uint64_t checkpoint_bytes = 0;  // max_wal_size: a tenth, 1 GiB at most
  uint64_t keep_bytes = 0;        // wal_keep_size: a twentieth, 256 MiB at most
};
WalBounds wal_bounds(uint64_t volume_bytes);

// Less than a tenth is free; 128 MiB at least, 10 GiB at most.
bool is_low(const Volume& volume);
// Less than a twentieth; 64 MiB at least, 2 GiB at most: log kept for replicas that are away is let go.
bool is_critical(const Volume& volume);

}  // namespace twinspan::postgres
