// A certificate authority, and identities that it issued.
#pragma once
#include "net/http.hpp"
#include "pki/certificate.hpp"

namespace twinspan::net {

using std::chrono_literals::operator""h;

struct Authority {
  WallTime now = SystemClock().wall_now();
  pki::KeyPair ca;

  explicit Authority(const std::string& name) : ca(pki::make_ca(name, now - 1h, now + 24h).value()) {}
  TlsIdentity identity(pki::CertificateRequest request) const {
    request.not_before = now - 1h;
    if (request.not_after == WallTime{}) request.not_after = now + 24h;
    const auto made = pki::issue(ca, request).value();
    return {made.certificate_pem, made.key_pem};
  }
  TlsIdentity server(std::vector<std::string> names, std::vector<std::string> addresses = {}) const {
    pki::CertificateRequest request;
    request.common_name = "server";
    request.dns_names = std::move(names);
    request.ip_addresses = std::move(addresses);
    request.server = true;
    return identity(request);
  }
  TlsIdentity client(const std::string& name) const {
    pki::CertificateRequest request;
    request.common_name = name;
    request.client = true;
    return identity(request);
  }
};

}  // namespace twinspan::net
