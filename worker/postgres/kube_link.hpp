// The agent's two objects in the API: its link, watched, and the link's lease, watched and written.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/accepted.hpp"
#include "core/clock.hpp"
#include "kube/client.hpp"
#include "kube/informer.hpp"
#include "worker/postgres/lease_keeper.hpp"

namespace twinspan::worker {

class KubeLeaseStore final : public LeaseStore {
 public:
  // `client`: with a short request time-out, and used for nothing else.
  KubeLeaseStore(kube::Client& client, const Clock& clock, kube::Key key);
  Result<StoredLease> read(std::stop_token stop) override;
  Result<StoredLease> write(const LeaseRecord& record, std::chrono::milliseconds duration, bool acquisition,
                            std::stop_token stop) override;

 private:
  kube::Client& client_;
  const Clock& clock_;
  const kube::Key key_;
};

// Handlers are called on the watches' own threads and only pass on what came.
class LinkWatch {
 public:
  struct Handlers {
    std::function<void(std::shared_ptr<const api::ObeyedLink>)> link;  // nullptr: deleted
    std::function<void(const StoredLease&, BootTime received_at)> lease;
    std::function<void()> went_back;  // the lease told next may be older than any told so far
  };
  LinkWatch(kube::Client& client, const Clock& clock, const kube::Key& link, const kube::Key& lease, Handlers handlers);
  void start();
  void stop();

 private:
  const Clock& clock_;
  Handlers handlers_;
  kube::Informer<api::ObeyedLink> links_;
  kube::Informer<StoredLease> leases_;
};

}  // namespace twinspan::worker
