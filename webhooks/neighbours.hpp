// What else there is, from the operator's caches: what requests are judged by. Any thread.
#pragma once
#include <set>
#include <stop_token>

#include "controllers/policy/failover_caches.hpp"
#include "core/guarded.hpp"
#include "kube/client.hpp"
#include "webhooks/judge.hpp"

namespace twinspan::webhooks {

class Neighbours {
 public:
  // Before the caches start.
  // Asks `api` by a client of its own.
  Neighbours(const kube::Config& api, controllers::Cluster& cluster, const controllers::FailoverCaches& caches);

  BesideLink beside_link(const Review& review) const;
  // The newest spec of its link, as it is in the cache.
  BesidePolicy beside_policy(const Review& review) const;
  // As the API server has the link at this moment: a cache may not have heard yet of what was applied just before.
  // nullopt: it has none; an error: it can't be asked.
  Result<std::optional<api::ReplicationLink>> fresh_link(const kube::Key& key, std::stop_token stop) const;

 private:
  std::vector<kube::Key> near(const kube::Key& link) const;

  mutable kube::Client client_;
  controllers::Cluster& cluster_;
  const controllers::FailoverCaches& caches_;
  mutable Mutex mutex_;
  std::set<kube::Key> links_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::webhooks
