// How clients of an S3 link are told where the primary is: Services (aliases of a host, or selectors of gateway pods)
// and ConfigMaps. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "api/types.hpp"
#include "controllers/policy/route_facts.hpp"
#include "failover/mode.hpp"

namespace twinspan::controllers {

// `to` empty: withdrawn. Server-side apply of it is the flip: one change for each object.
Json render_bucket_service(const api::FailoverPolicy& policy, const api::PolicyService& service, const std::string& to);
Json render_bucket_config_map(const api::FailoverPolicy& policy, const api::PolicyConfigMap& map,
                              const api::ReplicationLink& link, const std::string& to);

struct BucketRoutingSeen {
  Routing routing = Routing::kUnknown;  // kTo or kWithdrawn: everything the policy names says the same
  std::string routed_to;
  std::vector<api::PolicyServiceStatus> services;
  std::vector<api::PolicyConfigMapStatus> config_maps;
  bool any = false;                // there is something to point at the primary, which nobody else has
  std::vector<Foreign> foreign{};  // somebody else's, left alone
};

// `services` and `maps`: those the policy names, by name; absent: not there. `known`, `refused`: as
// read_routing's.
BucketRoutingSeen read_bucket_routing(const api::FailoverPolicy& policy, const api::ReplicationLink& link,
                                      const std::map<std::string, ServiceFacts>& services,
                                      const std::map<std::string, ConfigMapFacts>& maps,
                                      const std::vector<KnownForeign>& known = {}, const RefusedObjects& refused = {});

}  // namespace twinspan::controllers
