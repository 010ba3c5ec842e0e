#include "controllers/policy/route_writer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {
namespace {

void tell(const api::FailoverPolicy& policy, const char* kind, const std::string& name, const std::string& to) {
  log::info("clients are pointed", {{"link", policy.spec.link_ref.name},
                                    {"namespace", policy.metadata.ns},
                                    {kind, name},
                                    {"endpoint", to.empty() ? std::string("nobody") : to}});
}

// Keys of somebody else's in the selector would keep the Service from ever matching.
Json others_keys(const Json& written, const Json& wanted) {
  Json others = Json::object();
  if (const Json& selector = member_of(member_of(written, "spec"), "selector"); selector.is_object())
    for (const auto& [key, value] : selector.items())
      if (!member_of(wanted.at("spec"), "selector").contains(key)) others[key] = nullptr;
  return others;
}

Foreign object_of(const Route& route) {
  return {text_of(route.object, "kind"), text_of(member_of(route.object, "metadata"), "name")};
}

std::vector<Foreign> objects_of(const api::FailoverPolicy& policy) {
  std::vector<Foreign> out;
  for (const api::PolicyService& one : policy.spec.services)
    out.push_back({std::string(kube::kServices.kind), one.name});
  for (const api::PolicyConfigMap& one : policy.spec.config_maps)
    out.push_back({std::string(kube::kConfigMaps.kind), one.name});
  return out;
}

// A namespace that is going takes what was to be written with it.
Status unless_gone(const Error& error) {
  if (error.code == Code::kNotFound) return {};
  return std::unexpected(error);
}

}  // namespace

std::vector<KnownForeign> RouteWriter::foreign(const api::FailoverPolicy& policy) const {
  return writer_.foreign().of(key_of(policy.metadata));
}

bool RouteWriter::worth_trying(const api::FailoverPolicy& policy, const Route& route) const {
  const Foreign object = object_of(route);
  for (const KnownForeign& known : foreign(policy))
    if (known.what == object) return known.due;
  return !route.only_due;
}

Status RouteWriter::write(const api::FailoverPolicy& policy, const Route& route, const std::stop_token& stop) {
  if (!worth_trying(policy, route)) return {};
  const Foreign object = object_of(route);
  const Status written = object.kind == kube::kServices.kind ? service(policy, route.object, route.to, stop)
                                                             : config_map(policy, route.object, route.to, stop);
  note(policy.metadata.ns, object, written);
  return written;
}

void RouteWriter::note(const std::string& ns, const Foreign& object, const Status& written) {
  MutexLock lock(mutex_);
  if (!written && is_refusal(written.error()))
    refused_[ns][object] = written.error().message;
  else if (written)
    refused_[ns].erase(object);
}

RefusedObjects RouteWriter::refused(const api::FailoverPolicy& policy) const {
  RefusedObjects out;
  MutexLock lock(mutex_);
  const auto here = refused_.find(policy.metadata.ns);
  if (here == refused_.end()) return out;
  for (const Foreign& object : objects_of(policy))
    if (const auto found = here->second.find(object); found != here->second.end()) out.insert(*found);
  return out;
}

bool RouteWriter::forget_all_but(const api::FailoverPolicy& policy, const std::vector<Route>& written) {
  bool any = false;
  MutexLock lock(mutex_);
  for (const Foreign& object : objects_of(policy))
    if (std::ranges::find(written, object, object_of) == written.end())
      any |= refused_[policy.metadata.ns].erase(object) > 0;
  return any;
}

Status RouteWriter::service(const api::FailoverPolicy& policy, Json wanted, const std::string& to,
                            const std::stop_token& stop) {
  const kube::Key key{policy.metadata.ns, text_of(wanted["metadata"], "name")};
  const auto there = caches_.service(key);
  // Of what kind a person's Service is, stays theirs as far as it can.
  const bool plain = text_of(wanted["spec"], "type") == "ClusterIP";
  if (there && plain && there->type != "ExternalName" && whose(*there, claimant(policy)) == Whose::kHandedOver)
    wanted["spec"].erase("type");
  auto written = writer_.apply(kube::kServices, wanted, claimant(policy), there ? &*there : nullptr, stop);
  if (!written && there && is_refusal(written.error()))
    if (const Status turned = turn_alone(policy, *there, wanted, to, stop); !turned) return turned;
  if (!written) return unless_gone(written.error());
  if (!*written) return {};
  if (Json others = others_keys(**written, wanted); !others.empty()) {
    auto cleared = client_.merge_patch(kube::kServices, key, {{"spec", {{"selector", std::move(others)}}}},
                                       kube::Subresource::kNone, stop);
    if (!cleared) return unless_gone(cleared.error());
    *written = std::move(*cleared);
  }
  caches_.wrote_service(**written);
  tell(policy, "service", key.name, to);
  return {};
}

// Whatever else is refused, clients follow the primary.
Status RouteWriter::turn_alone(const api::FailoverPolicy& policy, const ServiceFacts& there, const Json& wanted,
                               const std::string& to, const std::stop_token& stop) {
  const Whose its = whose(there, claimant(policy));
  if (its != Whose::kOurs && its != Whose::kHandedOver) return {};
  Json spec = Json::object();
  if (Json selector = member_of(wanted.at("spec"), "selector"); selector.is_object()) {
    if (selector == Json(there.selector)) return {};
    for (const auto& [key, value] : there.selector)
      if (!selector.contains(key)) selector[key] = nullptr;
    spec["selector"] = std::move(selector);
    if (wanted["spec"].contains("publishNotReadyAddresses"))
      spec["publishNotReadyAddresses"] = wanted["spec"]["publishNotReadyAddresses"];
  } else {
    const std::string name = text_of(wanted.at("spec"), "externalName");
    if (there.type != "ExternalName" || name.empty() || name == there.external_name) return {};
    spec["externalName"] = name;
  }
  const kube::Key key{policy.metadata.ns, text_of(wanted.at("metadata"), "name")};
  const auto turned =
      client_.merge_patch(kube::kServices, key, {{"metadata", {{"uid", there.uid}}}, {"spec", std::move(spec)}},
                          kube::Subresource::kNone, stop);
  if (!turned) return unless_gone(turned.error());
  caches_.wrote_service(*turned);
  tell(policy, "service", key.name, to);
  return {};
}

Status RouteWriter::config_map(const api::FailoverPolicy& policy, const Json& wanted, const std::string& to,
                               const std::stop_token& stop) {
  const std::string name = text_of(wanted.at("metadata"), "name");
  const auto there = caches_.config_map({policy.metadata.ns, name});
  auto written = writer_.apply(kube::kConfigMaps, wanted, claimant(policy), there ? &*there : nullptr, stop);
  if (!written) return unless_gone(written.error());
  if (!*written) return {};
  caches_.wrote_config_map(**written);
  tell(policy, "config_map", name, to);
  return {};
}

}  // namespace twinspan::controllers
