// A certificate authority that outlives its own certificate. Pure but for randomness.
//
// Rotation with overlap: two years before the authority ends its successor joins the bundle that everybody trusts;
// thirty days later, when all have it, the successor issues; the old one leaves the bundle when it has expired.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "pki/certificate.hpp"

namespace twinspan::pki {

struct Authority {
  KeyPair issuer;
  std::optional<KeyPair> successor;
  std::vector<std::string> trusted;  // certificates in PEM, the issuer's among them
  std::string bundle_pem() const;
};

// `whose`: what its certificates are called by.
Result<Authority> make_authority(const std::string& whose, WallTime now);
// One step of the rotation where one is due, else the same again.
Result<Authority> advance(Authority authority, const std::string& whose, WallTime now);
// When advance() has something to do next.
Result<WallTime> next_step_at(const Authority& authority);

// As the data of a Secret: tls.crt and tls.key (the issuer), ca.crt (the bundle), successor.crt and successor.key.
Json secret_data(const Authority& authority);
// Fails where nothing can be issued with it.
Result<Authority> read_authority_data(const Json& data);

inline constexpr std::chrono::days kCertificateLife{90}, kCertificateRenewal{60};  // of what it issues
inline constexpr std::chrono::hours kSkew{1};                                      // clocks differ

}  // namespace twinspan::pki
