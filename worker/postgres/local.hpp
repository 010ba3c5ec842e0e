// What the agent knows of its own database. Written by several threads, read as one value.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "contract/backup_report.hpp"
#include "contract/declared_objects.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "engines/postgres/observe.hpp"
#include "engines/postgres/room.hpp"
#include "engines/postgres/timeline.hpp"
#include "failover/log/member.hpp"
#include "failover/report.hpp"

namespace twinspan::worker {

struct Local {
  DataShape data = DataShape::kNone;
  ProcessState process = ProcessState::kStopped;
  bool process_died = false;
  std::string following;          // upstream the replica is configured for
  bool receiver_stopped = false;  // it receives nothing, and `received` was read after that
  bool writable = false;          // a primary that accepts writes and has what a primary needs
  Epoch opened_in;                // the last epoch in which it was found to be writable
  uint64_t life = 0;              // grows with every start and end of the process and every replacement of the data
  uint64_t data_life = 0;         // grows with every replacement of the data alone

  // The end of the log here: received and flushed (replica), flushed (primary). Never shrinks within one life of the
  // data.
  std::optional<Position> received;
  std::optional<Position> final_position;  // after a clean stop of a primary
  struct Comparison {
    Epoch epoch;  // with the primary of this epoch
    uint64_t data_life = 0;
    postgres::Judgement judgement;
    std::optional<Position> primary_end;  // how far the primary's log went then
  };
  std::optional<Comparison> comparison;
  // The log that comes next can't be had from the upstream any more, or can't be replayed: the archive helps, or a
  // clone.
  struct LogGap {
    std::string upstream;
    Position needed, oldest;          // the end of the log here; the first that is still there
    std::string tablespace;           // location outside the volume that can't be made here; empty: the log is gone
    uint64_t data_bytes = 0;          // to be copied
    std::optional<uint64_t> lacking;  // bytes of room that a clone beside the old data lacks here
    uint64_t data_life = 0;
    std::string restore_command = {};  // that gets it from the archive; empty: it is not to be had there
  };
  std::optional<LogGap> log_gap;
  bool rewind_hopeless = false;  // pg_rewind said that it can't: what the rule allows to lose is replaced by a clone

  std::optional<postgres::Observation> seen;  // by the last probe that succeeded in this life
  BootTime seen_at{};
  std::optional<bool> sql_healthy;
  int sql_failures = 0;
  std::optional<postgres::Volume> volume;      // as last measured
  std::vector<std::string> outside;            // locations of tablespaces that don't lie on the volume
  std::optional<WallTime> database_remade_at;  // said for an hour
  std::optional<double> lag_seconds;
  std::optional<uint64_t> lag_bytes;

  std::optional<MemberMemory> memory;  // as it is on disk; nullopt: unreadable, `memory_trouble` says why
  std::string memory_trouble;

  std::string system_id;
  std::vector<TimelineSwitch> history;
  std::optional<uint32_t> timeline;
  std::optional<MemberState> doing;  // an action under way, as people read it
  std::optional<Progress> progress;
  std::string trouble;                   // why the last action failed, or why the database died
  MemberReport::Parameters parameters;   // `asked` empty: none were asked for so far
  std::string configuration_trouble;     // why the spec is not applied in full
  int64_t generation = 0;                // applied
  std::optional<ObjectsReport> objects;  // of a primary; nullopt: not looked at, or nothing is declared
  std::optional<ObjectsReport> hba;      // nullopt: neither in force nor refused yet
  std::optional<BackupReport> backup;    // nullopt: nothing was ever to be stored or restored
  std::string prepared;                  // the Restore whose data wait beside these; empty: none
  bool shut = false;  // nobody is let in before the lease says whose these data are: they took the place of others
  std::optional<api::ImportStatus> import_;  // of a primary; nullopt: none is asked for, or not looked at
};

// Any thread. `on_change` is called after each update, without the lock.
class LocalState {
 public:
  explicit LocalState(std::function<void()> on_change) : on_change_(std::move(on_change)) {}
  Local copy() const {
    MutexLock lock(mutex_);
    return local_;
  }
  template <class Update>
  void update(Update&& change) {
    {
      MutexLock lock(mutex_);
      change(local_);
    }
    on_change_();
  }

 private:
  const std::function<void()> on_change_;
  mutable Mutex mutex_;
  Local local_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::worker
