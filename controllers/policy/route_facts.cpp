#include "controllers/policy/route_facts.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

std::string label(const Json& json, std::string_view name) {
  const auto labels = json.at("metadata").find("labels");
  return labels == json.at("metadata").end() ? "" : labels->value(std::string(name), "");
}

std::string hash_of(const api::ServiceTemplate& added) { return stable_hash(api::to_json(added).dump()); }

}  // namespace

Result<ServiceFacts> decode_service(const Json& json) try {
  ServiceFacts facts;
  read_meta(json, facts);
  const Json& spec = json.at("spec");
  if (const auto selector = spec.find("selector"); selector != spec.end() && selector->is_object())
    selector->get_to(facts.selector);
  facts.publishes_not_ready = spec.value("publishNotReadyAddresses", false);
  facts.type = text_of(spec, "type");
  facts.external_name = text_of(spec, "externalName");
  facts.template_hash = text_of(member_of(json.at("metadata"), "annotations"), kTemplateAnnotation);
  for (const Json& port : member_of(spec, "ports")) facts.ports.push_back(integer_of(port, "port"));
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

Result<ConfigMapFacts> decode_config_map(const Json& json) {
  ConfigMapFacts facts;
  read_meta(json, facts);
  if (const Json& stored = member_of(json, "data"); stored.is_object())
    for (const auto& [key, value] : stored.items())
      if (value.is_string()) facts.data[key] = value.get<std::string>();
  return facts;
}

Json render_route_meta(const api::FailoverPolicy& policy, const std::string& name) {
  return {
      {"name", name},
      {"namespace", policy.metadata.ns},
      {"labels",
       {{std::string(kManagedByLabel), std::string(kManagedBy)}, {std::string(kLinkLabel), policy.spec.link_ref.name}}},
      {"ownerReferences", Json::array({{{"apiVersion", std::string(api::FailoverPolicy::kApiVersion)},
                                        {"kind", std::string(api::FailoverPolicy::kKind)},
                                        {"name", policy.metadata.name},
                                        {"uid", policy.metadata.uid},
                                        {"controller", true},
                                        {"blockOwnerDeletion", true}}})}};
}

void add_template(Json& object, const api::PolicyService& service) {
  if (!service.template_) return;
  const api::ServiceTemplate& added = *service.template_;
  Json &meta = object["metadata"], &spec = object["spec"];
  for (const auto& [key, value] : added.labels) meta["labels"].emplace(key, value);
  for (const auto& [key, value] : added.annotations) meta["annotations"].emplace(key, value);
  meta["annotations"][std::string(kTemplateAnnotation)] = hash_of(added);
  spec["type"] = to_string(added.type);
  if (added.load_balancer_class) spec["loadBalancerClass"] = *added.load_balancer_class;
  if (!added.load_balancer_source_ranges.empty()) spec["loadBalancerSourceRanges"] = added.load_balancer_source_ranges;
  if (added.external_traffic_policy) spec["externalTrafficPolicy"] = to_string(*added.external_traffic_policy);
}

bool has_template(const ServiceFacts& there, const api::PolicyService& service) {
  return there.template_hash == (service.template_ ? hash_of(*service.template_) : "");
}

bool is_foreign(const api::FailoverPolicy& policy, const Owned* there, const Foreign& object,
                const std::vector<KnownForeign>& known) {
  if (there) return !may_be_written(whose(*there, claimant(policy)), object.kind);
  return std::any_of(known.begin(), known.end(), [&](const KnownForeign& one) { return one.what == object; });
}

}  // namespace twinspan::controllers
