// Writes what a policy names for its clients, Services and ConfigMaps, where it is not somebody else's. Any thread.
#pragma once
#include <stop_token>
#include <string>

#include "controllers/cluster/object_writer.hpp"
#include "controllers/policy/failover_caches.hpp"
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

 private:
  bool worth_trying(const api::FailoverPolicy& policy, const Route& route) const;
  Status service(const api::FailoverPolicy& policy, Json wanted, const std::string& to, const std::stop_token& stop);
  Status config_map(const api::FailoverPolicy& policy, const Json& wanted, const std::string& to,
                    const std::stop_token& stop);

  kube::Client& client_;
  FailoverCaches& caches_;
  ObjectWriter writer_;
};

}  // namespace twinspan::controllers
