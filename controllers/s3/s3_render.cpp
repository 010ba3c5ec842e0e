#include "controllers/s3/s3_render.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "controllers/cluster/names.hpp"
#include "controllers/link/render_set.hpp"

namespace twinspan::controllers {
namespace {

template <class Each>
void for_each_endpoint(const api::ReplicationLink& link, Each each) {
  each(link.spec.source);
  for (const api::Endpoint& target : link.spec.targets) each(target);
}

Json sources_of(const api::ReplicationLink& link) {
  Json sources = Json::array();
  for_each_endpoint(link, [&](const api::Endpoint& endpoint) {
    const api::S3Endpoint& s3 = *endpoint.s3;
    if (s3.credentials_secret_ref)
      sources.push_back(projected_secret(s3.credentials_secret_ref->name, endpoint.name + "/credentials",
                                         {"accessKeyId", "secretAccessKey", "sessionToken", "AWS_ACCESS_KEY_ID",
                                          "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}));
    if (s3.ca_secret_ref)
      sources.push_back(projected_secret(s3.ca_secret_ref->name, endpoint.name + "/ca", {"ca.crt"}));
  });
  if (const auto& encryption = link.spec.s3.client_encryption) {
    Json source = projected_secret(encryption->key_secret_ref.name, "client_encryption", {});
    source["secret"]["items"].push_back({{"key", encryption->key_secret_ref.key}, {"path", "client_encryption/key"}});
    sources.push_back(std::move(source));
  }
  return sources;
}

}  // namespace

Json render_s3_set(const api::ReplicationLink& link, const RenderConfig& config) {
  const api::S3Settings& settings = link.spec.s3;
  return render_worker_set(link,
                           {.name = s3_set_name(link.metadata.name),
                            .member = std::string(kS3Member),
                            .program = "twinspan-s3-worker",
                            .image = settings.image.value_or(config.s3_worker_image),
                            .replicas = settings.workers,
                            .folder = "s3",  // ENDPOINT/credentials, ENDPOINT/ca
                            .secrets = sources_of(link),
                            .resources = settings.resources,
                            .placement = {settings.node_selector, settings.affinity, settings.tolerations,
                                          settings.topology_spread_constraints}},
                           config);
}

Json render_s3_role(const api::ReplicationLink& link, size_t shares) {
  std::vector<std::string> leases;
  for (size_t share = 0; share < shares; ++share)
    leases.push_back(s3_lease_name(link.metadata.name, static_cast<int64_t>(share)));
  Json role = render_role(link, leases);
  if (shares == 1 && !link.status.division) return role;
  role["rules"].push_back(
      {{"apiGroups", {"coordination.k8s.io"}}, {"resources", {"leases"}}, {"verbs", {"get", "list", "watch"}}});
  annotate_hash(role);
  return role;
}

Json render_s3_network_policy(const api::ReplicationLink& link, const NetworkRules& rules) {
  std::set<int64_t> ports;
  for_each_endpoint(link, [&](const api::Endpoint& endpoint) {
    ports.insert(port_of(endpoint.s3->endpoint));
    if (!endpoint.s3->credentials_secret_ref) ports.insert(80);  // the instance's metadata service gives them
  });
  return render_network_policy(link, rules, Clients::kNone, ports);
}

}  // namespace twinspan::controllers
