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
    std::string heard_at;       // when the last message came, as the server prints it
    double silent_seconds = 0;  // since then by the observer's clock; who looks again and again fills it
    // After how much silence it ends by itself (wal_receiver_timeout); 0: never.
    double timeout_seconds = 0;
  };
  std::optional<Receiver> receiver;
  struct Sender {
    std::string application;  // the replica's endpoint, or pg_basebackup and the like
    std::string state, sync_state;
    std::optional<Position> flushed, replayed;
    std::optional<double> lag_seconds;
    int64_t pid = 0;
    std::optional<Position> sent;
    std::string told_at;  // when the replica told its positions last, by its own clock; empty: never
    bool deaf = false;    // nothing moves though log waits for it, for longer than the time-out of its sender allows
  };
  std::vector<Sender> senders;  // to members of the link, and to their clones
  // To somebody who logged in as another role, whatever name the connection gives itself: no replica of the link.
  struct Stranger {
    std::string user, application;
    int64_t pid = 0;
  };
  std::vector<Stranger> strangers;
  struct Slot {
    std::string name;
    bool active = false;
    std::string wal_status;   // "lost": its WAL is gone
    uint64_t kept_bytes = 0;  // log that is kept for it
  };
  double sender_timeout_seconds = 0;  // wal_sender_timeout; 0: none
  std::vector<Slot> slots;
  std::vector<std::string> pending_restart;  // parameters
  bool archiving = false;                    // archive_mode is in force
  std::vector<std::string> tablespaces;      // locations outside PGDATA
  std::string version;
};

// kInvalid names what is missing. `text`: the JSON that observe() asks for.
Result<Observation> parse_observation(const std::string& text);
Result<Observation> observe(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
