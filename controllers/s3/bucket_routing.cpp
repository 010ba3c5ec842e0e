#include "controllers/s3/bucket_routing.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/endpoints.hpp"
#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

constexpr const char* kNowhere = "twinspan-none.invalid";  // RFC 6761: no host has such a name

std::string host(const api::PolicyService& service, const std::string& to) {
  const auto found = service.external_names.find(to);
  return found == service.external_names.end() ? kNowhere : found->second;
}

std::map<std::string, std::string> selector(const api::PolicyService& service, const std::string& to) {
  const auto found = service.selectors.find(to);
  if (found != service.selectors.end()) return found->second;
  return {{std::string(kEndpointLabel), std::string(kNobody)}};
}

std::map<std::string, std::string> data(const api::ReplicationLink& link, const std::string& to) {
  std::map<std::string, std::string> out;
  for (const char* key :
       {"primary", "endpoint", "region", "bucket", "prefix", "pathStyle", "credentialsSecret", "caSecret"})
    out[key] = "";
  const api::Endpoint* named = api::find_endpoint(link.spec, to);
  if (!named || !named->s3) return out;
  const api::S3Endpoint& s3 = *named->s3;
  out["primary"] = to;
  out["endpoint"] = s3.endpoint;
  out["region"] = s3.region;
  out["bucket"] = s3.bucket;
  out["prefix"] = s3.prefix;
  out["pathStyle"] = s3.path_style ? "true" : "false";
  if (s3.credentials_secret_ref) out["credentialsSecret"] = s3.credentials_secret_ref->name;
  if (s3.ca_secret_ref) out["caSecret"] = s3.ca_secret_ref->name;
  return out;
}

// `taken`: Kubernetes did not refuse the rest of it.
bool says(const ServiceFacts& facts, const api::PolicyService& service, const std::string& to, bool taken) {
  if (!service.external_names.empty()) return facts.type == "ExternalName" && facts.external_name == host(service, to);
  return facts.type != "ExternalName" && (!taken || facts.has_port(service.port)) &&
         facts.selector == selector(service, to);
}

// Keys of somebody else's in it are theirs.
bool says(const ConfigMapFacts& facts, const api::ReplicationLink& link, const std::string& to) {
  for (const auto& [key, value] : data(link, to)) {
    const auto found = facts.data.find(key);
    if (found == facts.data.end() || found->second != value) return false;
  }
  return true;
}

}  // namespace

Json render_bucket_service(const api::FailoverPolicy& policy, const api::PolicyService& service,
                           const std::string& to) {
  Json object = {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", render_route_meta(policy, service.name)}};
  if (!service.external_names.empty())
    object["spec"] = {{"type", "ExternalName"}, {"externalName", host(service, to)}};
  else
    object["spec"] = {
        {"type", "ClusterIP"},
        {"selector", selector(service, to)},
        {"ports",
         Json::array({{{"name", "s3"}, {"port", service.port}, {"targetPort", service.port}, {"protocol", "TCP"}}})}};
  add_template(object, service);
  return object;
}

Json render_bucket_config_map(const api::FailoverPolicy& policy, const api::PolicyConfigMap& map,
                              const api::ReplicationLink& link, const std::string& to) {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", render_route_meta(policy, map.name)},
          {"data", data(link, to)}};
}

BucketRoutingSeen read_bucket_routing(const api::FailoverPolicy& policy, const api::ReplicationLink& link,
                                      const std::map<std::string, ServiceFacts>& services,
                                      const std::map<std::string, ConfigMapFacts>& maps,
                                      const std::vector<KnownForeign>& known, const RefusedObjects& refused) {
  std::vector<std::string> places{"", link.spec.source.name};
  for (const api::Endpoint& target : link.spec.targets) places.push_back(target.name);
  BucketRoutingSeen seen;
  std::optional<std::string> common;
  bool agree = true;
  // Where one object points: nullopt: it is not there, or as nobody of us wrote it.
  const auto note = [&](const auto& names_place) {
    std::optional<std::string> found;
    for (const std::string& place : places)
      if (!found && names_place(place)) found = place;
    if (!found || (common && *common != *found)) agree = false;
    if (!common) common = found;
    return found;
  };
  // Somebody else's, or refused before it was ever there: it leads nobody anywhere.
  const auto left_out = [&](const Foreign& object, const Owned* there) {
    const bool foreign = is_foreign(policy, there, object, known);
    if (foreign) seen.foreign.push_back(object);
    const bool out = foreign || (!there && refused.contains(object));
    seen.any = seen.any || !out;
    return out;
  };
  // What an earlier policy left has to be written, too: its owner is gone.
  const auto settled = [&](const Owned& there) { return whose(there, claimant(policy)) != Whose::kPredecessors; };
  for (const api::PolicyService& wanted : policy.spec.services) {
    const auto found = services.find(wanted.name);
    const ServiceFacts* facts = found == services.end() ? nullptr : &found->second;
    std::optional<std::string> place;
    const Foreign object{"Service", wanted.name};
    const bool taken = !refused.contains(object);
    if (!left_out(object, facts))
      place =
          note([&](const std::string& name) { return facts && settled(*facts) && says(*facts, wanted, name, taken); });
    api::PolicyServiceStatus& status = seen.services.emplace_back();
    status.name = wanted.name;
    status.selects = wanted.selects;
    status.ready = place && !place->empty();
    if (status.ready) status.endpoint = *place;
  }
  for (const api::PolicyConfigMap& wanted : policy.spec.config_maps) {
    const auto found = maps.find(wanted.name);
    const ConfigMapFacts* facts = found == maps.end() ? nullptr : &found->second;
    std::optional<std::string> place;
    if (!left_out({"ConfigMap", wanted.name}, facts))
      place = note([&](const std::string& name) { return facts && settled(*facts) && says(*facts, link, name); });
    api::PolicyConfigMapStatus& status = seen.config_maps.emplace_back();
    status.name = wanted.name;
    status.ready = place && !place->empty();
    if (status.ready) status.endpoint = *place;
  }
  if (!agree || !common) return seen;
  seen.routing = common->empty() ? Routing::kWithdrawn : Routing::kTo;
  seen.routed_to = *common;
  return seen;
}

}  // namespace twinspan::controllers
