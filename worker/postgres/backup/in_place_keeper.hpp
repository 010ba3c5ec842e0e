// What a primary's agent does for a Restore in place: the data are fetched and recovered beside those it has, while it
// goes on, and wait there whole until the operator says that they may take their place (failover/log/member.hpp does
// that). What is not asked for any more goes, and data that were put aside go when their time has come.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/tablespaces.hpp"
#include "worker/postgres/backup/in_place.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/backup/repository_access.hpp"
#include "worker/postgres/backup/restore_plan.hpp"
#include "worker/postgres/desired.hpp"
#include "worker/postgres/import_keeper.hpp"
#include "worker/postgres/local.hpp"

namespace twinspan::worker {

// Its order, where this endpoint has one; nullptr: none.
const api::RestoreAssignment* in_place_order(const Desired* desired);
// What waits here may take the place of the data now: the operator said so of this very order.
bool may_replace(const Desired* desired, const std::string& prepared);

// What is to be done about the order, by what lies here. Pure.
enum class InPlaceStep {
  kNothing,
  kForget,    // what waits is not asked for
  kPrepare,   // fetched and recovered beside
  kPrepared,  // it is said that they wait
  kDone,      // it was carried out before
  kNotKept,   // the old data are to be brought back, and are not there
};
struct InPlaceSeen {
  const api::RestoreAssignment* order = nullptr;
  bool known = false;            // the link is, and so whether there is an order
  std::string prepared;          // whose data wait beside
  bool anything = false;         // something lies there, whole or not
  bool said = false;             // something is said of an order that is not carried out
  std::optional<KeptData> kept;  // of the order
  std::string done;              // the order that the data here came from
  bool done_back = false;        // by bringing back what was there before
  bool may_write = false;        // this is the primary
};
InPlaceStep next_step(const InPlaceSeen& seen);

// Recovery that replays the making of a tablespace writes where it is said to lie, and there lie those that are in use.
// Why what was fetched, which has `fetched`, may not be recovered beside data that have `used`; empty: it may.
std::string makes_tablespaces(const postgres::Tablespaces& used, const postgres::Tablespaces& fetched);

// Room for what is restored beside the data: the backup's size, a tenth more for the log, and a GiB. Empty: there is.
std::string lacks_room(uint64_t backup_bytes, uint64_t free_bytes);

class InPlaceKeeper {
 public:
  static constexpr std::chrono::seconds kRetry{2}, kRetryMax{60};  // doubled from one to the other

  using Standing = ImportKeeper::Standing;
  struct Context {
    postgres::Children& children;
    const postgres::Layout& layout;
    InPlace& places;
    const RepositoryAccess& repository;
    const Clock& clock;
    LocalState& local;
    std::function<Standing()> standing;
    std::function<std::optional<PgBackRest>()> archive;  // of the link's log, where it can be read
  };
  explicit InPlaceKeeper(Context context) : c_(std::move(context)) {}
  ~InPlaceKeeper() { stop(); }
  void start();
  void stop() { thread_.stop(); }

 private:
  void look_after(const Standing& now, const std::stop_token& stop);
  void attempt(const api::RestoreAssignment& order, const Standing& begun, const std::stop_token& stop);
  Status prepare(const api::RestoreAssignment& order, const Desired& desired, const std::stop_token& stop);
  Result<int64_t> taken_timelines(const std::stop_token& stop) const;
  void tell(const BackupReport::Restored& said);
  void store_log_left(const Standing& now, const std::stop_token& stop);
  Status clear(const std::string& whose);
  void forget();
  InPlaceSeen look(const Standing& now) const;
  std::string ends_early(const postgres::Tablespaces& before) const;

  const Context c_;
  std::string failed_;  // the order that is out of reach for good; of the keeper's thread, as all that follow
  std::string at_work_;
  Exhausted exhausted_;
  std::atomic<bool> fits_{false};  // of the attempt: there was room when it began to fetch
  BootTime next_at_{}, left_at_{};
  std::chrono::seconds retry_{kRetry};
  Signal wake_;
  RoleThread thread_{"in-place"};
};

}  // namespace twinspan::worker
