#include "controllers/failover/routing.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

Json render(const api::FailoverPolicy& policy, const api::PolicyService& service, Json selector,
            bool publish_not_ready) {
  const api::ObjectMeta& meta = policy.metadata;
  return {
      {"apiVersion", "v1"},
      {"kind", "Service"},
      {"metadata",
       {{"name", service.name},
        {"namespace", meta.ns},
        {"labels",
         {{std::string(kManagedByLabel), std::string(kManagedBy)},
          {std::string(kLinkLabel), policy.spec.link_ref.name}}},
        {"ownerReferences", Json::array({{{"apiVersion", "twinspan.dev/v1alpha1"},
                                          {"kind", "FailoverPolicy"},
                                          {"name", meta.name},
                                          {"uid", meta.uid},
                                          {"controller", true},
                                          {"blockOwnerDeletion", true}}})}}},
      {"spec",
       {{"type", "ClusterIP"},
        {"selector", std::move(selector)},
        {"publishNotReadyAddresses", publish_not_ready},
        {"ports",
         Json::array({{{"name", "postgres"}, {"port", service.port}, {"targetPort", 5432}, {"protocol", "TCP"}}})}}}};
}

}  // namespace

namespace {

std::string label(const Json& json, std::string_view name) {
  const auto labels = json.at("metadata").find("labels");
  return labels == json.at("metadata").end() ? "" : labels->value(std::string(name), "");
}

}  // namespace

Result<ServiceFacts> decode_service(const Json& json) try {
  ServiceFacts facts;
  facts.link = label(json, kLinkLabel);
  const Json& spec = json.at("spec");
  if (const auto selector = spec.find("selector"); selector != spec.end() && selector->is_object())
    selector->get_to(facts.selector);
  facts.publishes_not_ready = spec.value("publishNotReadyAddresses", false);
  facts.type = text_of(spec, "type");
  facts.external_name = text_of(spec, "externalName");
  if (const auto ports = spec.find("ports"); ports != spec.end() && !ports->empty())
    facts.port = ports->front().value("port", 0);
  return facts;
} catch (const std::exception& wrong) {
  return fail(Code::kInvalid, fmt::format("Service: {}", wrong.what()));
}

Result<SliceFacts> decode_slice(const Json& json) try {
  SliceFacts facts;
  facts.link = label(json, kLinkLabel);
  facts.service = label(json, "kubernetes.io/service-name");
  const auto endpoints = json.find("endpoints");
  if (endpoints == json.end() || !endpoints->is_array()) return facts;
  for (const Json& endpoint : *endpoints) {
    // Where a Service publishes addresses that are not ready, they are shown as ready here; kube-proxy goes by that.
    const Json conditions = endpoint.value("conditions", Json::object());
    const auto ready = conditions.find("ready");
    if (ready != conditions.end() && ready->is_boolean() && !ready->get<bool>()) continue;
    const auto target = endpoint.find("targetRef");
    if (target != endpoint.end()) facts.pods.push_back(target->value("name", ""));
  }
  return facts;
} catch (const std::exception& wrong) {
  return fail(Code::kInvalid, fmt::format("EndpointSlice: {}", wrong.what()));
}

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
                         const std::map<std::string, std::vector<SliceFacts>>& slices, const std::string& pod) {
  RoutingSeen seen;
  std::optional<std::string> common;
  bool agree = true, any = false;
  seen.endpoints_ready = true;
  for (const api::PolicyService& wanted : policy.spec.services) {
    api::PolicyServiceStatus& status = seen.services.emplace_back();
    status.name = wanted.name;
    status.selects = wanted.selects;
    const auto service = services.find(wanted.name);
    std::vector<std::string> pods;
    if (const auto found = slices.find(wanted.name); found != slices.end())
      for (const SliceFacts& slice : found->second) pods.insert(pods.end(), slice.pods.begin(), slice.pods.end());
    if (wanted.selects != api::Selects::kPrimary) {
      status.ready = service != services.end() && !pods.empty();
      continue;
    }
    any = true;
    const auto to = service == services.end() ? std::nullopt : points_to(service->second, policy.spec.link_ref.name);
    if (!to || service->second.port != wanted.port) {
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
  if (any && agree) {
    seen.routing = common->empty() ? Routing::kWithdrawn : Routing::kTo;
    seen.routed_to = *common;
  }
  return seen;
}

bool readers_may_change(bool primary_moves, std::chrono::milliseconds step_for) {
  return !primary_moves || step_for >= std::chrono::seconds(5);
}

}  // namespace twinspan::controllers
