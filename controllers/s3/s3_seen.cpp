#include "controllers/s3/s3_seen.hpp"

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"

namespace twinspan::controllers {

S3Seen gather_s3(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster, const WorkerReports& reports,
                 const Clock& clock) {
  const kube::Key key = key_of(link->metadata);
  S3Seen seen;
  seen.common.link = link;
  gather_common(seen.common, cluster, clock);
  seen.common.lease = cluster.leases.find({key.ns, s3_lease_name(key.name, 0)});
  seen.set = cluster.sets.find({key.ns, s3_set_name(key.name)});
  EndpointSeen& worker = seen.common.endpoints.emplace_back();
  worker.name = kS3Member;
  worker.pod = cluster.pods.find({key.ns, pod_name(key.name, kS3Member)});
  worker.tls = cluster.secrets.find({key.ns, tls_secret_name(key.name, kS3Member)});
  worker.member = view_of(reports.latest(key, worker.name), clock.boot_now());
  return seen;
}

}  // namespace twinspan::controllers
