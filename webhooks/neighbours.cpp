#include "webhooks/neighbours.hpp"

#include "controllers/cluster/links_beside.hpp"

namespace twinspan::webhooks {
namespace {

// The newest spec, where it is right: what a policy that is applied with it is meant for.
api::ReplicationLink newest(const controllers::CachedLink& link) {
  api::ReplicationLink out = link;
  if (link.wanted) out.spec = *link.wanted;
  return out;
}

// The API server waits for a review, and four are judged at once: a read that hangs holds up neither the others nor the
// reconcilers, whose connections are their own.
kube::Config hurried(kube::Config config) {
  config.request_timeout = std::chrono::milliseconds(2000);
  config.connections = 4;
  return config;
}

}  // namespace

Neighbours::Neighbours(const kube::Config& api, controllers::Cluster& cluster,
                       const controllers::FailoverCaches& caches)
    : client_(hurried(api)), cluster_(cluster), caches_(caches) {
  cluster_.links.add_handler([this](const kube::Key& key, const auto&, const auto& after) {
    MutexLock lock(mutex_);
    if (after)
      links_.insert(key);
    else
      links_.erase(key);
  });
}

// Pods are named LINK-ENDPOINT-0: two links can only want the same name where one's own name, up to a dash, is the
// other's. Of ten thousand links a handful is.
std::vector<kube::Key> Neighbours::near(const kube::Key& link) const {
  std::vector<kube::Key> out;
  MutexLock lock(mutex_);
  for (size_t dash = link.name.find('-'); dash != std::string::npos; dash = link.name.find('-', dash + 1))
    if (kube::Key one{link.ns, link.name.substr(0, dash)}; links_.contains(one)) out.push_back(std::move(one));
  const std::string start = link.name + "-";
  for (auto one = links_.lower_bound({link.ns, start});
       one != links_.end() && one->ns == link.ns && one->name.starts_with(start); ++one)
    out.push_back(*one);
  return out;
}

BesideLink Neighbours::beside_link(const Review& review) const {
  BesideLink out;
  for (const auto& policy : caches_.policies_of(review.key)) out.policies.push_back(*policy);
  if (review.operation == Operation::kDelete) return out;
  for (const kube::Key& key : near(review.key))
    if (const auto link = cluster_.links.find(key)) out.near.push_back(*link);
  const auto wanted = api::parse_replication_link(review.object);
  if (!wanted) return out;
  // As the reconcilers have it.
  for (const auto& link : controllers::links_beside(*wanted, cluster_)) out.sharing.push_back(*link);
  return out;
}

BesidePolicy Neighbours::beside_policy(const Review& review) const {
  BesidePolicy out;
  const auto policy = api::parse_failover_policy(review.object);
  if (!policy) return out;
  if (const auto link = cluster_.links.find({review.key.ns, policy->spec.link_ref.name})) out.link = newest(*link);
  out.rivals = caches_.rivals_of(*policy);
  return out;
}

Result<std::optional<api::ReplicationLink>> Neighbours::fresh_link(const kube::Key& key, std::stop_token stop) const {
  const auto json = client_.get(kube::kReplicationLinks, key, stop);
  if (!json && json.error().code == Code::kNotFound) return std::nullopt;
  if (!json) return std::unexpected(json.error());
  const auto link = controllers::decode_link(*json);
  if (!link) return std::unexpected(link.error());
  return newest(*link);
}

}  // namespace twinspan::webhooks
