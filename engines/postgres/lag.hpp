// How far a replica is behind in time, from positions alone: the age of the oldest moment at which its upstream was
// already past what is replayed here. Unlike the last commit's time stamp it doesn't grow while the primary is idle.
#pragma once
#include <deque>
#include <optional>

#include "core/clock.hpp"
#include "failover/types.hpp"

namespace twinspan::postgres {

// One thread. Exact to the interval between two calls.
class LagMeter {
 public:
  // The upstream's end as last heard, and what is replayed here.
  double connected(BootTime now, Position upstream_end, Position replayed);
  // Nothing is heard from the upstream: the time since this replica was last known to be up to date. nullopt: never
  // was.
  std::optional<double> disconnected(BootTime now) const;
  void reset();

 private:
  struct Sample {
    BootTime at;
    Position upstream_end;
  };
  std::deque<Sample> ahead_;  // moments at which the upstream's end was not yet replayed, oldest first
  std::optional<BootTime> current_at_;
};

}  // namespace twinspan::postgres
