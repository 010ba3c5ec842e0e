#include "controllers/kafka/kafka_render.hpp"

#include <nlohmann/json.hpp>
#include <set>

#include "api/endpoints.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/render_set.hpp"

namespace twinspan::controllers {
namespace {

Json sources_of(const api::ReplicationLink& link) {
  Json sources = Json::array();
  for (const auto& [endpoint, field] : api::endpoint_places(link)) {
    const api::KafkaEndpoint& kafka = *endpoint->kafka;
    if (kafka.tls && kafka.tls->ca_secret_ref)
      sources.push_back(projected_secret(kafka.tls->ca_secret_ref->name, endpoint->name + "/ca", {"ca.crt"}));
    if (kafka.tls && kafka.tls->secret_ref)
      sources.push_back(projected_secret(kafka.tls->secret_ref->name, endpoint->name + "/tls", {"tls.crt", "tls.key"}));
    if (kafka.sasl)
      sources.push_back(
          projected_secret(kafka.sasl->secret_ref.name, endpoint->name + "/sasl", {"username", "password"}));
  }
  return sources;
}

}  // namespace

Json render_kafka_set(const api::ReplicationLink& link, const RenderConfig& config) {
  const api::KafkaSettings& settings = link.spec.kafka;
  return render_worker_set(link,
                           {.name = kafka_set_name(link.metadata.name),
                            .member = std::string(kKafkaMember),
                            .program = "twinspan-kafka-worker",
                            .image = settings.image.value_or(config.s3_worker_image),
                            .replicas = settings.workers,
                            .folder = "kafka",  // ENDPOINT/ca, ENDPOINT/tls, ENDPOINT/sasl
                            .secrets = sources_of(link),
                            .resources = settings.resources,
                            .placement = {settings.node_selector, settings.affinity, settings.tolerations,
                                          settings.topology_spread_constraints}},
                           config);
}

Json render_kafka_role(const api::ReplicationLink& link) {
  Json role = render_role(link, {});
  role["rules"].push_back({{"apiGroups", {""}},
                           {"resources", {"pods"}},
                           {"resourceNames", {pod_name(link.metadata.name, kKafkaMember)}},
                           {"verbs", {"get"}}});
  annotate_hash(role);
  return role;
}

// Brokers that are learned from those of the spec are reached where they listen on one of the same ports: anybody's, as
// their addresses are not known beforehand. One that advertises another port has to be named in the spec.
Json render_kafka_network_policy(const api::ReplicationLink& link, const NetworkRules& rules) {
  std::set<int64_t> ports;
  for (const auto& [endpoint, field] : api::endpoint_places(link))
    for (const std::string& broker : endpoint->kafka->brokers) ports.insert(port_of(broker));
  return render_network_policy(link, rules, Clients::kNone, ports);
}

}  // namespace twinspan::controllers
