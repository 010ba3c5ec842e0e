// What the archiver's agent does in the repository besides storing: it lists what is there, so that nobody has to hope
// what can be restored, and deletes what the link's status asks it to. One at a time, on a thread of its own; nothing
// here holds up the log, a backup or an action.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "backup/expiry.hpp"
#include "backup/listing.hpp"
#include "contract/backup_report.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/postgres/layout.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/local.hpp"

namespace twinspan::worker {

class RepositoryKeeper {
 public:
  struct Turn {  // nullopt instead: this member has no business there
    PgBackRest program;
    std::string stanza, repository;  // repository: endpoint, bucket and prefix
    std::optional<api::ExpireAssignment> expire;
    bool backup_runs = false;  // here, or is wanted anywhere
  };
  struct Context {
    postgres::Children& children;
    const postgres::Layout& layout;
    const Clock& clock;
    LocalState& local;
    std::function<std::optional<Turn>()> turn;  // asked again before each step
    std::function<void(const std::function<void(BackupReport&)>&)> tell;
  };
  explicit RepositoryKeeper(Context context) : c_(std::move(context)) {}
  void start();
  void stop();
  void look_again();              // something was stored or deleted; any thread
  void end_deletion();            // it is begun anew when it is asked for again; any thread
  void end_what_may_not_go_on();  // a lease that runs out tells nobody; any thread
  void poke();                    // what is asked for may have changed; any thread
  // A file of the log was stored by this member between the two; any thread.
  void pushed(const std::string& name, WallTime begun, WallTime ended);
  bool deletes() const { return deletes_; }  // now: no backup may begin; any thread

 private:
  struct Pushed {
    std::string name;
    WallTime begun{}, ended{};
    BootTime at{};  // when it ended
  };

  void run(const std::stop_token& stop);
  void list_if_due(const Turn& turn, const std::stop_token& stop);
  Result<backup::Listing> list(const Turn& turn, const std::stop_token& stop);
  Result<std::vector<backup::SegmentRun>> list_log(const Turn& turn, const std::stop_token& stop);
  Result<std::string> hollow_one(const Turn& turn, const std::vector<backup::BackupSet>& backups,
                                 const std::stop_token& stop);
  backup::Lineage lineage() const;
  std::optional<backup::SeenCommit> find_commit(const Turn& turn, const backup::Listing& listing,
                                                const std::stop_token& stop);
  void measure_clock(const std::string& folder_listing);
  // repository_expiry.cpp
  void expire_if_asked(const Turn& turn, const std::stop_token& stop);
  Status expire(const api::ExpireAssignment& asked, const std::stop_token& stop);
  Result<Turn> still(const api::ExpireAssignment& asked) const;

  const Context c_;
  std::atomic<bool> deletes_{false}, again_{true};
  mutable Mutex mutex_;
  std::optional<Pushed> pushed_ GUARDED_BY(mutex_);
  std::stop_source stop_expiry_ GUARDED_BY(mutex_);
  // Of the keeper's thread.
  std::string listed_of_;                              // the repository and stanza that the rest speaks of
  std::map<std::string, std::vector<uint64_t>> full_;  // folders to which nothing can be added
  BootTime forget_at_{}, list_at_{};
  std::optional<backup::Listing> listing_;  // the last that was whole
  std::optional<backup::SeenCommit> commit_;
  std::optional<backup::MeasuredClock> clock_;
  std::set<std::string> whole_;  // labels whose manifest was seen
  std::string answered_;         // the `asked` of what was carried out or refused last
  Signal wake_;
  RoleThread thread_{"repository"};
};

}  // namespace twinspan::worker
