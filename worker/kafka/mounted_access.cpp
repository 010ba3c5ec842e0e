#include "worker/kafka/mounted_access.hpp"

#include <fmt/format.h>

#include "core/file.hpp"

namespace twinspan::worker_kafka {
namespace {

Status read_key(const std::string& folder, const std::string& key, const std::string& secret, std::string& out) {
  auto text = read_file(folder + "/" + key);
  if (!text) return fail(Code::kDenied, fmt::format("Secret {} does not exist, or has no key {}", secret, key));
  out = std::move(*text);
  return {};
}

Result<MountedAccess> read_once(const api::Endpoint& endpoint, const std::string& kafka_dir) {
  MountedAccess read{
      .endpoint = *endpoint.kafka, .ca_pem = {}, .certificate_pem = {}, .key_pem = {}, .user = {}, .password = {}};
  const std::string folder = kafka_dir + "/" + endpoint.name;
  const auto& tls = endpoint.kafka->tls;
  if (tls && tls->ca_secret_ref)
    if (auto done = read_key(folder + "/ca", "ca.crt", tls->ca_secret_ref->name, read.ca_pem); !done)
      return std::unexpected(done.error());
  if (tls && tls->secret_ref)
    for (const auto& [key, out] : {std::pair{"tls.crt", &read.certificate_pem}, {"tls.key", &read.key_pem}})
      if (auto done = read_key(folder + "/tls", key, tls->secret_ref->name, *out); !done)
        return std::unexpected(done.error());
  if (const auto& sasl = endpoint.kafka->sasl)
    for (const auto& [key, out] : {std::pair{"username", &read.user}, {"password", &read.password}})
      if (auto done = read_key(folder + "/sasl", key, sasl->secret_ref.name, *out); !done)
        return std::unexpected(done.error());
  return read;
}

kafka::SaslMechanism mechanism_of(api::KafkaMechanism mechanism) {
  switch (mechanism) {
    case api::KafkaMechanism::kPLAIN: return kafka::SaslMechanism::kPlain;
    case api::KafkaMechanism::kSCRAM_SHA_256: return kafka::SaslMechanism::kScramSha256;
    case api::KafkaMechanism::kSCRAM_SHA_512: return kafka::SaslMechanism::kScramSha512;
  }
  return kafka::SaslMechanism::kScramSha512;
}

}  // namespace

Result<MountedAccess> mounted_access(const api::Endpoint& endpoint, const std::string& kafka_dir) {
  if (!endpoint.kafka) return fail(Code::kInvalid, fmt::format("endpoint {}: kafka: absent", endpoint.name));
  // A Secret's files change together, by a link that is moved, and may do so in between.
  auto read = read_once(endpoint, kafka_dir);
  for (int again = 0; read && again < 3; ++again) {
    auto anew = read_once(endpoint, kafka_dir);
    if (!anew || *anew == *read) return anew;
    read = std::move(anew);
  }
  return read;
}

Result<kafka::Access> access_of(const MountedAccess& mounted) {
  const api::KafkaEndpoint& endpoint = mounted.endpoint;
  kafka::Access access;
  for (const std::string& broker : endpoint.brokers) {
    auto address = kafka::parse_address(broker);
    if (!address) return std::unexpected(address.error());
    access.brokers.push_back(std::move(*address));
  }
  if (endpoint.tls) {
    access.tls.emplace();
    access.tls->ca_pem = mounted.ca_pem;
    if (endpoint.tls->secret_ref) access.tls->identity = net::TlsIdentity{mounted.certificate_pem, mounted.key_pem};
  }
  if (endpoint.sasl) access.sasl = kafka::Sasl{mechanism_of(endpoint.sasl->mechanism), mounted.user, mounted.password};
  access.patience = std::chrono::seconds(endpoint.connection_timeout_seconds);
  access.answer_patience = std::chrono::seconds(endpoint.request_timeout_seconds);
  return access;
}

}  // namespace twinspan::worker_kafka
