// What the operator wants: who should be primary, from which epoch on. Lives in ReplicationLink status.assignment.
#pragma once
#include <limits>
#include <optional>
#include <string>

#include "failover/types.hpp"

namespace twinspan {

// epoch == lease epoch: steady. Any higher epoch: a change is under way, and the lease goes to that epoch at once:
// - primary empty: fencing. The old primary hands over if it still can; every receiver stops.
// - primary named: that member takes the lease once it may, then promotes.
struct Assignment {
  Epoch epoch;
  std::string primary;
  std::string previous;  // who accepted writes last; empty: nobody is known to
  Cause cause = Cause::kInitial;
  // How far the log of `previous` was known to go after a clean stop when this was chosen. Whoever finds that it went
  // on meanwhile and lacks what it wrote does not take over: that takes another choice. nullopt: not known.
  std::optional<Position> final_position{};
  // With kInitial: the agent that had no data when it was allowed to begin from nothing. Another one, or the same
  // member after the API was restored from a backup, is not meant. Empty: an operator that did not say so.
  std::string instance{};
  bool operator==(const Assignment&) const = default;
};

inline constexpr Position kWhateverIsLost{std::numeric_limits<uint64_t>::max()};  // a person's word

}  // namespace twinspan
