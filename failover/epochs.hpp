// Whose writes a copy of the data consists of: in which epoch a replica was promoted and wrote from which position on.
// PostgreSQL numbers the timeline of a promotion one above the highest it has heard of, so two primaries that never
// heard of each other choose the same number; an epoch has one primary ever. A primary that starts again where it
// stopped, in a later epoch, goes on with the same log and adds nothing here: whoever still streams from it has what it
// writes then, also without having heard of that epoch. Kept beside the data and, of the primary, on the lease. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "failover/types.hpp"

namespace twinspan {

struct EpochStart {
  Epoch epoch;
  Position start;  // the end of the log when its primary was promoted
  bool operator==(const EpochStart&) const = default;
};
using EpochHistory = std::vector<EpochStart>;  // oldest first; empty: not known

inline constexpr size_t kEpochsKept = 32;

// `history` once a replica is promoted in `epoch` and writes from `start` on. What is no longer in the data is left
// out, and the oldest beyond kEpochsKept.
EpochHistory with_epoch(EpochHistory history, Epoch epoch, Position start);

// Whether data that end at `own_end` consist of nothing but what epochs of `theirs` wrote. What is older than all that
// either side remembers is not judged; nor is anything where a side remembers nothing.
bool contained(const EpochHistory& own, Position own_end, const EpochHistory& theirs);

// Up to where data that end at `own_end` are the same as those that `theirs` wrote. Positions beyond it compare
// nothing. Where a side remembers nothing they count as the same.
Position common_end(const EpochHistory& own, Position own_end, const EpochHistory& theirs);

std::string to_string(const EpochHistory& history);  // "1:0/0,3:0/5000148"
// Empty where it can't be read: somebody edited it, and what is not known is not judged.
EpochHistory parse_epoch_history(std::string_view text);

}  // namespace twinspan
