// Stores the tail of the log, of the member that stores the log, and marks an idle database; removes tails that whole
// segments took the place of; says how much of the log is not stored.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "backup/tail.hpp"
#include "contract/backup_report.hpp"
#include "core/clock.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/postgres/archive/mark_store.hpp"
#include "engines/postgres/archive/tail_store.hpp"
#include "engines/postgres/layout.hpp"
#include "worker/postgres/backup/lasting_trouble.hpp"
#include "worker/postgres/backup/tail_rules.hpp"
#include "worker/postgres/local.hpp"

namespace twinspan::worker {

class TailKeeper {
 public:
  struct Place {                             // where tails go, while this member may store
    std::string config, stanza, repository;  // repository: endpoint, bucket and prefix
    std::chrono::seconds max_delay{60};
    uint64_t epoch = 0;  // in which its timeline was begun
    bool operator==(const Place&) const = default;
  };
  struct Context {
    const postgres::Layout& layout;
    const Clock& clock;
    LocalState& local;
    std::function<std::optional<Place>()> place;  // nullopt: it may not, or can't
    // Whether the archive has a whole segment.
    std::function<Result<bool>(const Place& place, const std::string& segment, const std::stop_token& stop)> archived;
    std::function<void(const std::optional<BackupReport::Continuous>& said, const std::string& trouble)> tell;
  };
  explicit TailKeeper(Context context) : c_(std::move(context)) {}
  void start() {
    thread_.start([this](const std::stop_token& stop) { run(stop); });
  }
  void stop() { thread_.stop(); }

 private:
  void run(const std::stop_token& stop);
  void look(const std::stop_token& stop);
  Status store(const Place& place, const backup::TailName& name, WallTime at, const std::stop_token& stop);
  Status clean(const Place& place, const std::stop_token& stop);
  void mark(const Place& place, uint64_t flushed, uint64_t safe, WallTime seen_at, const std::stop_token& stop);
  void forget();

  const Context c_;
  // Of the thread alone.
  std::optional<Place> place_;
  uint64_t life_ = 0;
  backup::Timeline timeline_ = 0;
  std::vector<backup::Departure> history_;
  std::optional<backup::TailName> stored_;
  std::optional<BootTime> began_at_;
  std::optional<uint64_t> still_at_;  // up to where the log was flushed at the last look, and since when
  WallTime still_since_{};
  BootTime still_since_boot_{};
  std::optional<backup::Mark> marked_;
  BootTime mark_again_at_{};
  std::string last_segment_;  // that was unfinished at the last look
  std::string clean_before_;  // tails of whole segments before this one were looked for; empty: never
  SafeSince safe_since_;
  LastingTrouble trouble_;
  RoleThread thread_{"tail"};
};

}  // namespace twinspan::worker
