// What only the failover controller reads: Services, EndpointSlices and ConfigMaps of links, and which policy is whose.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controllers/cluster/cluster.hpp"
#include "controllers/policy/route_facts.hpp"
#include "core/guarded.hpp"

namespace twinspan::controllers {

class FailoverCaches {
 public:
  FailoverCaches(kube::Client& client, Cluster& cluster, const std::vector<std::string>& namespaces);

  // Calls `enqueue` with a link's key when its Services, EndpointSlices or ConfigMaps changed. Before start().
  void on_change_of_link(const std::function<void(const kube::Key& link)>& enqueue);
  void start();
  void stop();
  bool synced() const;

  // The policies that name a link and are not being deleted, oldest first.
  std::vector<std::shared_ptr<const api::FailoverPolicy>> policies_of(const kube::Key& link) const;
  // Those that a policy may be at odds with: every other one that names its link or one of its Services or
  // ConfigMaps.
  std::vector<api::FailoverPolicy> rivals_of(const api::FailoverPolicy& policy) const;
  std::optional<ServiceFacts> service(const kube::Key& key) const;
  // Whether a Service has to be written though it leads where it should: it was refused, or has another template.
  bool is_unfinished(const api::FailoverPolicy& policy, const api::PolicyService& service,
                     const RefusedObjects& refused) const;
  std::vector<SliceFacts> slices_of(const kube::Key& service) const;
  std::optional<ConfigMapFacts> config_map(const kube::Key& key) const;
  void wrote_service(const Json& object);
  void wrote_config_map(const Json& object);

 private:
  using Index = std::map<kube::Key, std::set<kube::Key>>;
  void index(const kube::Key& key, const api::FailoverPolicy& policy, bool present) REQUIRES(mutex_);

  Cluster& cluster_;
  Cache<ServiceFacts> services_;
  Cache<SliceFacts> slices_;
  Cache<ConfigMapFacts> config_maps_;
  mutable Mutex mutex_;
  Index policies_of_service_ GUARDED_BY(mutex_), policies_of_config_map_ GUARDED_BY(mutex_),
      slices_of_service_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::controllers
