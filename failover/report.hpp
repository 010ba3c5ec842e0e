// What a member's agent says of itself at GET /status. "Not measured" is nullopt, never 0.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/types.hpp"

namespace twinspan {

struct Progress {  // of a clone, rewind or start
  std::string step;
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;  // 0: not known
};

struct TimelineSwitch {  // timeline `timeline` ended at `end`, its child began there
  uint32_t timeline = 0;
  Position end;
  bool operator==(const TimelineSwitch&) const = default;
};

struct MemberReport {
  std::string endpoint;
  std::string instance;  // as in LeaseRecord::holder_instance
  std::string address;   // pod IP where the database listens on port 5432
  Role role = Role::kNone;
  MemberState state = MemberState::kUnknown;
  std::string message;  // what, why and what next, where state alone does not say it
  bool database_running = false;
  bool accepts_reads = false;
  std::optional<bool> sql_healthy;  // the last probe by SQL; nullopt before the first
  int sql_failures = 0;             // consecutive
  std::string system_id;            // empty: no data
  std::optional<uint32_t> timeline;
  std::vector<TimelineSwitch> history;  // oldest first, without the current timeline
  std::optional<Position> received;  // received and flushed (replica) or flushed (primary): what an election compares
  std::optional<Position> replayed;
  bool receiver_stopped = false;  // a replica that receives nothing until the assignment is settled
  Epoch frozen_for;  // frozen_for() of failover/member.hpp: `received` will not grow before that epoch has a primary;
                     // 0: it may
  std::string upstream;               // endpoint it streams from
  std::optional<double> lag_seconds;  // replica: against its upstream; 0 where it has replayed everything received
  std::optional<uint64_t> lag_bytes;
  // On a sender: positions its direct replicas have confirmed, by endpoint name.
  struct Downstream {
    std::string state;  // pg_stat_replication.state
    std::string sync_state;
    std::optional<Position> flushed, replayed;
    std::optional<uint64_t> lag_bytes;
    std::optional<double> lag_seconds;
  };
  std::map<std::string, Downstream> downstreams;
  Epoch epoch;  // of the lease it holds, else of the last one it saw
  bool holds_lease = false;
  bool restart_pending = false;  // a parameter waits for a restart
  std::optional<Progress> progress;
  int64_t generation = 0;  // of the link spec that is applied here
  std::string version;     // of the database, "15.20"
  Json details = nullptr;  // what only the engine's own controller reads, as it is (S3); null: nothing
};

Json to_json(const MemberReport& report);
Result<MemberReport> parse_member_report(const Json& json);

}  // namespace twinspan
