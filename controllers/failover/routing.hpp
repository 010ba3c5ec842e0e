// The Services of a policy: what they should look like, where they point, and whether their EndpointSlices agree. Pure.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/cluster/kinds.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/decide.hpp"

namespace twinspan::controllers {

// What the cache keeps of a Service.
struct ServiceFacts {
  std::string link;  // by label
  std::map<std::string, std::string> selector;
  bool publishes_not_ready = false;
  int64_t port = 0;
  std::string type{}, external_name{};
};
Result<ServiceFacts> decode_service(const Json& json);

// What the cache keeps of an EndpointSlice.
struct SliceFacts {
  std::string link;  // by label, which slices have from their Service
  std::string service;
  std::vector<std::string> pods;  // names of the pods that receive traffic
};
Result<SliceFacts> decode_slice(const Json& json);

// The endpoint label that no pod carries: what a withdrawn Service selects.
inline constexpr std::string_view kNobody = "twinspan-none";

// `to` empty: withdrawn. Server-side apply of it is the flip: one change.
Json render_primary_service(const api::FailoverPolicy& policy, const api::PolicyService& service,
                            const std::string& to);
Json render_replicas_service(const api::FailoverPolicy& policy, const api::PolicyService& service);

// Where a Primary Service points. nullopt: it does not select by our labels alone.
std::optional<std::string> points_to(const ServiceFacts& service, const std::string& link);

struct RoutingSeen {
  Routing routing = Routing::kUnknown;
  std::string routed_to;
  bool endpoints_ready = false;
  std::vector<api::PolicyServiceStatus> services;
};

// `services` and `slices`: those of the policy's Services, by name; absent: not there. `pod`: the primary's.
RoutingSeen read_routing(const api::FailoverPolicy& policy, const std::map<std::string, ServiceFacts>& services,
                         const std::map<std::string, std::vector<SliceFacts>>& slices, const std::string& pod);

// Whether the Replicas Services may change now. kube-proxy carries out a change at once, and one that follows it up to
// a second later: while the primary moves, nothing may come shortly before the flip. A change that is stuck doesn't
// keep a replica that lags behind a Service for ever.
bool readers_may_change(bool primary_moves, std::chrono::milliseconds step_for);

}  // namespace twinspan::controllers
