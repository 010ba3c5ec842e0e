// The right to be primary: one lease per link. Pure: the caller brings the time and carries the requests out.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/unchanged.hpp"
#include "failover/assignment.hpp"
#include "failover/memory.hpp"
#include "failover/types.hpp"

namespace twinspan {

// What a policy's lease lasts at most (crds/failoverpolicies.yaml). Its holder acts by what it asked for itself: a
// longer time in the lease is a hand's, and believed it would hold up every failover until then.
inline constexpr std::chrono::milliseconds kLeaseDurationMost = std::chrono::seconds(300);

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
  EpochHistory epochs{};           // with `promoted`: who wrote the holder's data; empty: not said
  std::optional<Position> end{};   // with `promoted`: how far its log went at least when this was written
  bool held() const { return !holder_endpoint.empty(); }
  bool operator==(const LeaseRecord&) const = default;
};

// Whether a free lease can be taken at once: its last holder said itself that it let go, and nothing is remembered that
// contradicts it; or nobody can ever have held it. Any other free lease (freed by hand, deleted and made anew, restored
// from a backup) may have a holder who does not know of it yet, and has to stand unchanged first.
bool free_at_once(const LeaseRecord& lease, const Assignment& assignment, const MemberMemory& memory);

// A holder's own view: until when it may act. Every time is when a renewal was *sent*, never when it was answered.
class LeaseTenure {
 public:
  LeaseTenure(LeaseTiming timing, Epoch epoch, BootTime acquire_sent_at);

  // A request was sent that promises no more than `duration`. It may take effect without an answer ever coming, so from
  // now on the right lasts no longer than it says.
  void sent(BootTime at, std::chrono::milliseconds duration);
  void renewed(BootTime sent_at);
  Epoch epoch() const { return epoch_; }
  BootTime renew_at() const;                       // the next renewal is due
  BootTime fence_at() const { return fence_at_; }  // the database must have stopped by then
  bool expired(BootTime now) const { return now >= fence_at_; }

 private:
  LeaseTiming timing_;
  Epoch epoch_;
  BootTime last_sent_, fence_at_;
};

// Everybody else's view: judged by how long this observer itself saw no change, never by the holder's clock.
class LeaseObservation {
 public:
  explicit LeaseObservation(LeaseTiming timing) : timing_(timing) {}

  void set_timing(LeaseTiming timing) { timing_ = timing; }  // what was observed stays
  // `received_at` is when the answer arrived, `promised` for how long the record lets its holder act. A record older
  // than the one known is ignored by the caller (watch order).
  void observe(const LeaseRecord& record, BootTime received_at, std::chrono::milliseconds promised);
  void forget();  // after a restart or a lost watch of unknown length nothing is known
  const std::optional<LeaseRecord>& record() const { return record_; }
  // Unchanged for its whole duration as seen here, and every promise that was ever seen has run out: whoever held it,
  // or held it before somebody else wrote it, has stopped. A shorter duration takes nothing back that an earlier
  // version promised: its holder may not know of it yet, whoever wrote it. `remembered` is the longest that is known of
  // from before this observation began. False while nothing was observed.
  bool stood(BootTime now, std::chrono::milliseconds remembered) const;
  // Whoever begins to observe now and waits for `duration` outwaits all that was promised before, too: that is enough
  // to remember.
  bool outlived(BootTime now, std::chrono::milliseconds remembered, std::chrono::milliseconds duration) const;

 private:
  LeaseTiming timing_;
  std::optional<LeaseRecord> record_;
  Unchanged unchanged_;
  std::optional<BootTime> begun_;  // the first observation
  BootTime promised_until_{};      // the latest end of all that was promised
};

}  // namespace twinspan
