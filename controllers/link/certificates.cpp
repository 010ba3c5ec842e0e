#include "controllers/link/certificates.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/render.hpp"
#include "core/base64.hpp"

namespace twinspan::controllers {
namespace {

void put(Json& data, const char* key, const std::string& value) { data[key] = base64_encode(value); }

Json render_secret(const api::ReplicationLink& link, const std::string& name, const std::string& endpoint, Json data,
                   WallTime renew_at) {
  Json secret = render_meta(link, "v1", "Secret", name, endpoint, true);
  secret["type"] = "Opaque";
  secret["data"] = std::move(data);
  secret["metadata"]["annotations"][std::string(kRenewAtAnnotation)] = to_rfc3339(renew_at);
  annotate_hash(secret);
  return secret;
}

pki::CertificateRequest request(const std::string& common_name, WallTime now) {
  pki::CertificateRequest out;
  out.common_name = common_name;
  out.not_before = now - pki::kSkew;
  out.not_after = now + pki::kCertificateLife;
  return out;
}

}  // namespace

Result<Json> render_authority(const api::ReplicationLink& link, const Authority& authority) {
  const auto at = next_step_at(authority);
  if (!at) return std::unexpected(at.error());
  return render_secret(link, ca_secret_name(link.metadata.name), "", pki::secret_data(authority), *at);
}

Result<Authority> read_authority(const Json& secret) {
  return pki::read_authority_data(secret.value("data", Json::object()));
}

std::string services_text(const std::vector<std::string>& services) {
  std::string out;
  for (const std::string& service : services) out += (out.empty() ? "" : ",") + service;
  return out;
}

Result<Json> render_certificates(const api::ReplicationLink& link, const std::string& endpoint,
                                 const std::vector<std::string>& services, const pki::KeyPair& issuer,
                                 const std::string& bundle_pem, WallTime now) {
  pki::CertificateRequest server = request(pod_name(link.metadata.name, endpoint), now);
  server.dns_names = {server.common_name, "localhost"};
  for (const std::string& service : services)
    for (const char* suffix : {"", ".{}", ".{}.svc", ".{}.svc.cluster.local"})
      server.dns_names.push_back(service + fmt::format(fmt::runtime(suffix), link.metadata.ns));
  // A pod's name may be longer than a common name can be; verifiers look at the DNS names only (RFC 6125).
  if (server.common_name.size() > 64) server.common_name = endpoint;
  server.server = true;
  pki::CertificateRequest client = request("twinspan_replication", now);
  client.client = true;
  const auto serving = pki::issue(issuer, server);
  if (!serving) return std::unexpected(serving.error());
  const auto replicating = pki::issue(issuer, client);
  if (!replicating) return std::unexpected(replicating.error());
  Json data = Json::object();
  put(data, "tls.crt", serving->certificate_pem);
  put(data, "tls.key", serving->key_pem);
  put(data, "client.crt", replicating->certificate_pem);
  put(data, "client.key", replicating->key_pem);
  put(data, "ca.crt", bundle_pem);
  auto secret = render_secret(link, tls_secret_name(link.metadata.name, endpoint), endpoint, std::move(data),
                              now + pki::kCertificateRenewal);
  if (!services.empty()) secret["metadata"]["annotations"][std::string(kServicesAnnotation)] = services_text(services);
  return secret;
}

Result<net::ClientTls> operator_access(const pki::KeyPair& issuer, const std::string& bundle_pem, WallTime now) {
  pki::CertificateRequest client = request("twinspan-operator", now);
  client.client = true;
  auto pair = pki::issue(issuer, client);
  if (!pair) return std::unexpected(pair.error());
  net::ClientTls tls;
  tls.ca_pem = bundle_pem;
  tls.identity = net::TlsIdentity{std::move(pair->certificate_pem), std::move(pair->key_pem)};
  return tls;
}

}  // namespace twinspan::controllers
