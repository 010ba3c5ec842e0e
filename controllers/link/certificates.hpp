// A link's own small certificate authority (pki/authority.hpp rotates it) and what it issues. Pure but for randomness.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "net/http.hpp"
#include "pki/authority.hpp"

namespace twinspan::controllers {

using pki::Authority, pki::make_authority, pki::advance, pki::next_step_at;

// Secret LINK-ca: tls.crt and tls.key (the issuer), ca.crt (the bundle), successor.crt and successor.key.
Result<Json> render_authority(const api::ReplicationLink& link, const Authority& authority);
Result<Authority> read_authority(const Json& secret);

// Secret LINK-ENDPOINT-tls: tls.crt and tls.key for the pod's name, localhost and what clients call the Services of
// policies (every member may be behind any of them), client.crt and client.key for replication, ca.crt. Valid for 90
// days, renewed after 60.
Result<Json> render_certificates(const api::ReplicationLink& link, const std::string& endpoint,
                                 const std::vector<std::string>& services, const pki::KeyPair& issuer,
                                 const std::string& bundle_pem, WallTime now);
// As annotated: certificates for other Services are issued anew.
std::string services_text(const std::vector<std::string>& services);

// By what right the operator asks this link's agents: CN twinspan-operator. Valid for 90 days; held in memory only.
Result<net::ClientTls> operator_access(const pki::KeyPair& issuer, const std::string& bundle_pem, WallTime now);

using pki::kCertificateLife, pki::kCertificateRenewal;

}  // namespace twinspan::controllers
