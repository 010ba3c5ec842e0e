// Everything that a decision about the primary of an S3 link depends on, as its workers say it. Any thread, a link in
// one at a time.
#pragma once
#include <map>
#include <vector>

#include "controllers/policy/primary_mover.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "controllers/s3/bucket_routing.hpp"
#include "controllers/s3/wakefulness.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "failover/flow/decide.hpp"
#include "failover/flow/report.hpp"

namespace twinspan::controllers {

class BucketSight {
 public:
  BucketSight(const Clock& clock, const Cluster& cluster, const WorkerReports& reports)
      : clock_(clock), cluster_(cluster), reports_(reports) {}

  struct Gathered {
    FlowSeen seen;
    std::vector<RehearsalReport> rehearsals;
  };
  // kInvalid: the policy's status can't be read.
  Result<Gathered> gather(const MoveFacts& facts, const BucketRoutingSeen& routing);
  // Of a link without a policy: what tells who is primary.
  FlowSeen beginning(const MoveFacts& facts);
  void forget(const kube::Key& link);

 private:
  std::vector<FlowReport> reports_of(const MoveFacts& facts, FlowSeen& seen, bool& all_said);
  std::optional<FlowReport> said_by(const kube::Key& link, const LeaseRecord& holder, BootTime now) const;

  const Clock& clock_;
  const Cluster& cluster_;
  const WorkerReports& reports_;
  Mutex mutex_;
  std::map<kube::Key, Wakefulness> awake_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::controllers
