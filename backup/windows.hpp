// Which moments can be restored, computed from what is stored and never hoped: whole backups, the WAL by a listing of
// its own (info names the first and the last segment only, so that it sees no gap) and the lineage. Pure.
//
// A moment can be restored where a backup has all that it needs, its own WAL from start to stop, and every byte of WAL
// from there up to that moment, along the timelines that the link's primaries wrote. What is not known is not claimed:
// without a listing nothing is.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backup/types.hpp"

namespace twinspan::backup {

// WAL of one timeline that is stored without a gap, [from, until): whole segments and, beside the repository, the
// stored part of one that is not full yet. The first segment of a timeline also holds what its parent wrote of it
// before the fork.
struct WalRange {
  Timeline timeline = 0;
  Position from, until;
  std::optional<WallTime> covers;  // all that was committed by then lies before `until`; nullopt: not known
  std::optional<Position> seen{};  // behind which the commit lies that says so; nullopt: not known
  bool operator==(const WalRange&) const = default;
};

// A timeline that a primary of this link wrote, in the order of epochs. A failed promotion's is none, whatever the
// archive has of it.
struct Line {
  Epoch epoch;
  Timeline timeline = 0;
  Timeline parent = 0;  // 0: the database was made with it
  Position fork;        // where it left its parent
  bool operator==(const Line&) const = default;
};
using Lineage = std::vector<Line>;  // oldest first

enum class Answer { kNo, kYes, kUnknown };

struct Window {
  WallTime from;               // when its first backup became consistent
  std::optional<WallTime> to;  // nullopt: Unknown; the WAL goes up to `end`, but nobody has said of when that is
  Timeline timeline = 0;       // that a restore has to name
  Position start, end;         // the same in the log: where that backup is consistent, where the WAL ends
  bool operator==(const Window&) const = default;
};

struct Gap {
  Timeline timeline = 0;
  Position from, until;  // [from, until) is not stored
  bool operator==(const Gap&) const = default;
};

struct Stored {
  std::vector<BackupSet> backups;
  std::optional<std::vector<WalRange>> wal;  // nullopt: the listing is missing or not whole
  Lineage lineage;                           // empty: not known
};

struct Restorable {
  // First those of log that the database left, then those of its own history, each the earliest first: the last one is
  // of the present, where any is. nullopt: Unknown.
  std::optional<std::vector<Window>> windows;
  std::optional<std::vector<Gap>>
      gaps;  // of the newest timeline's history, from its oldest restorable backup on; nullopt: Unknown
  std::map<std::string, Answer> backups;  // by label: whether it by itself, with its own WAL, can be restored
};

Restorable restorable(const Stored& stored);

// Whether what the newest timeline's primary writes follows the window: one of a timeline that the database left before
// the window's end is over.
bool goes_on(const Window& window, const Lineage& lineage);

}  // namespace twinspan::backup
