// What an agent does for backups: it stores the log, or waits until another member has; it takes the backup that the
// link's status asks of it. Nothing here holds up renewal, fencing or an action.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "backup/lineage.hpp"
#include "backup/types.hpp"
#include "contract/backup_report.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/postgres/archive/lineage_store.hpp"
#include "engines/postgres/archive/listener.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "worker/postgres/backup/attempt_rules.hpp"
#include "worker/postgres/backup/backup_server.hpp"
#include "worker/postgres/backup/lasting_trouble.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/backup/read_back.hpp"
#include "worker/postgres/backup/relay.hpp"
#include "worker/postgres/backup/repository_access.hpp"
#include "worker/postgres/backup/repository_keeper.hpp"
#include "worker/postgres/backup/restore_data.hpp"
#include "worker/postgres/backup/store_rules.hpp"
#include "worker/postgres/backup/tail_keeper.hpp"
#include "worker/postgres/desired.hpp"
#include "worker/postgres/local.hpp"

namespace twinspan::worker {

// archive_command of a member, which asks the keeper. pgBackRest refuses a backup where the word is missing.
std::string archive_command_of(const postgres::Layout& layout);

class BackupKeeper {
 public:
  struct Standing {
    std::shared_ptr<const Desired> desired;  // nullptr: the link is not known yet
    bool may_store = false;                  // it holds the lease, and accepts writes
    bool follows = false;                    // it is a replica, and runs
    uint64_t epoch = 0;                      // of the lease that it holds; 0: it holds none
    bool ending = false;                     // PostgreSQL is being stopped
    uint64_t life = 0;                       // of the database
  };
  struct Context {
    postgres::Children& children;
    const postgres::Layout& layout;
    int postgres_port = 5432;
    const RepositoryAccess& access;
    const Clock& clock;
    LocalState& local;
    std::string address;  // of this pod
    std::function<Standing()> standing;
  };
  explicit BackupKeeper(Context context);
  ~BackupKeeper();
  Status start();
  void stop();
  void database_ends();  // what its archiver waits for is called off; any thread
  void poke();           // the link or this member's part in it changed; any thread
  // The repository of the link's own log, where it can be read; any thread.
  std::optional<PgBackRest> archive() const;

 private:
  struct Ready {  // what the repository was reached by
    api::BackupAssignment assignment;
    std::string config;
    bool there = false;  // the stanza was made, or found
  };

  static Member self(const Standing& now);
  void run(const std::stop_token& stop);
  void look_after(const Standing& now, const std::stop_token& stop);
  std::optional<Ready> known(const api::BackupAssignment& wanted, bool may_store);
  bool make_ready(const api::BackupAssignment& wanted, bool may_store, const std::stop_token& stop);
  Status reach(const api::BackupAssignment& wanted, bool may_store, std::optional<Ready>& ready,
               const std::stop_token& stop);
  // The timeline that this primary writes is said beside the repository to be the link's before anything of it is
  // there.
  Status note_lineage(const Ready& ready, const std::stop_token& stop);
  struct OwnTimeline {
    backup::LineageEntry begun;
    uint64_t epoch = 0;  // of the lease
    bool operator==(const OwnTimeline&) const = default;
  };
  std::optional<OwnTimeline> own_entry() const;  // nullopt: it is no primary, or it is not known yet
  void tell_reached(const api::BackupAssignment& wanted, bool ready);
  std::optional<TailKeeper::Place> tail_place() const;
  void tell_tail(const std::optional<BackupReport::Continuous>& said, const std::string& trouble);
  BackupReport::Cause cause_of_trouble() const REQUIRES(mutex_);
  // backup_attempt.cpp
  AttemptView attempt_view(const Standing& now) const REQUIRES(mutex_);
  void begin_attempt(const api::BackupRun& run);
  void attempt(const api::BackupRun& run, const std::stop_token& stop);
  Status take(const PgBackRest& program, const api::BackupRun& run, const std::stop_token& stop);
  api::BackupAssignment order() const;  // that is under way
  // What pgBackRest has to be told besides, once it may begin.
  Result<std::vector<std::string>> at_primary(const std::stop_token& stop) const;
  Result<std::vector<std::string>> at_replica(const api::BackupAssignment& order, const std::stop_token& stop,
                                              std::unique_ptr<Relay>& relay) const;
  Result<bool> note_stored(const PgBackRest& program, const api::BackupRun& run,
                           const std::vector<backup::BackupSet>& sets, const std::stop_token& stop);
  Result<std::vector<backup::BackupSet>> stored_sets(const PgBackRest& program, const std::stop_token& stop);
  // backup_let_go.cpp
  bool let_go(const Standing& now, const std::string& name);
  bool record_dropped(const std::string& stanza, const std::string& name, const std::string& cause, bool conflict);
  bool is_others(const std::string& name) const REQUIRES(mutex_);
  bool record_others(const std::string& stanza, const std::string& name);
  void stored_something();
  Result<std::vector<DroppedLog>> dropped_on_disk(const std::string& stanza);
  Result<std::vector<DroppedLog>> replace_dropped(const std::string& stanza, const std::vector<DroppedLog>& before,
                                                  const std::vector<DroppedLog>& missing);
  void look_at_dropped(const api::BackupAssignment& wanted, bool archiver, const std::stop_token& stop);
  // backup_store.cpp
  std::optional<postgres::StoreAnswer> store(const std::string& file, const std::function<bool()>& gone,
                                             const std::stop_token& stop);
  std::optional<postgres::StoreAnswer> try_to_store(StoreStep step, const api::BackupAssignment& wanted,
                                                    const std::string& file, const std::stop_token& stop);
  bool is_left_behind(const std::string& name) const;
  Result<bool> has_history(const PgBackRest& program, const std::string& name, const std::string& path,
                           const std::stop_token& stop) const;
  Result<bool> is_taken(const PgBackRest& program, const std::string& segment, const std::stop_token& stop) const;
  Status store_histories(const PgBackRest& program, const std::stop_token& stop);
  Result<bool> push(const PgBackRest& program, const std::string& file, const std::stop_token& stop);
  Result<bool> archived(const TailKeeper::Place& place, const std::string& segment, const std::stop_token& stop) const;
  Result<bool> compare(const PgBackRest& program, const std::string& stanza, const std::string& file,
                       const std::stop_token& stop);
  Result<bool> is_from_before(const PgBackRest& program, const std::string& stanza, const std::string& name,
                              const std::stop_token& stop);
  Result<std::optional<std::string>> stored_history(const PgBackRest& program, const std::string& name,
                                                    const std::stop_token& stop) const;

  std::string trouble() const REQUIRES(mutex_);  // empty: there is nothing to tell
  std::optional<PgBackRest> program() const;
  std::optional<RepositoryKeeper::Turn> repository_turn() const;
  void tell(const std::function<void(BackupReport&)>& change);  // into the report, where it changes anything

  const Context c_;
  mutable Mutex mutex_;
  std::optional<Ready> ready_ GUARDED_BY(mutex_);
  BackupReport report_ GUARDED_BY(mutex_);
  LastingTrouble reaching_ GUARDED_BY(mutex_), storing_ GUARDED_BY(mutex_);
  std::string tail_trouble_ GUARDED_BY(mutex_);
  std::set<backup::Timeline> others_ GUARDED_BY(mutex_);  // numbers before noted_ that are others' there
  std::optional<OwnTimeline> noted_ GUARDED_BY(mutex_);   // beside the repository of ready_
  bool histories_owed_ GUARDED_BY(mutex_) = false;        // PostgreSQL was told of one that it is stored, and it is not
  std::optional<BootTime> unstored_since_ GUARDED_BY(mutex_), unstored_at_ GUARDED_BY(mutex_);  // LetGoView; last
  uint64_t let_go_bytes_ GUARDED_BY(mutex_) = 0, free_then_ GUARDED_BY(mutex_) = 0;             // when the last went
  Mutex dropped_mutex_;  // of the file that read_dropped reads: held before mutex_
  std::optional<api::BackupAssignment> attempted_ GUARDED_BY(mutex_);  // under way
  std::stop_source stop_attempt_ GUARDED_BY(mutex_);
  std::stop_source stop_storing_ GUARDED_BY(mutex_);
  // Of the keeper's thread: what it asks for, when the Secrets are read again, and when what failed is tried again.
  std::optional<api::BackupAssignment> asked_for_;
  bool asked_to_store_ = false, usable_ = false;
  std::string helped_;            // uid of the Backup that a replica takes
  std::string dropped_of_;        // the stanza whose let go log was told
  bool dropped_checked_ = false;  // and compared with the archive
  BootTime refresh_at_{}, again_at_{};
  Signal wake_;
  BackupServer server_;
  postgres::StoreListener listener_;
  ReadBack read_back_{
      [this](const BackupReport::Read& said) { tell([&](BackupReport& report) { report.read = said; }); }};
  RoleThread thread_{"backups"};
  RepositoryKeeper repository_;
  RoleThread attempts_{"backup"};  // of the keeper's thread, and of stop() after that
  TailKeeper tails_;
};

}  // namespace twinspan::worker
