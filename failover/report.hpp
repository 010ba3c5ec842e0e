// What a member's agent says of itself at GET /status. "Not measured" is nullopt, never 0.
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "failover/memory.hpp"
#include "failover/trouble.hpp"
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

// Of settings that were asked for: not known yet, in force, or given up because PostgreSQL does not run with them.
enum class TrialOutcome { kUnderWay, kRuns, kUndone };
std::string_view to_string(TrialOutcome outcome);

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
  Epoch frozen_for;      // frozen_for() of failover/log/member.hpp: `received` will not grow before that epoch has a
                         // primary; 0: it may
  std::string upstream;  // endpoint it streams from
  std::optional<double> lag_seconds;  // replica: against its upstream; 0 where it has replayed everything received
  std::optional<uint64_t> lag_bytes;
  // On a sender: positions its direct replicas have confirmed, by endpoint name.
  struct Downstream {
    std::string state;  // pg_stat_replication.state, or one of the two below
    std::string sync_state;
    static constexpr std::string_view kDeaf = "deaf";  // holds its connection and reads nothing
    static constexpr std::string_view kLost = "lost";  // it received before, and does no more
    bool streams() const { return state == "streaming"; }
    bool commits_wait_for_it() const { return streams() && (sync_state == "sync" || sync_state == "quorum"); }
    std::optional<Position> flushed, replayed;
    std::optional<uint64_t> lag_bytes;
    std::optional<double> lag_seconds;
  };
  std::map<std::string, Downstream> downstreams;
  // People's settings as they are in force here. nullopt: an agent that says nothing of them.
  struct Setting {
    std::string name;  // empty: all of them
    std::string text;  // its value, or for people what is the matter with it
    bool operator==(const Setting&) const = default;
  };
  struct Parameters {
    std::string asked;    // tells which (api::fingerprint)
    std::string attempt;  // api::attempt_of the change that is tried here; empty: what is accepted
    TrialOutcome outcome = TrialOutcome::kUnderWay;
    std::string words;  // PostgreSQL's, where they were given up for those it last ran well with
    std::vector<Setting> not_in_force;
    std::optional<Setting> taken_back;  // the last one that was altered behind the link's back
    int64_t taken_back_count = 0;       // in this life of the agent
    bool operator==(const Parameters&) const = default;
  };
  std::optional<Parameters> parameters;
  Epoch epoch;  // of the lease it holds, else of the last one it saw
  bool holds_lease = false;
  std::string prepared;  // what lies beside its data and may take their place (PutRestored of failover/log/member.hpp),
                         // by the name of the Restore; empty: nothing
  std::optional<MemberMemory> memory;  // as it is on disk; nullopt: unreadable, or of an agent that keeps none
  bool restart_pending = false;        // a parameter waits for a restart
  std::optional<Progress> progress;
  std::vector<Trouble> troubles;
  struct Volume {  // that holds its data
    uint64_t total_bytes = 0, free_bytes = 0;
  };
  std::optional<Volume> volume;
  int64_t generation = 0;  // of the link spec that is applied here
  std::string version;     // of the database, "15.20"
  Json details = nullptr;  // what only the engine's own controller reads, as it is (S3); null: nothing
};

// The highest epoch that it remembers or holds.
Epoch remembered_epoch(const MemberReport& report);

}  // namespace twinspan
