// Every cache the controllers read: links, policies, and whatever carries our managed-by label. Started and stopped by
// operator/.
#pragma once
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "controllers/cluster/cache.hpp"
#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/packed_cache.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

// Names that belong to a link, each as often as it was added.
class NameIndex {
 public:
  void add(const kube::Key& link, const std::string& name);
  void remove(const kube::Key& link, const std::string& name);
  std::vector<std::string> names(const kube::Key& link) const;  // sorted

 private:
  mutable std::mutex mutex_;
  std::map<kube::Key, std::map<std::string, int>> counts_;
};

struct Cluster {
  Cluster(kube::Client& client, const Clock& clock, const std::vector<std::string>& namespaces);

  PackedCache<CachedLink> links;
  PackedCache<api::FailoverPolicy> policies;
  Cache<Pod> pods;
  Cache<Claim> claims;
  Cache<Secret> secrets;
  Cache<Lease> leases;
  Cache<Owned> accounts, roles, bindings, budgets;
  Cache<StatefulSet> sets;
  NameIndex endpoints;          // that have pods, claims or secrets, also those that the spec names no more
  NameIndex policies_of_links;  // policies whose linkRef names the link

  // Calls `enqueue` with a link's key whenever something of it changed that a decision may depend on: never for a mere
  // renewal of its lease. Before start().
  void on_change_of_link(const std::function<void(const kube::Key& link, bool first_list)>& enqueue);
  // What a write answered, into the cache of its kind.
  void wrote(const kube::Resource& resource, const Json& object);
  void start();
  void stop();
  bool synced() const;

 private:
  template <class Each>
  void for_each_cache(Each each);
};

}  // namespace twinspan::controllers
