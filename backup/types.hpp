// The words of backups. A repository holds them; nothing here knows where it is.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "failover/types.hpp"

namespace twinspan::backup {

// The most valuable first: what comes earlier stands for whatever comes later.
enum class Kind { kFull, kDifferential, kIncremental };
inline constexpr Kind kKinds[] = {Kind::kFull, Kind::kDifferential, Kind::kIncremental};
std::string_view to_string(Kind kind);  // "Full", "Differential", "Incremental"
std::optional<Kind> parse_kind(std::string_view text);

inline constexpr std::string_view kMadeFor = "twinspan";  // the annotation whose value is the uid of a Backup

using Timeline = uint32_t;  // of PostgreSQL; from 1

// One whole backup, as the repository's own index lists it. Never one that is under way or that was broken off.
struct BackupSet {
  std::string label;  // "20261126-020000F", "20261126-020000F_20261127-020000I"
  Kind kind = Kind::kFull;
  Timeline timeline = 0;
  Position start, stop;             // of the WAL without which it is no database: [start, stop]
  WallTime started_at, stopped_at;  // whole seconds, by the clock of who took it; consistent from stopped_at on
  std::vector<std::string>
      needs;                    // labels of those that a restore of it reads, too, and of the one that it was made upon
  int64_t size_bytes = 0;       // of the database
  int64_t read_bytes = 0;       // of what was taken anew
  int64_t stored_bytes = 0;     // what that is in the repository, compressed
  std::optional<bool> corrupt;  // pages with wrong checksums were found; nullopt: the database has no checksums
  std::string system_id;        // of the database that it is of
  std::string made_for;         // what its annotation kMadeFor says; empty: it was made by hand
  bool operator==(const BackupSet&) const = default;
};

}  // namespace twinspan::backup
