#include "controllers/link/certificates.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/render.hpp"
#include "kube/base64.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::days;

constexpr days kAuthorityLife{3653}, kSuccessorLead{730}, kOverlap{30};
constexpr std::chrono::hours kSkew{1};  // clocks differ

std::vector<std::string> split(const std::string& bundle_pem) {
  static const std::string kBegin = "-----BEGIN CERTIFICATE-----", kEnd = "-----END CERTIFICATE-----";
  std::vector<std::string> out;
  for (size_t at = bundle_pem.find(kBegin); at != std::string::npos; at = bundle_pem.find(kBegin, at + 1)) {
    const size_t end = bundle_pem.find(kEnd, at);
    if (end == std::string::npos) break;
    out.push_back(bundle_pem.substr(at, end + kEnd.size() - at) + "\n");
  }
  return out;
}

Result<pki::KeyPair> new_ca(const std::string& link, WallTime now) {
  return pki::make_ca("twinspan " + link, now - kSkew, now + kAuthorityLife);
}

// When the successor takes over: all members have its certificate, or the issuer is at its end.
WallTime takeover_at(const pki::CertificateFacts& issuer, const pki::CertificateFacts& successor) {
  return std::min(successor.not_before + kOverlap, issuer.not_after - days(1));
}

void put(Json& data, const char* key, const std::string& value) { data[key] = kube::base64_encode(value); }

std::string get(const Json& data, const char* key) {
  const auto found = data.find(key);
  if (found == data.end() || !found->is_string()) return {};
  return kube::base64_decode(found->get_ref<const std::string&>()).value_or("");
}

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
  out.not_before = now - kSkew;
  out.not_after = now + kCertificateLife;
  return out;
}

}  // namespace

std::string Authority::bundle_pem() const {
  std::string out;
  for (const std::string& one : trusted) out += one;
  return out;
}

Result<Authority> make_authority(const std::string& link, WallTime now) {
  auto issuer = new_ca(link, now);
  if (!issuer) return std::unexpected(issuer.error());
  return Authority{*issuer, std::nullopt, {issuer->certificate_pem}};
}

Result<Authority> advance(Authority authority, const std::string& link, WallTime now) {
  const auto issuer = pki::inspect(authority.issuer.certificate_pem);
  if (!issuer) return std::unexpected(issuer.error());
  if (!authority.successor && now >= issuer->not_after - kSuccessorLead) {
    auto successor = new_ca(link, now);
    if (!successor) return std::unexpected(successor.error());
    authority.trusted.push_back(successor->certificate_pem);
    authority.successor = std::move(*successor);
  }
  if (authority.successor) {
    const auto successor = pki::inspect(authority.successor->certificate_pem);
    if (!successor) return std::unexpected(successor.error());
    if (now >= takeover_at(*issuer, *successor)) {
      authority.issuer = std::move(*authority.successor);
      authority.successor.reset();
    }
  }
  std::erase_if(authority.trusted, [&](const std::string& pem) {
    const auto facts = pki::inspect(pem);
    return !facts || facts->not_after < now;
  });
  return authority;
}

Result<WallTime> next_step_at(const Authority& authority) {
  const auto issuer = pki::inspect(authority.issuer.certificate_pem);
  if (!issuer) return std::unexpected(issuer.error());
  WallTime at = issuer->not_after - kSuccessorLead;
  if (authority.successor) {
    const auto successor = pki::inspect(authority.successor->certificate_pem);
    if (!successor) return std::unexpected(successor.error());
    at = takeover_at(*issuer, *successor);
  }
  for (const std::string& pem : authority.trusted)
    if (const auto facts = pki::inspect(pem)) at = std::min(at, facts->not_after + kSkew);
  return at;
}

Result<Json> render_authority(const api::ReplicationLink& link, const Authority& authority) {
  const auto at = next_step_at(authority);
  if (!at) return std::unexpected(at.error());
  Json data = Json::object();
  put(data, "tls.crt", authority.issuer.certificate_pem);
  put(data, "tls.key", authority.issuer.key_pem);
  put(data, "ca.crt", authority.bundle_pem());
  if (authority.successor) {
    put(data, "successor.crt", authority.successor->certificate_pem);
    put(data, "successor.key", authority.successor->key_pem);
  }
  return render_secret(link, ca_secret_name(link.metadata.name), "", std::move(data), *at);
}

Result<Authority> read_authority(const Json& secret) {
  const Json data = secret.value("data", Json::object());
  Authority authority;
  authority.issuer = {get(data, "tls.crt"), get(data, "tls.key")};
  authority.trusted = split(get(data, "ca.crt"));
  if (authority.trusted.empty()) authority.trusted = split(authority.issuer.certificate_pem);
  pki::KeyPair successor{get(data, "successor.crt"), get(data, "successor.key")};
  if (!successor.certificate_pem.empty() && !successor.key_pem.empty()) authority.successor = std::move(successor);
  if (auto usable = pki::issue(authority.issuer, request("probe", {})); !usable) return std::unexpected(usable.error());
  return authority;
}

Result<Json> render_certificates(const api::ReplicationLink& link, const std::string& endpoint,
                                 const pki::KeyPair& issuer, const std::string& bundle_pem, WallTime now) {
  pki::CertificateRequest server = request(pod_name(link.metadata.name, endpoint), now);
  server.dns_names = {server.common_name, "localhost"};
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
  return render_secret(link, tls_secret_name(link.metadata.name, endpoint), endpoint, std::move(data),
                       now + kCertificateRenewal);
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
