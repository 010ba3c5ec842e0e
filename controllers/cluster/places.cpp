#include "controllers/cluster/places.hpp"

#include <tuple>

#include "core/text.hpp"

namespace twinspan::controllers {

std::string bucket_of(const api::S3Endpoint& endpoint) { return to_lower(endpoint.endpoint) + "/" + endpoint.bucket; }

std::string broker_of(std::string_view ns, std::string_view broker) {
  const std::string text = to_lower(broker);
  const size_t colon = text.rfind(':');
  std::string host = text.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : text.substr(colon);
  for (const std::string_view domain : {".svc.cluster.local", ".svc"})
    if (host.ends_with(domain)) host.resize(host.size() - domain.size());
  if (host.find('.') == std::string::npos && !host.starts_with('[')) host.append(".").append(ns);
  return host + port;
}

std::vector<kube::Key> places_of(const api::ReplicationLink& link) {
  std::vector<kube::Key> places;
  const auto add = [&](const api::Endpoint& endpoint) {
    if (endpoint.s3) places.push_back({"bucket", bucket_of(*endpoint.s3)});
    if (!endpoint.kafka) return;
    for (const std::string& broker : endpoint.kafka->brokers)
      places.push_back({"broker", broker_of(link.metadata.ns, broker)});
  };
  add(link.spec.source);
  for (const api::Endpoint& target : link.spec.targets) add(target);
  return places;
}

bool is_older(const api::ReplicationLink& a, const api::ReplicationLink& b) {
  const auto age = [](const api::ReplicationLink& one) {
    return std::tie(one.metadata.creation_timestamp, one.metadata.ns, one.metadata.name);
  };
  return age(a) < age(b);
}

}  // namespace twinspan::controllers
