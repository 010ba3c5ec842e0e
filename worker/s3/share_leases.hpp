// The leases of a link's shares as one worker holds them: reads, takes, renews and releases as shares.hpp plans.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>

#include "contract/names.hpp"
#include "core/guarded.hpp"
#include "core/unchanged.hpp"
#include "core/wait.hpp"
#include "kube/client.hpp"
#include "kube/lease.hpp"
#include "worker/s3/shares.hpp"

namespace twinspan::worker_s3 {

struct ShareLeasesConfig {
  std::string ns, link, pod_name;  // the pod's name is that of its own share's lease
  std::string identity;            // POD/INSTANCE
  // As kube::ElectionConfig: whoever can't renew has a third of the duration left to stop before another may take it.
  std::chrono::milliseconds duration{kShareLeaseDuration}, renew_deadline{10000}, retry{2000};
  SharesPatience patience{};
};

// run() in one thread, everything else from any. With one worker that never had another beside it, it asks for its own
// lease only: a read every `retry` until it is had, then a write every `retry`.
class ShareLeases {
 public:
  // `changed`: shares may be used that might not before, or no longer; called from run()'s thread. `lost`: a lease is
  // another's or can't be renewed; whatever runs must end before it returns. Called from run()'s thread, or from a
  // guard that looks at nothing but the clock: whoever can't know stops before another may begin, whatever it waits
  // for.
  ShareLeases(const kube::Client& client, const Clock& clock, ShareLeasesConfig config, std::function<void()> changed,
              std::function<void(const std::string& lease)> lost);

  // Until `stop`: then everything is released, so nothing may be in use any more.
  void run(std::stop_token stop);

  void divide(const Division& division);
  // What may be copied now, of this division. It counts as in use from here on, with what was in use before, until
  // in_use() says what is.
  std::set<int> use(const Division& division);
  void in_use(std::set<int> shares);

  std::set<int> held() const;
  std::string holder() const;  // of our own share's lease, as last seen

 private:
  struct Known {
    Json lease;
    Unchanged unchanged;
    ShareLease said;
    BootTime renewed{};  // when our last write that arrived, or may have, was sent
  };
  enum class Change { kTake, kRenew, kMark, kRelease, kAsk };
  static std::optional<kube::LeaseChange> lease_change(Change change);

  bool alone(const Division& division) const { return division.generation == 0 && division.shares == 1; }
  bool turn(const std::stop_token& stop);
  Status read(const Division& division, const std::stop_token& stop);
  void learn(int share, Json lease);
  Status write(int share, Change change, const Division& division, const std::stop_token& stop);
  void check_tenures();
  void note_tenures();
  void guard(const std::stop_token& stop);
  void publish(const SharesPlan& plan, const Division& division);
  void release_all();
  std::string lease_name(int share) const { return prefix_ + std::to_string(share); }

  const ShareLeasesConfig config_;
  kube::Client client_;
  const Clock& clock_;
  const std::function<void()> changed_;
  const std::function<void(const std::string&)> lost_;
  std::string prefix_;  // of the leases' names
  int ordinal_ = 0;

  // run()'s thread only.
  std::map<int, Known> known_;
  std::set<int> mine_;
  bool look_ = true, settled_ = false;  // `look_`: what is known may not be so any more
  BootTime looked_{};

  Signal wake_;
  mutable Mutex mutex_;
  Division division_ GUARDED_BY(mutex_), planned_ GUARDED_BY(mutex_);
  std::set<int> use_ GUARDED_BY(mutex_), in_use_ GUARDED_BY(mutex_), held_ GUARDED_BY(mutex_);
  std::string holder_ GUARDED_BY(mutex_);
  std::map<int, BootTime> tenures_
      GUARDED_BY(mutex_);  // of the leases in hand: when the last renewal that arrived was sent
};

}  // namespace twinspan::worker_s3
