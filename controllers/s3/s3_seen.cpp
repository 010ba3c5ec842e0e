#include "controllers/s3/s3_seen.hpp"

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"

namespace twinspan::controllers {
namespace {

// Also pods and leases that an earlier spec asked for: the status names workers as long as they are there.
size_t workers_known(const CachedLink& link, const std::shared_ptr<const StatefulSet>& set) {
  int64_t count = std::max<int64_t>(link.invalid ? 1 : link.spec.s3.workers, 1);
  if (set) count = std::max(count, set->replicas);
  if (link.status.division) count = std::max(count, link.status.division->shares);
  return std::max(static_cast<size_t>(count), link.status.workers.size());
}

}  // namespace

std::string S3Seen::pod_of(size_t worker) const {
  return s3_lease_name(link().metadata.name, static_cast<int64_t>(worker));
}

const std::string& s3_primary(const api::ReplicationLink& link) {
  return link.status.assignment ? link.status.assignment->primary : link.spec.source.name;
}

S3Seen gather_s3(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster, const WorkerReports& reports,
                 const Clock& clock) {
  const kube::Key key = key_of(link->metadata);
  S3Seen seen;
  seen.common.link = link;
  seen.boot_now = clock.boot_now();
  gather_common(seen.common, cluster, clock);
  seen.set = cluster.sets.find({key.ns, s3_set_name(key.name)});
  const size_t workers = workers_known(*link, seen.set);
  for (size_t i = 0; i < workers; ++i) {
    EndpointSeen& worker = seen.common.endpoints.emplace_back();
    worker.name = s3_member(static_cast<int64_t>(i));
    worker.pod = cluster.pods.find({key.ns, seen.pod_of(i)});
    worker.member = view_of(reports.latest(key, worker.name), seen.boot_now);
  }
  seen.common.endpoints.front().tls = cluster.secrets.find({key.ns, tls_secret_name(key.name, kS3Member)});
  // Leases outlive the workers that held them, until it is certain that nobody holds them any more.
  const size_t leases = link->status.division || workers > 1 ? kS3SharesMax : 1;
  for (size_t i = 0; i < leases; ++i) seen.leases.push_back(cluster.leases.find({key.ns, seen.pod_of(i)}));
  seen.common.lease = seen.leases.front();
  return seen;
}

}  // namespace twinspan::controllers
