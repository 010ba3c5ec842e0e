// What people alert on, as PostgreSQL's statistics views have it. For metrics alone: nothing is decided by it.
#pragma once
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

// Counters start again at 0 when PostgreSQL's statistics are reset, as after a crash.
struct Statistics {
  std::map<std::string, int64_t> connections;  // of clients, by pg_stat_activity.state
  int64_t max_connections = 0;
  int64_t waiting_for_locks = 0;              // clients
  double oldest_transaction_seconds = 0;      // of clients; 0: none is open
  double oldest_prepared_seconds = 0;         // of prepared transactions; 0: there is none
  std::optional<uint64_t> wal_written_bytes;  // since the statistics began
  uint64_t wal_directory_bytes = 0;
  int64_t checkpoints_timed = 0, checkpoints_requested = 0;
  struct Database {
    std::string name;
    uint64_t size_bytes = 0;
    int64_t xid_age = 0, multixact_age = 0;  // of the oldest row that is not frozen; at 2^31 writes stop
    int64_t commits = 0, rollbacks = 0, deadlocks = 0, conflicts = 0;
    uint64_t temporary_bytes = 0, blocks_read = 0, blocks_hit = 0;
  };
  std::vector<Database> databases;  // that can be connected to
  struct Slot {
    std::string name;
    bool active = false;
    uint64_t kept_bytes = 0;
  };
  std::vector<Slot> slots;  // physical and logical
};

// kInvalid names what is missing. `text`: the JSON that read_statistics() asks for.
Result<Statistics> parse_statistics(const std::string& text);
Result<Statistics> read_statistics(Session& session, std::chrono::milliseconds timeout,
                                   const std::stop_token& stop = {});

}  // namespace twinspan::postgres
