// Takes, renews and releases the primary lease on a thread of its own, one request at a time.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>

#include "core/clock.hpp"
#include "core/wait.hpp"
#include "failover/lease.hpp"
#include "failover/lease_object.hpp"

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
    std::function<void(BootTime fence_at)> extended;  // taken or renewed: the right now lasts until then
    std::function<void()> changed;                    // view() answers something else
    std::function<void(bool succeeded)> renewed;      // after each attempt, for metrics
  };
  struct View {
    std::optional<LeaseRecord> record;
    bool may_be_taken = false;
    std::optional<Epoch> tenure;  // held here, and not run out by this clock
    BootTime fence_at{};          // of the tenure
    bool busy = false;            // an order is being carried out
  };

  LeaseKeeper(LeaseStore& store, const Clock& clock, Config config, Hooks hooks);
  ~LeaseKeeper();
  void start();
  void stop();

  // From the watch. Older versions than the one known are ignored.
  void observed(const StoredLease& lease, BootTime received_at);
  View view() const;

  // How long the lease lasts from the next acquisition or renewal on, which is when the others learn of it too.
  void set_timing(const LeaseTiming& timing);

  // Orders; false while another one is under way. What came of it shows in view().
  bool take(const std::string& version, Epoch epoch);
  bool mark_promoted();
  // Ends the tenure at once and repeats the request until it is answered: PostgreSQL must have stopped.
  bool release(Cause cause, std::optional<Position> final_position);

 private:
  struct Take {
    std::string version;
    Epoch epoch;
  };
  struct Mark {};
  using Order = std::variant<Take, Mark, Release>;

  bool order(Order what);
  void run(const std::stop_token& stop);
  void carry_out(const Take& take, const std::stop_token& stop);
  void carry_out(const Mark& mark, const std::stop_token& stop);
  void carry_out(const Release& release, const std::stop_token& stop);
  void renew(bool promoted, const std::stop_token& stop);
  void reread(const std::stop_token& stop);
  LeaseTiming timing() const;
  void note(const StoredLease& lease, BootTime received_at);  // with the lock held
  bool mine(const LeaseRecord& record) const;
  BootTime next_wake(BootTime now) const;

  LeaseStore& store_;
  const Clock& clock_;
  const Config config_;
  const Hooks hooks_;
  mutable std::mutex mutex_;
  LeaseTiming timing_;
  LeaseObservation observation_;
  BootTime changed_at_{};  // when the lease's present version arrived here
  std::chrono::milliseconds holder_duration_{0};
  std::optional<LeaseTenure> tenure_;
  std::optional<Order> order_;
  bool working_ = false;
  BootTime retry_at_{};
  Signal wake_;
  std::jthread thread_;
};

}  // namespace twinspan::worker
