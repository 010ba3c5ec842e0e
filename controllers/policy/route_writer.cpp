#include "controllers/policy/route_writer.hpp"

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
  const Foreign object{text_of(route.object, "kind"), text_of(member_of(route.object, "metadata"), "name")};
  for (const KnownForeign& known : foreign(policy))
    if (known.what == object) return known.due;
  return !route.only_due;
}

Status RouteWriter::write(const api::FailoverPolicy& policy, const Route& route, const std::stop_token& stop) {
  if (!worth_trying(policy, route)) return {};
  return text_of(route.object, "kind") == kube::kServices.kind ? service(policy, route.object, route.to, stop)
                                                               : config_map(policy, route.object, route.to, stop);
}

Status RouteWriter::service(const api::FailoverPolicy& policy, Json wanted, const std::string& to,
                            const std::stop_token& stop) {
  const kube::Key key{policy.metadata.ns, text_of(wanted["metadata"], "name")};
  const auto there = caches_.service(key);
  // Of what kind a person's Service is, stays theirs as far as it can.
  const bool alias = text_of(wanted["spec"], "type") == "ExternalName";
  if (there && !alias && there->type != "ExternalName" && whose(*there, claimant(policy)) == Whose::kHandedOver)
    wanted["spec"].erase("type");
  auto written = writer_.apply(kube::kServices, wanted, claimant(policy), there ? &*there : nullptr, stop);
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
