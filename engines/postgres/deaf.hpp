// Peers that hold their connection open and read nothing. PostgreSQL's own time-outs end a replication connection whose
// peer is silent, but not one whose process hangs: a sender blocks in its last send, a receiver that doesn't run counts
// no time.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "engines/postgres/observe.hpp"
#include "failover/types.hpp"

namespace twinspan::postgres {

// How long a connection with this time-out (0: none) may stand still before its process must be hanging.
std::chrono::milliseconds stillness_allowed(double timeout_seconds);

// This replica's own receiver hangs: it has heard nothing for longer than its time-out would let it wait.
bool receiver_hangs(const Observation::Receiver& receiver);

// It receives: by its receiver's word, and that one is alive.
bool is_streaming(const Observation& seen);

// Fills silent_seconds by this clock: the server's may be set meanwhile. One thread.
class ReceiverSilence {
 public:
  void measure(BootTime now, std::optional<Observation::Receiver>& receiver);
  void reset() { since_.reset(); }

 private:
  std::string heard_at_;
  std::optional<BootTime> since_;
};

// Senders that stand still while log waits for them, judged by this clock and by changes alone: what a replica says of
// its time is its own clock's. One thread.
class DeafSenders {
 public:
  // Fills `deaf` of each sender. `end`: of the log here.
  void measure(BootTime now, Position end, double sender_timeout_seconds, std::vector<Observation::Sender>& senders);
  void reset() { known_.clear(); }

 private:
  struct Known {
    std::string told;  // everything that moves while the replica reads
    BootTime since;
  };
  std::map<int64_t, Known> known_;  // by process
};

}  // namespace twinspan::postgres
