// What the operator wants: who should be primary, from which epoch on. Lives in ReplicationLink status.assignment.
#pragma once
#include <string>

#include "failover/types.hpp"

namespace twinspan {

// epoch == lease epoch: steady. epoch == lease epoch + 1: a change is under way:
// - primary empty: fencing. The old primary hands over if it still can; every receiver stops.
// - primary named: that member takes the lease once it may, then promotes.
struct Assignment {
  Epoch epoch;
  std::string primary;
  std::string previous;
  Cause cause = Cause::kInitial;
  bool operator==(const Assignment&) const = default;
};

}  // namespace twinspan
