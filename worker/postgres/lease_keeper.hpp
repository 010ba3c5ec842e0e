// Takes, renews and releases the primary lease on a thread of its own, one request at a time.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "contract/primary_lease.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "failover/lease.hpp"

namespace twinspan::worker {

// Where the lease is kept. Calls end within about a second and a half.
class LeaseStore {
 public:
  virtual ~LeaseStore() = default;
  virtual Result<StoredLease> read(std::stop_token stop) = 0;  // never from a cache
  // `record.version` is the precondition (kConflict). Answers the lease as written.
  // `duration` is what its holder promises.
  virtual Result<StoredLease> write(const LeaseRecord& record, std::chrono::milliseconds duration, bool acquisition,
                                    std::stop_token stop) = 0;
};

// Any thread may call any method but start() and stop().
class LeaseKeeper {
 public:
  struct Config {
    std::string endpoint, instance;
    LeaseTiming timing;  // until set_timing()
  };
  // Called on the keeper's thread, without its lock.
  struct Hooks {
    std::function<void(BootTime fence_at)> extended;  // taken, renewed or asked for: the right now lasts until then
    std::function<void()> changed;                    // view() answers something else
    std::function<void(bool succeeded)> renewed;      // after each attempt, for metrics
    // Whether this agent may take or renew the lease now, asked before each request. While it is unfit, because its
    // disk hangs or its database can't be stopped, the lease is let run out: the guard fences, and another may take it.
    std::function<bool()> fit;
    // How far the log of the database here goes that accepts writes; nullopt: it doesn't, or that is not known. Every
    // renewal says it: who decides after the holder is gone may not have heard it itself.
    std::function<std::optional<Position>()> end;
  };
  struct View {
    std::optional<LeaseRecord> record;
    std::chrono::milliseconds duration{0};  // that `record` promises its holder
    bool stood = false;                     // LeaseObservation::stood
    bool outlived = false;                  // LeaseObservation::outlived, of `duration`
    bool went_back = false;                 // the record is older than one known before
    std::optional<Epoch> tenure;            // held here, and not run out by this clock
    BootTime fence_at{};                    // of the tenure
    bool busy = false;                      // an order is being carried out
  };

  LeaseKeeper(LeaseStore& store, const Clock& clock, Config config, Hooks hooks);
  ~LeaseKeeper();
  void start();
  void stop();

  // From the watch. Older versions than the one known are ignored.
  void observed(const StoredLease& lease, BootTime received_at);
  // A quorum read proved it: what is observed next counts, though it be older.
  void history_went_back();
  // `remembered`: the longest promise of which the volume knows (MemberMemory::lease).
  View view(std::chrono::milliseconds remembered) const;

  // How long the lease lasts from the next acquisition or renewal on, which is when the others learn of it too.
  void set_timing(const LeaseTiming& timing);

  // Orders; false while another one is under way. What came of it shows in view().
  bool take(const std::string& version, Epoch epoch);
  bool mark_promoted(EpochHistory epochs = {});  // that the data here consist of
  // Ends the tenure at once and repeats the request until it is answered: PostgreSQL must have stopped. `opened`: it
  // accepted writes, with data of these epochs, whether or not the mark came to be written.
  bool release(Cause cause, std::optional<Position> final_position, std::optional<EpochHistory> opened = std::nullopt);

 private:
  struct Take {
    std::string version;
    Epoch epoch;
  };
  struct Mark {
    EpochHistory epochs;
  };
  struct LetGo {
    Release release;
    std::optional<EpochHistory> opened;
  };
  using Order = std::variant<Take, Mark, LetGo>;

  bool order(Order what);
  void run(const std::stop_token& stop);
  void carry_out(const Take& take, const std::stop_token& stop);
  void carry_out(const Mark& mark, const std::stop_token& stop);
  void carry_out(const LetGo& order, const std::stop_token& stop);
  void renew(const Mark* mark, const std::stop_token& stop);
  void reread(const std::stop_token& stop);
  LeaseTiming timing() const;
  void note(const StoredLease& lease, BootTime received_at) REQUIRES(mutex_);
  void accept(const StoredLease& lease, BootTime received_at) REQUIRES(mutex_);  // whatever its version
  bool mine(const LeaseRecord& record) const;
  bool fit();
  BootTime next_wake(BootTime now) const REQUIRES(mutex_);

  LeaseStore& store_;
  const Clock& clock_;
  const Config config_;
  const Hooks hooks_;
  mutable Mutex mutex_;
  LeaseTiming timing_ GUARDED_BY(mutex_);
  LeaseObservation observation_ GUARDED_BY(mutex_);
  bool any_version_ GUARDED_BY(mutex_) = false;  // the next one observed counts, whatever its version
  bool went_back_ GUARDED_BY(mutex_) = false;    // the one observed is older than one before
  std::chrono::milliseconds holder_duration_ GUARDED_BY(mutex_){0};
  std::optional<LeaseTenure> tenure_ GUARDED_BY(mutex_);
  std::optional<Order> order_ GUARDED_BY(mutex_);
  bool working_ GUARDED_BY(mutex_) = false;
  BootTime retry_at_{};
  bool unfit_said_ = false;  // of the keeper's thread
  Signal wake_;
  RoleThread thread_{"lease-keeper"};
};

}  // namespace twinspan::worker
