// A small certificate authority on OpenSSL: ECDSA P-256, SHA-256. PEM in, PEM out. Pure but for randomness; any thread.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan::pki {

struct KeyPair {
  std::string certificate_pem;
  std::string key_pem;  // PKCS #8; a secret
};

struct CertificateRequest {
  std::string common_name;
  std::string organization;  // empty: none
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  bool server = false, client = false;  // extended key usages
  WallTime not_before;                  // callers pass a little before now, for clocks that differ
  WallTime not_after;
};

Result<KeyPair> make_ca(const std::string& common_name, WallTime not_before, WallTime not_after);
Result<KeyPair> issue(const KeyPair& ca, const CertificateRequest& request);

struct CertificateFacts {
  std::string common_name;
  std::vector<std::string> dns_names, ip_addresses;
  WallTime not_before, not_after;
  std::string serial_hex;
};
Result<CertificateFacts> inspect(const std::string& certificate_pem);
// Whether `certificate_pem` chains to one of the certificates in `ca_pem` (validity times are not looked at).
bool issued_by(const std::string& certificate_pem, const std::string& ca_pem);

}  // namespace twinspan::pki
