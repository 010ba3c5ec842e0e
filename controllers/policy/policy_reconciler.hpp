// One look at the primary of one link of any engine: choose the policy, look, carry out. Keyed by link; safe to run in
// two operators at once: every write carries the version it was decided from, and workers obey epochs
// (ARCHITECTURE.md). Any number of threads, one key in one thread at a time.
#pragma once
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "api/validate.hpp"
#include "controllers/cluster/cluster.hpp"
#include "controllers/policy/failover_caches.hpp"
#include "controllers/policy/primary_mover.hpp"
#include "controllers/policy/route_writer.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "kube/client.hpp"
#include "kube/controller.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

class PolicyReconciler {
 public:
  PolicyReconciler(kube::Client& client, const Clock& clock, Cluster& cluster, FailoverCaches& caches,
                   WorkerReports& reports, kube::EventRecorder& events, const PrimaryMovers& movers);

  Result<kube::Requeue> reconcile(const kube::Key& link, const std::stop_token& stop);
  // Whether a report says something that a decision could depend on: the caller then enqueues the link.
  bool is_news(const kube::Key& link, const std::optional<Seen>& before, const Seen& after) const;

 private:
  using Policy = std::shared_ptr<const api::FailoverPolicy>;
  struct Chosen {
    Policy policy;        // as it is in force; nullptr: there is none
    std::string refused;  // why that is not its newest spec
  };

  Result<kube::Requeue> look_after(const kube::Key& link, const std::stop_token& stop);
  void forget(const kube::Key& link);
  // The oldest policy counts; one that can't be acted upon is told so.
  Result<Chosen> choose(const CachedLink& link, const std::vector<Policy>& policies, const std::stop_token& stop);
  std::vector<api::FieldError> errors_of(const api::FailoverPolicy& policy, const CachedLink& link) const;
  Result<Move> look(PrimaryMover& mover, const std::shared_ptr<const CachedLink>& link, const Chosen& chosen,
                    const std::stop_token& stop);
  Result<kube::Requeue> carry_out(const CachedLink& link, const Chosen& chosen, PrimaryMover& mover, Move move,
                                  const std::stop_token& stop);
  Status write_status(const Chosen& chosen, const PrimaryMover& mover, Move& move, const std::stop_token& stop);
  Status put_label(const PodLabel& wanted, const std::stop_token& stop);
  Status nothing_known(const api::FailoverPolicy& policy, const CachedLink& link, const std::stop_token& stop);
  Status refuse(const api::FailoverPolicy& policy, const std::string& message, const std::stop_token& stop);

  kube::Client& client_;
  const Clock& clock_;
  Cluster& cluster_;
  FailoverCaches& caches_;
  WorkerReports& reports_;
  kube::EventRecorder& events_;
  const PrimaryMovers& movers_;
  RouteWriter routes_;
  Mutex mutex_;
  std::map<kube::Key, BootTime> words_at_ GUARDED_BY(mutex_);  // when words alone were last written, of links
};

}  // namespace twinspan::controllers
