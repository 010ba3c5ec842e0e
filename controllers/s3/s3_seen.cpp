#include "controllers/s3/s3_seen.hpp"

#include "controllers/cluster/links_beside.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"
#include "controllers/s3/s3_places.hpp"
#include "kube/lease.hpp"

namespace twinspan::controllers {
namespace {

// Also pods and leases that an earlier spec asked for: the status names workers as long as they are there.
size_t workers_known(const CachedLink& link, const std::shared_ptr<const StatefulSet>& set) {
  int64_t count = std::max<int64_t>(!link.actionable ? 1 : link.spec.s3.workers, 1);
  if (set) count = std::max(count, set->replicas);
  if (link.status.division) count = std::max(count, link.status.division->shares);
  return std::max(static_cast<size_t>(count), link.status.workers.size());
}

std::optional<std::string> taken_by_others(const CachedLink& link, const Cluster& cluster) {
  const auto others = links_beside(link, cluster);
  std::vector<const api::ReplicationLink*> pointers;
  for (const auto& other : others) pointers.push_back(other.get());
  return place_taken(link, pointers);
}

}  // namespace

// What it says again and again without measuring is as old as its first saying.
std::chrono::milliseconds age_of_words(const Seen& said, BootTime now) {
  const bool measures = said.report && !text_of(member_of(said.report->details, "failover"), "measuredAt").empty();
  const BootTime at = measures ? std::min(said.received_at, said.told_at) : said.received_at;
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - at);
}

std::chrono::milliseconds share_may_be_held_for(const Lease& lease) {
  return kube::may_be_held_for(lease.record.held(), lease.duration, kShareLeaseDuration);
}

std::string S3Seen::pod_of(size_t worker) const {
  return s3_lease_name(link().metadata.name, static_cast<int64_t>(worker));
}

void S3Seen::set_foreign_aside() {
  const std::string& own = link().metadata.name;
  common.set_common_aside();
  common.set_aside(set, kube::kStatefulSets, s3_set_name(own));
  common.set_aside(common.endpoints.front().tls, kube::kSecrets, tls_secret_name(own, kS3Member));
  for (size_t i = 0; i < common.endpoints.size(); ++i)
    common.set_aside(common.endpoints[i].pod, kube::kPods, pod_of(i));
  for (size_t i = 0; i < leases.size(); ++i) common.set_aside(leases[i], kube::kLeases, pod_of(i));
  common.lease = leases.front();
}

const std::string& s3_primary(const api::ReplicationLink& link) {
  return link.status.assignment ? link.status.assignment->primary : link.spec.source.name;
}

S3Seen gather_s3(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster, const WorkerReports& reports,
                 const Clock& clock) {
  const kube::Key key = key_of(link->metadata);
  S3Seen seen;
  seen.common.link = link;
  if (!link->invalid && !link->metadata.deleting()) seen.place_taken = taken_by_others(*link, cluster);
  seen.boot_now = clock.boot_now();
  gather_common(seen.common, cluster, clock);
  seen.set = cluster.sets.find({key.ns, s3_set_name(key.name)});
  const size_t workers = workers_known(*link, seen.set);
  for (size_t i = 0; i < workers; ++i) {
    EndpointSeen& worker = seen.common.endpoints.emplace_back();
    worker.name = s3_member(static_cast<int64_t>(i));
    worker.pod = cluster.pods.find({key.ns, seen.pod_of(i)});
    const auto said = reports.latest(key, worker.name);
    worker.member = view_of(said, worker.pod.get(), seen.boot_now);
    if (said && said->report) worker.member.age = std::max(worker.member.age, age_of_words(*said, seen.boot_now));
  }
  seen.common.endpoints.front().tls = cluster.secrets.find({key.ns, tls_secret_name(key.name, kS3Member)});
  // Leases outlive the workers that held them, until it is certain that nobody holds them any more.
  const size_t leases = link->status.division || workers > 1 ? kS3SharesMax : 1;
  for (size_t i = 0; i < leases; ++i) seen.leases.push_back(cluster.leases.find({key.ns, seen.pod_of(i)}));
  seen.set_foreign_aside();
  return seen;
}

}  // namespace twinspan::controllers
