// Keeps a server's certificate fresh: by an authority of our own, which all replicas share in a Secret and which is
// written to where its clients look, or from files that somebody else (cert-manager) renews.
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "kube/client.hpp"
#include "webhooks/certificates.hpp"

namespace twinspan::webhooks {

struct CertificateSource {
  std::string whose;        // "webhook", "metrics": what its certificates are called by
  std::string directory;    // with tls.crt and tls.key; empty: our own authority
  std::string ns, service;  // what the certificate is for
  std::string secret;       // where the authority is kept
  // Who is told whom to trust, each where it is named.
  std::string configuration;  // both webhook configurations of this name
  std::string config_map;     // in `ns`, under ca.crt
};

class CertificateKeeper {
 public:
  CertificateKeeper(kube::Client& client, const Clock& clock, CertificateSource source)
      : client_(client), clock_(clock), source_(std::move(source)) {}

  // One look: nullopt where the server may go on as it is, else the identity it must have from now on. An error: what
  // was there goes on, and it is tried again.
  Result<std::optional<net::TlsIdentity>> look(std::stop_token stop);

 private:
  // The object with the bundle in it; null where it has it already.
  using Bundled = std::function<Json(const Json& object)>;
  Result<std::optional<net::TlsIdentity>> from_files();
  // As it is in the Secret, after a step of its rotation where one is due; made where there is none.
  Result<pki::Authority> authority(const std::stop_token& stop);
  Status tell_all(const std::string& bundle_pem, const std::stop_token& stop);
  Status tell(const kube::Resource& kind, const kube::Key& key, const Bundled& bundled, const std::stop_token& stop);

  kube::Client& client_;
  const Clock& clock_;
  const CertificateSource source_;
  net::TlsIdentity identity_;
  std::optional<pki::Authority> known_;  // put back where the Secret is lost: whom everybody trusts already
  std::string told_error_;
};

}  // namespace twinspan::webhooks
