// Gather, decide, apply for the primary of one link. Keyed by link; safe to run in two operators at once, since the
// lease decides (ARCHITECTURE.md). Any number of threads, one key in one thread at a time.
#pragma once
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "api/validate.hpp"
#include "controllers/cluster/cluster.hpp"
#include "controllers/failover/bucket_failover.hpp"
#include "controllers/failover/failover_caches.hpp"
#include "controllers/failover/story.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"
#include "kube/client.hpp"
#include "kube/controller.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

class FailoverReconciler {
 public:
  FailoverReconciler(kube::Client& client, const Clock& clock, Cluster& cluster, FailoverCaches& caches,
                     WorkerReports& reports, kube::EventRecorder& events);

  Result<kube::Requeue> reconcile(const kube::Key& link, std::stop_token stop);
  // Whether a report says something that a decision could depend on: the caller then enqueues the link.
  static bool worth_a_look(const std::optional<Seen>& before, const Seen& after);

 private:
  struct Memory {        // of this operator's term, per link; nothing that safety depends on
    std::string holder;  // endpoint and instance as last seen, and since when
    int64_t epoch = -1;
    bool held = false;
    BootTime holder_since{};
    WallTime holder_since_wall{};
    std::optional<Position> primary_last_known;
  };

  FailoverSeen gather(const kube::Key& key, const CachedLink& link, const api::FailoverPolicy* policy,
                      const FailoverRules& rules, const RoutingSeen& routing);
  Memory remember(const kube::Key& key, const Lease* lease, const CachedLink& link);
  RoutingSeen routing_of(const kube::Key& key, const api::FailoverPolicy* policy, const std::string& primary) const;
  Status write_assignment(const CachedLink& link, const Assignment& assignment, const LeaseTiming& lease,
                          std::stop_token stop);
  Status write_services(const api::FailoverPolicy& policy, const std::string& to, std::stop_token stop);
  Status ensure_replica_services(const api::FailoverPolicy& policy, std::stop_token stop);
  Status label_readers(const kube::Key& key, const CachedLink& link, const api::FailoverPolicy& policy,
                       const FailoverSeen& seen, std::stop_token stop);
  std::vector<api::FieldError> errors_of(const api::FailoverPolicy& policy, const CachedLink& link) const;
  Status refuse(const api::FailoverPolicy& policy, const std::string& message, std::stop_token stop);

  kube::Client& client_;
  const Clock& clock_;
  Cluster& cluster_;
  FailoverCaches& caches_;
  WorkerReports& reports_;
  kube::EventRecorder& events_;
  std::mutex mutex_;
  std::map<kube::Key, Memory> memory_;
  BucketFailover buckets_;  // of S3 links
};

}  // namespace twinspan::controllers
