#include "controllers/postgres/routing.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

Json render(const api::FailoverPolicy& policy, const api::PolicyService& service, Json selector,
            bool publish_not_ready) {
  Json object = {
      {"apiVersion", "v1"},
      {"kind", "Service"},
      {"metadata", render_route_meta(policy, service.name)},
      {"spec",
       {{"type", "ClusterIP"},
        {"selector", std::move(selector)},
        {"publishNotReadyAddresses", publish_not_ready},
        {"ports",
         Json::array({{{"name", "postgres"}, {"port", service.port}, {"targetPort", 5432}, {"protocol", "TCP"}}})}}}};
  add_template(object, service);
  return object;
}

}  // namespace

Json render_primary_service(const api::FailoverPolicy& policy, const api::PolicyService& service,
                            const std::string& to) {
  return render(policy, service,
                {{std::string(kLinkLabel), policy.spec.link_ref.name},
                 {std::string(kEndpointLabel), to.empty() ? std::string(kNobody) : to}},
                true);
}

Json render_replicas_service(const api::FailoverPolicy& policy, const api::PolicyService& service) {
  return render(policy, service,
                {{std::string(kLinkLabel), policy.spec.link_ref.name}, {std::string(kReadsLabel), "true"}}, false);
}

std::optional<std::string> points_to(const ServiceFacts& service, const std::string& link) {
  const auto by_link = service.selector.find(std::string(kLinkLabel));
  const auto by_endpoint = service.selector.find(std::string(kEndpointLabel));
  if (service.selector.size() != 2 || by_link == service.selector.end() || by_endpoint == service.selector.end() ||
      by_link->second != link || !service.publishes_not_ready)
    return std::nullopt;
  return by_endpoint->second == kNobody ? "" : by_endpoint->second;
}

RoutingSeen read_routing(const api::FailoverPolicy& policy, const std::map<std::string, ServiceFacts>& services,
                         const std::map<std::string, std::vector<SliceFacts>>& slices, const std::string& pod,
                         const std::vector<KnownForeign>& known, const RefusedObjects& refused) {
  RoutingSeen seen;
  std::optional<std::string> common;
  bool agree = true;
  seen.endpoints_ready = true;
  for (const api::PolicyService& wanted : policy.spec.services) {
    api::PolicyServiceStatus& status = seen.services.emplace_back();
    status.name = wanted.name;
    status.selects = wanted.selects;
    const auto service = services.find(wanted.name);
    if (const Foreign one{"Service", wanted.name};
        is_foreign(policy, service == services.end() ? nullptr : &service->second, one, known)) {
      seen.foreign.push_back(one);
      continue;
    }
    std::vector<std::string> pods;
    if (const auto found = slices.find(wanted.name); found != slices.end())
      for (const SliceFacts& slice : found->second) pods.insert(pods.end(), slice.pods.begin(), slice.pods.end());
    if (wanted.selects != api::Selects::kPrimary) {
      status.ready = service != services.end() && !pods.empty();
      continue;
    }
    const bool taken = !refused.contains({"Service", wanted.name});
    if (!taken && service == services.end()) continue;
    seen.any = true;
    const auto to = service == services.end() ? std::nullopt : points_to(service->second, policy.spec.link_ref.name);
    // What an earlier policy left has to be written, too: its owner is gone.
    if (!to || (taken && !service->second.has_port(wanted.port)) ||
        whose(service->second, claimant(policy)) == Whose::kPredecessors) {
      agree = false;
      seen.endpoints_ready = false;
      continue;
    }
    if (!to->empty()) status.endpoint = *to;
    status.ready = pods == std::vector{pod};
    seen.endpoints_ready &= status.ready;
    if (common && *common != *to) agree = false;
    common = to;
  }
  if (seen.any && agree) {
    seen.routing = common->empty() ? Routing::kWithdrawn : Routing::kTo;
    seen.routed_to = *common;
  }
  return seen;
}

std::optional<bool> may_be_read(const MemberSeen& member, const std::optional<double>& bound) {
  if (member.failures > 0) return false;
  if (!member.report || member.silent_for >= kReportTrusted) return std::nullopt;
  const MemberReport& report = *member.report;
  return report.role == Role::kReplica && report.accepts_reads &&
         (!bound || (report.lag_seconds && *report.lag_seconds <= *bound));
}

bool readers_may_change(bool primary_moves, std::chrono::milliseconds step_for) {
  return !primary_moves || step_for >= std::chrono::seconds(5);
}

}  // namespace twinspan::controllers
