// The Services of a PostgreSQL link's policy: what they should look like, where they point, and whether their
// EndpointSlices agree. Pure.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/policy/route_facts.hpp"
#include "core/json.hpp"
#include "failover/log/decide.hpp"

namespace twinspan::controllers {

inline constexpr std::chrono::milliseconds kReportTrusted{2000};  // older reports are not acted upon

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
  bool any = false;                // there are Services to point at the primary, which nobody else has
  std::vector<Foreign> foreign{};  // somebody else's, left alone
};

// `services` and `slices`: those of the policy's Services, by name; absent: not there. `pod`: the primary's.
// `known`: what no cache has, and is somebody else's.
RoutingSeen read_routing(const api::FailoverPolicy& policy, const std::map<std::string, ServiceFacts>& services,
                         const std::map<std::string, std::vector<SliceFacts>>& slices, const std::string& pod,
                         const std::vector<KnownForeign>& known = {}, const RefusedObjects& refused = {});

// Whether clients may read from a member, whose replay lag may be `bound` seconds. nullopt: this operator has not asked
// it lately, which says nothing of the member, and changes nothing. A lag that is not known is no lag within a bound.
std::optional<bool> may_be_read(const MemberSeen& member, const std::optional<double>& bound);

// Whether the Replicas Services may change now. kube-proxy carries out a change at once, and one that follows it up to
// a second later: while the primary moves, nothing may come shortly before the flip. A change that is stuck doesn't
// keep a replica that lags behind a Service for ever.
bool readers_may_change(bool primary_moves, std::chrono::milliseconds step_for);

}  // namespace twinspan::controllers
