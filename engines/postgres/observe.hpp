// What a running instance says of itself, in one round trip.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/sql.hpp"
#include "failover/types.hpp"

namespace twinspan::postgres {

struct Observation {
  bool in_recovery = false;
  uint32_t timeline = 0;
  Position received;  // flushed here: written by itself (primary), received or replayed (replica)
  Position replayed;  // replica; a primary's equals `received`
  struct Receiver {
    std::string status;         // "streaming" …
    Position upstream_end;      // as last heard
    double silent_seconds = 0;  // since the last message
  };
  std::optional<Receiver> receiver;
  struct Sender {
    std::string application;  // the replica's endpoint, or pg_basebackup and the like
    std::string state, sync_state;
    std::optional<Position> flushed, replayed;
    std::optional<double> lag_seconds;
  };
  std::vector<Sender> senders;
  struct Slot {
    std::string name;
    bool active = false;
    std::string wal_status;  // "lost": its WAL is gone
  };
  std::vector<Slot> slots;
  std::vector<std::string> pending_restart;  // parameters
  std::string version;
};

// kInvalid names what is missing. `text`: the JSON that observe() asks for.
Result<Observation> parse_observation(const std::string& text);
Result<Observation> observe(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
