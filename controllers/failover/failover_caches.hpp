// What only the failover controller reads: Services and EndpointSlices of links, and which policy is whose.
#pragma once
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "controllers/cluster/cluster.hpp"
#include "controllers/failover/routing.hpp"

namespace twinspan::controllers {

class FailoverCaches {
 public:
  FailoverCaches(kube::Client& client, Cluster& cluster, const std::vector<std::string>& namespaces);

  // Calls `enqueue` with a link's key when its Services or EndpointSlices changed. Before start().
  void on_change_of_link(const std::function<void(const kube::Key& link)>& enqueue);
  void start();
  void stop();
  bool synced() const;

  // The policies that name a link and are not being deleted, oldest first.
  std::vector<std::shared_ptr<const api::FailoverPolicy>> policies_of(const kube::Key& link) const;
  std::optional<ServiceFacts> service(const kube::Key& key) const;
  std::vector<SliceFacts> slices_of(const kube::Key& service) const;
  void wrote_service(const Json& object);

 private:
  Cluster& cluster_;
  Cache<ServiceFacts> services_;
  Cache<SliceFacts> slices_;
  mutable std::mutex mutex_;
  std::map<kube::Key, std::set<kube::Key>> policies_of_link_;
  std::map<kube::Key, std::set<kube::Key>> slices_of_service_;
};

}  // namespace twinspan::controllers
