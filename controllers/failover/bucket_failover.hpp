// Gather, decide, apply for where writes of one S3 link go: as FailoverReconciler, which calls it for links that have a
// policy. Safe to run in two operators at once: every write carries the version it was decided from.
#pragma once
#include <map>
#include <mutex>
#include <stop_token>

#include "controllers/cluster/cluster.hpp"
#include "controllers/failover/bucket_story.hpp"
#include "controllers/failover/failover_caches.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"
#include "failover/bucket_report.hpp"
#include "kube/client.hpp"
#include "kube/controller.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

class BucketFailover {
 public:
  BucketFailover(kube::Client& client, const Clock& clock, Cluster& cluster, FailoverCaches& caches,
                 WorkerReports& reports, kube::EventRecorder& events)
      : client_(client), clock_(clock), cluster_(cluster), caches_(caches), reports_(reports), events_(events) {}

  Result<kube::Requeue> reconcile(const CachedLink& link, const api::FailoverPolicy& policy,
                                  const std::stop_token& stop);
  void forget(const kube::Key& link);
  // Whether a worker says something that a decision could depend on at once.
  static bool worth_a_look(const MemberReport& before, const MemberReport& after);

 private:
  BucketRoutingSeen routing_of(const CachedLink& link, const api::FailoverPolicy& policy) const;
  std::optional<BucketReport> said_by(const kube::Key& link, const LeaseRecord& holder, BootTime now) const;
  struct Gathered {
    BucketFailoverSeen seen;
    std::vector<RehearsalReport> rehearsals;
  };
  Gathered gather(const CachedLink& link, const api::FailoverPolicy& policy, const BucketRoutingSeen& routing) const;
  Status write_routes(const CachedLink& link, const api::FailoverPolicy& policy, const std::string& to,
                      const std::stop_token& stop);
  Status write_status(const api::FailoverPolicy& policy, const api::PolicyStatus& status, const std::stop_token& stop);

  kube::Client& client_;
  const Clock& clock_;
  Cluster& cluster_;
  FailoverCaches& caches_;
  WorkerReports& reports_;
  kube::EventRecorder& events_;
  std::mutex mutex_;
  std::map<kube::Key, BootTime> words_at_;  // when words alone were last written
};

}  // namespace twinspan::controllers
