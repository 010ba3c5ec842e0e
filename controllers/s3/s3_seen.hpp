// Everything a decision about one S3 link depends on, as one value, and how it is gathered.
#pragma once
#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"

namespace twinspan::controllers {

struct S3Seen {
  // What links of every engine have; `endpoints` holds one member, the worker (kS3Member): its pod, TLS Secret and what
  // it said. `lease` is its lease.
  LinkSeen common;
  std::shared_ptr<const StatefulSet> set;

  const CachedLink& link() const { return *common.link; }
  const EndpointSeen& worker() const { return common.endpoints.front(); }
};

S3Seen gather_s3(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster, const WorkerReports& reports,
                 const Clock& clock);

}  // namespace twinspan::controllers
