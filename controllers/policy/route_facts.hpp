// What the caches keep of the objects that tell clients where to go. Pure.
#pragma once
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/cluster/foreign_objects.hpp"
#include "controllers/cluster/kinds.hpp"
#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::controllers {

struct ServiceFacts : Owned {
  std::map<std::string, std::string> selector;
  bool publishes_not_ready = false;
  std::vector<int64_t> ports;
  std::string type, external_name;
  std::string template_hash;  // kTemplateAnnotation
  bool has_port(int64_t port) const { return std::find(ports.begin(), ports.end(), port) != ports.end(); }
};
Result<ServiceFacts> decode_service(const Json& json);

struct SliceFacts {  // of an EndpointSlice
  std::string link;  // by label, which slices have from their Service
  std::string service;
  std::vector<std::string> pods;  // names of the pods that receive traffic
};
Result<SliceFacts> decode_slice(const Json& json);

struct ConfigMapFacts : Owned {
  std::map<std::string, std::string> data;
};
Result<ConfigMapFacts> decode_config_map(const Json& json);

// The endpoint label that no pod carries: what a withdrawn Service selects.
inline constexpr std::string_view kNobody = "twinspan-none";

// metadata of what a policy names for its clients, which goes with the policy.
Json render_route_meta(const api::FailoverPolicy& policy, const std::string& name);

// What the policy's template of a Service adds to it: below what is ours already.
void add_template(Json& object, const api::PolicyService& service);
// Whether it has been added, and nothing else is left of an earlier one. By the hash alone: what others make of it
// afterwards is never fought over, and comes back with the next change.
bool has_template(const ServiceFacts& there, const api::PolicyService& service);

// What Kubernetes did not take of what the policy names, when it was written last, and its words. One that is not there
// leads nobody anywhere, and keeps no other waiting; one that is there counts by where it points alone.
using RefusedObjects = std::map<Foreign, std::string>;

// Whether an object that the policy names is somebody else's, by what the cache has of it (nullptr: nothing).
bool is_foreign(const api::FailoverPolicy& policy, const Owned* there, const Foreign& object,
                const std::vector<KnownForeign>& known);

}  // namespace twinspan::controllers
