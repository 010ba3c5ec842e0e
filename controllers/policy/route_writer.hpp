// Writes what a policy names for its clients, Services and ConfigMaps, where it is not somebody else's. Any thread.
#pragma once
#include <map>
#include <stop_token>
#include <string>

#include "controllers/cluster/object_writer.hpp"
#include "controllers/policy/failover_caches.hpp"
#include "core/guarded.hpp"
#include "kube/client.hpp"

namespace twinspan::controllers {

// A Service or ConfigMap that tells clients where to go, as it is to be: one change.
struct Route {
  Json object;
  std::string to;         // for the log: an endpoint, or who is selected; empty: nobody
  bool only_due = false;  // only where it was somebody else's some time ago, and may be gone or handed over by now
};

class RouteWriter {
 public:
  RouteWriter(kube::Client& client, FailoverCaches& caches, const Clock& clock)
      : client_(client), caches_(caches), writer_(client, clock) {}

  Status write(const api::FailoverPolicy& policy, const Route& route, const std::stop_token& stop);
  // Others' objects that were found where the policy wants its own.
  std::vector<KnownForeign> foreign(const api::FailoverPolicy& policy) const;
  RefusedObjects refused(const api::FailoverPolicy& policy) const;
  // Of what a look had no reason to write nothing is refused any more. Whether anything was till now.
  bool forget_all_but(const api::FailoverPolicy& policy, const std::vector<Route>& written);

 private:
  bool worth_trying(const api::FailoverPolicy& policy, const Route& route) const;
  Status service(const api::FailoverPolicy& policy, Json wanted, const std::string& to, const std::stop_token& stop);
  // Where the Service as a whole is refused, for its type or by whatever rule of its namespace.
  Status turn_alone(const api::FailoverPolicy& policy, const ServiceFacts& there, const Json& wanted,
                    const std::string& to, const std::stop_token& stop);
  void note(const std::string& ns, const Foreign& object, const Status& written);
  Status config_map(const api::FailoverPolicy& policy, const Json& wanted, const std::string& to,
                    const std::stop_token& stop);

  kube::Client& client_;
  FailoverCaches& caches_;
  ObjectWriter writer_;
  mutable Mutex mutex_;
  std::map<std::string, RefusedObjects> refused_ GUARDED_BY(mutex_);  // by namespace
};

}  // namespace twinspan::controllers
