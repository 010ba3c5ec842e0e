// Every cache the controllers read: links, policies, and whatever carries our managed-by label. Started and stopped by
// operator/.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "controllers/cluster/cache.hpp"
#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/packed_cache.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"

namespace twinspan::controllers {

// Names that belong to a link, each as often as it was added.
class NameIndex {
 public:
  void add(const kube::Key& link, const std::string& name);
  void remove(const kube::Key& link, const std::string& name);
  std::vector<std::string> names(const kube::Key& link) const;  // sorted

 private:
  mutable Mutex mutex_;
  std::map<kube::Key, std::map<std::string, int>> counts_ GUARDED_BY(mutex_);
};

// Why a link has no primary, where it can't have one by itself: said by the failover controller, told by the link's own
// conditions too.
struct Holdup {
  std::string reason, message;
  bool needs_person = false;
  bool operator==(const Holdup&) const = default;
};

class Holdups {
 public:
  void add_handler(std::function<void(const kube::Key& link)> handler) { handlers_.push_back(std::move(handler)); }
  void set(const kube::Key& link, std::optional<Holdup> holdup);  // nullopt: none
  std::optional<Holdup> find(const kube::Key& link) const;

 private:
  mutable Mutex mutex_;
  std::map<kube::Key, Holdup> holdups_ GUARDED_BY(mutex_);
  std::vector<std::function<void(const kube::Key&)>> handlers_;  // before the first set()
};

// Of an S3 link, as links_of_buckets has them.
std::vector<kube::Key> buckets_of(const api::ReplicationLink& link);

struct Cluster {
  // With `has_network_policies` those of workers are looked at: it takes a right that not every operator has.
  Cluster(kube::Client& client, const Clock& clock, const std::vector<std::string>& namespaces,
          bool has_network_policies = false);

  PackedCache<CachedLink> links;
  PackedCache<api::FailoverPolicy> policies;
  Cache<Pod> pods;
  Cache<Claim> claims;
  Cache<Secret> secrets;
  Cache<Lease> leases;
  Cache<Owned> accounts, roles, bindings, budgets, config_maps;
  Cache<StatefulSet> sets;
  Cache<Owned> network_policies;
  NameIndex endpoints;  // that have pods, claims or secrets, also those that the spec names no more
  Holdups holdups;
  NameIndex policies_of_links;  // policies whose linkRef names the link
  NameIndex links_of_buckets;   // "NAMESPACE/NAME" of S3 links, by {address in lower case, bucket}

  // nullopt: there is no such link. Cheap, for those who only pass news on.
  std::optional<api::Engine> engine_of(const kube::Key& link) const;

  // What was accepted of a link whose status has lost it since (wiped, or restored from a backup), as long as this
  // operator has seen it.
  std::optional<api::AcceptedSpec> lost_acceptance(const kube::Key& link) const;

  // Calls `enqueue` with a link's key whenever something of it changed that a decision may depend on: never for a mere
  // renewal of its lease. Before start().
  void on_change_of_link(const std::function<void(const kube::Key& link, bool first_list)>& enqueue);
  // What a write answered, into the cache of its kind.
  void wrote(const kube::Resource& resource, const Json& object);
  void start();
  void stop();
  bool synced();

 private:
  // Everything that carries a link's label. What is to happen to every cache folds over these two.
  auto labelled() {
    return std::tie(pods, claims, secrets, leases, accounts, roles, bindings, budgets, config_maps, sets,
                    network_policies);
  }
  auto caches() { return std::tuple_cat(std::tie(policies), labelled(), std::tie(links)); }

  mutable Mutex noted_mutex_;
  std::map<kube::Key, api::AcceptedSpec> lost_ GUARDED_BY(noted_mutex_);
  std::map<kube::Key, api::Engine> engines_ GUARDED_BY(noted_mutex_);
};

}  // namespace twinspan::controllers
