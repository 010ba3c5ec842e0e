// The right to be primary: one lease per link. Pure: the caller brings the time and carries the requests out.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "failover/types.hpp"

namespace twinspan {

struct LeaseTiming {
  std::chrono::milliseconds duration{5000};  // others may take it once it stood unchanged for so long
  std::chrono::milliseconds renew{1000};
  std::chrono::milliseconds margin{1000};  // the holder is fenced this long before `duration` is over
};

// How a holder let go. Written together with the empty holder, in one update.
struct Release {
  std::string endpoint;  // who let go: whoever held the lease last has every commit it acknowledged
  Cause cause = Cause::kShutdown;
  std::optional<Position> final_position;  // the end of the log after a clean stop; replicas at it have all of it
  bool operator==(const Release&) const = default;
};

// The lease as one read showed it.
struct LeaseRecord {
  std::string version;             // resourceVersion: the precondition of whatever is decided from this read
  std::string holder_endpoint;     // empty: nobody
  std::string holder_instance;     // one life of one agent: a restarted agent is another holder
  Epoch epoch;                     // leaseTransitions
  bool promoted = false;           // in this epoch the holder accepted writes; stays when it lets go
  std::optional<Release> release;  // set where holder_endpoint is empty and the last holder let go
  bool held() const { return !holder_endpoint.empty(); }
  bool operator==(const LeaseRecord&) const = default;
};

// A holder's own view: until when it may act. Every time is when a renewal was *sent*, never when it was answered.
class LeaseTenure {
 public:
  LeaseTenure(LeaseTiming timing, Epoch epoch, BootTime acquire_sent_at);

  void renewed(BootTime sent_at);
  Epoch epoch() const { return epoch_; }
  BootTime renew_at() const;  // the next renewal is due
  BootTime fence_at() const;  // the database must have stopped by then
  bool expired(BootTime now) const { return now >= fence_at(); }

 private:
  LeaseTiming timing_;
  Epoch epoch_;
  BootTime last_sent_;
};

// Everybody else's view: judged by how long this observer itself saw no change, never by the holder's clock.
class LeaseObservation {
 public:
  explicit LeaseObservation(LeaseTiming timing) : timing_(timing) {}

  // `received_at` is when the answer arrived. A record older than the one known is ignored by the caller (watch order).
  void observe(const LeaseRecord& record, BootTime received_at);
  void forget();  // after a restart or a lost watch of unknown length nothing is known
  const std::optional<LeaseRecord>& record() const { return record_; }
  // Released, or unchanged for its whole duration as seen here. False while nothing was observed.
  bool may_be_taken(BootTime now) const;
  std::chrono::milliseconds unchanged_for(BootTime now) const;  // 0 while nothing was observed

 private:
  LeaseTiming timing_;
  std::optional<LeaseRecord> record_;
  BootTime since_{};
};

}  // namespace twinspan
