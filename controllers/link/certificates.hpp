// A link's own small certificate authority and what it issues. Pure but for randomness.
//
// Rotation with overlap: two years before the authority ends its successor joins the bundle that every member trusts;
// thirty days later, when all have it, the successor issues; the old one leaves the bundle when it has expired.
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
#include "pki/certificate.hpp"

namespace twinspan::controllers {

struct Authority {
  pki::KeyPair issuer;
  std::optional<pki::KeyPair> successor;
  std::vector<std::string> trusted;  // certificates in PEM, the issuer's among them
  std::string bundle_pem() const;
};

Result<Authority> make_authority(const std::string& link, WallTime now);
// One step of the rotation where one is due, else the same again.
Result<Authority> advance(Authority authority, const std::string& link, WallTime now);
// When advance() has something to do next.
Result<WallTime> next_step_at(const Authority& authority);

// Secret LINK-ca: tls.crt and tls.key (the issuer), ca.crt (the bundle), successor.crt and successor.key.
Result<Json> render_authority(const api::ReplicationLink& link, const Authority& authority);
Result<Authority> read_authority(const Json& secret);

// Secret LINK-ENDPOINT-tls: tls.crt and tls.key for the pod's name and localhost, client.crt and client.key for
// replication, ca.crt. Valid for 90 days, renewed after 60.
Result<Json> render_certificates(const api::ReplicationLink& link, const std::string& endpoint,
                                 const pki::KeyPair& issuer, const std::string& bundle_pem, WallTime now);

// By what right the operator asks this link's agents: CN twinspan-operator. Valid for 90 days; held in memory only.
Result<net::ClientTls> operator_access(const pki::KeyPair& issuer, const std::string& bundle_pem, WallTime now);

inline constexpr std::chrono::days kCertificateLife{90}, kCertificateRenewal{60};

}  // namespace twinspan::controllers
