// Everything that a decision about the primary of a PostgreSQL link depends on, as one value, and what this operator
// remembers of earlier looks. Any thread, a link in one at a time.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "controllers/policy/primary_mover.hpp"
#include "controllers/postgres/routing.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "failover/last_known.hpp"
#include "failover/log/decide.hpp"

namespace twinspan::controllers {

// The highest epoch that any member tells of.
Epoch remembered_epoch(const FailoverSeen& seen);

class PrimarySight {
 public:
  PrimarySight(const Clock& clock, const Cluster& cluster, const WorkerReports& reports)
      : clock_(clock), cluster_(cluster), reports_(reports) {}

  // `confirmed`: `lease` was asked for, and is from no cache; the highest epoch that members told of by then. kInvalid:
  // the policy's status can't be read.
  Result<FailoverSeen> gather(const MoveFacts& facts, const FailoverRules& rules, const RoutingSeen& routing,
                              const std::shared_ptr<const Lease>& lease, std::optional<Epoch> confirmed);
  // Whether a member is asked at all, so far: its pod may be there for longer than this operator.
  bool asks(const kube::Key& link, const std::string& member) const {
    return reports_.latest(link, member).has_value();
  }
  // When the sign that began a change arrived here.
  WallTime detected(const kube::Key& link, const FailoverSeen& seen) const;
  // Whether this is another decision than the last that was told.
  bool is_new(const kube::Key& link, const Decision& decision);
  void forget(const kube::Key& link);

 private:
  struct Memory {        // of this operator's term, per link; nothing that safety depends on
    std::string link;    // its uid
    std::string holder;  // endpoint and instance as last seen, and since when
    int64_t epoch = -1;
    bool held = false;
    BootTime holder_since{};
    WallTime holder_since_wall{};
    LastKnown primary;
    std::string told;  // the decision as it was last logged
  };

  Memory remember(const kube::Key& key, const std::string& uid, const Lease* lease);
  void see_lease(const Lease& lease, const FailoverRules& rules, const Memory& memory, FailoverSeen& seen) const;
  MemberSeen see_member(const CachedLink& link, const std::string& name, const FailoverRules& rules, const Lease* lease,
                        const Memory& memory) const;

  const Clock& clock_;
  const Cluster& cluster_;
  const WorkerReports& reports_;
  mutable Mutex mutex_;
  std::map<kube::Key, Memory> memory_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::controllers
