#include "webhooks/certificates.hpp"

#include <nlohmann/json.hpp>

#include "core/base64.hpp"

namespace twinspan::webhooks {

Result<net::TlsIdentity> serving_certificate(const pki::Authority& authority, const std::string& whose,
                                             const std::string& service, const std::string& ns, WallTime now) {
  pki::CertificateRequest request;
  request.common_name = "twinspan-" + whose;
  const std::string name = service + "." + ns;
  request.dns_names = {name, name + ".svc", name + ".svc.cluster.local", "localhost"};
  request.server = true;
  request.not_before = now - pki::kSkew;
  request.not_after = now + pki::kCertificateLife;
  auto pair = pki::issue(authority.issuer, request);
  if (!pair) return std::unexpected(pair.error());
  return net::TlsIdentity{std::move(pair->certificate_pem), std::move(pair->key_pem)};
}

bool is_due(const net::TlsIdentity& identity, const pki::Authority& authority, WallTime now) {
  if (identity.certificate_pem.empty()) return true;
  const auto facts = pki::inspect(identity.certificate_pem);
  if (!facts || !pki::issued_by(identity.certificate_pem, authority.issuer.certificate_pem)) return true;
  return now >= facts->not_after - (pki::kCertificateLife - pki::kCertificateRenewal);
}

Json with_bundle(const Json& configuration, const std::string& bundle_pem) {
  const std::string wanted = base64_encode(bundle_pem);
  Json out = configuration;
  bool changed = false;
  if (!member_of(out, "webhooks").is_array()) return nullptr;
  for (Json& webhook : out["webhooks"]) {
    if (text_of(member_of(webhook, "clientConfig"), "caBundle") == wanted) continue;
    webhook["clientConfig"]["caBundle"] = wanted;
    changed = true;
  }
  return changed ? out : Json(nullptr);
}

Json with_ca(const Json& config_map, const std::string& bundle_pem) {
  if (text_of(member_of(config_map, "data"), "ca.crt") == bundle_pem) return nullptr;
  Json out = config_map;
  out["data"]["ca.crt"] = bundle_pem;
  return out;
}

}  // namespace twinspan::webhooks
