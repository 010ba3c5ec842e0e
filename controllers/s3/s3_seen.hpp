// Everything a decision about one S3 link depends on, as one value, and how it is gathered.
#pragma once
#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"

namespace twinspan::controllers {

struct S3Seen {
  // What links of every engine have. `endpoints` are the workers in the order of their ordinals (s3_member): their pods
  // and what they said; the first has their common TLS Secret.
  LinkSeen common;
  std::shared_ptr<const StatefulSet> set;
  std::vector<std::shared_ptr<const Lease>> leases;  // of the shares; nullptr: there is none
  BootTime boot_now{};
  std::optional<std::string> place_taken{};  // by an elder link, and why: this one must not run

  const CachedLink& link() const { return *common.link; }
  const std::vector<EndpointSeen>& workers() const { return common.endpoints; }
  std::string pod_of(size_t worker) const;
  void set_foreign_aside();  // as LinkSeen's
};

// How old what a worker says is, a worker that hangs and repeats itself included.
std::chrono::milliseconds age_of_words(const Seen& said, BootTime now);

// From seen_at on, by anybody (kube/lease.hpp).
std::chrono::milliseconds share_may_be_held_for(const Lease& lease);

// Whom everything is copied from: as the assignment says, without one the source of the spec.
const std::string& s3_primary(const api::ReplicationLink& link);

S3Seen gather_s3(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster, const WorkerReports& reports,
                 const Clock& clock);

}  // namespace twinspan::controllers
