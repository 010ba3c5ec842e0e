// How far a replica is behind in time, from positions alone: the age of the oldest moment at which its upstream was
// already past what is replayed here. Unlike the last commit's time stamp it doesn't grow while the primary is idle.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "engines/postgres/observe.hpp"
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

// The same as an upstream sees it, for each that receives from it: it knows its own end, so that a replica which hears
// nothing, and therefore takes itself to be up to date, is told from one that is. A replica says how far it has
// replayed once a second (wal_receiver_status_interval): the answer may be so much too large. One thread.
class DownstreamLag {
 public:
  // Fills lag_seconds, and adds whoever received before and does no more, with the state "lost": its lag goes on
  // growing.
  void measure(BootTime now, Position end, std::vector<Observation::Sender>& senders);
  void reset() { meters_.clear(); }

 private:
  std::map<std::string, LagMeter> meters_;
};

}  // namespace twinspan::postgres
