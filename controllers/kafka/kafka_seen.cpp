#include "controllers/kafka/kafka_seen.hpp"

#include "controllers/cluster/links_beside.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/kafka/kafka_places.hpp"
#include "controllers/link/link_gatherer.hpp"

namespace twinspan::controllers {
namespace {

std::optional<std::string> taken_by_others(const CachedLink& link, const Cluster& cluster) {
  const auto others = links_beside(link, cluster);
  std::vector<const api::ReplicationLink*> pointers;
  for (const auto& other : others) pointers.push_back(other.get());
  auto taken = mirror_taken_by(link, pointers);
  return taken ? std::optional(std::move(taken->message)) : std::nullopt;
}

}  // namespace

std::string KafkaSeen::pod() const { return pod_name(link().metadata.name, kKafkaMember); }

void KafkaSeen::set_foreign_aside() {
  const std::string& own = link().metadata.name;
  common.set_common_aside();
  common.set_aside(set, kube::kStatefulSets, kafka_set_name(own));
  common.set_aside(common.endpoints.front().tls, kube::kSecrets, tls_secret_name(own, kKafkaMember));
  common.set_aside(common.endpoints.front().pod, kube::kPods, pod());
}

KafkaSeen gather_kafka(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster,
                       const WorkerReports& reports, const Clock& clock) {
  const kube::Key key = key_of(link->metadata);
  KafkaSeen seen;
  seen.common.link = link;
  if (!link->invalid && !link->metadata.deleting()) seen.place_taken = taken_by_others(*link, cluster);
  gather_common(seen.common, cluster, clock);
  seen.set = cluster.sets.find({key.ns, kafka_set_name(key.name)});
  EndpointSeen& worker = seen.common.endpoints.emplace_back();
  worker.name = kKafkaMember;
  worker.pod = cluster.pods.find({key.ns, seen.pod()});
  worker.tls = cluster.secrets.find({key.ns, tls_secret_name(key.name, kKafkaMember)});
  worker.member = view_of(reports.latest(key, worker.name), worker.pod.get(), clock.boot_now());
  seen.set_foreign_aside();
  return seen;
}

}  // namespace twinspan::controllers
