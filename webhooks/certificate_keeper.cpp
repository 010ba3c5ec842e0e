#include "webhooks/certificate_keeper.hpp"

#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/log.hpp"

namespace twinspan::webhooks {

Result<std::optional<net::TlsIdentity>> CertificateKeeper::look(std::stop_token stop) {
  if (!source_.directory.empty()) return from_files();
  const auto authority = this->authority(stop);
  if (!authority) return std::unexpected(authority.error());
  // Trust first: a certificate that nobody knows the issuer of yet is of no use.
  if (auto told = tell_all(authority->bundle_pem(), stop); !told) {
    if (told_error_ != told.error().message)
      log::warn("whom to trust can't be told", {{"server", source_.whose}, {"error", told.error().message}});
    told_error_ = told.error().message;
  }
  if (!is_due(identity_, *authority, clock_.wall_now())) return std::nullopt;
  auto identity = serving_certificate(*authority, source_.whose, source_.service, source_.ns, clock_.wall_now());
  if (!identity) return std::unexpected(identity.error());
  identity_ = *identity;
  return identity_;
}

Result<std::optional<net::TlsIdentity>> CertificateKeeper::from_files() {
  auto certificate = read_file(source_.directory + "/tls.crt");
  if (!certificate) return std::unexpected(certificate.error());
  auto key = read_file(source_.directory + "/tls.key");
  if (!key) return std::unexpected(key.error());
  if (*certificate == identity_.certificate_pem && *key == identity_.key_pem) return std::nullopt;
  identity_ = {std::move(*certificate), std::move(*key)};
  return identity_;
}

Result<pki::Authority> CertificateKeeper::authority(const std::stop_token& stop) {
  const WallTime now = clock_.wall_now();
  const kube::Key key{source_.ns, source_.secret};
  auto stored = client_.get(kube::kSecrets, key, stop);
  if (!stored && stored.error().code != Code::kNotFound) return std::unexpected(stored.error());
  std::optional<pki::Authority> there;
  if (stored && !member_of(*stored, "data").empty()) {
    auto read = pki::read_authority_data(member_of(*stored, "data"));
    if (read)
      there = std::move(*read);
    else
      log::warn("the authority is damaged and replaced", {{"secret", key.str()}, {"error", read.error().message}});
  }
  Result<pki::Authority> wanted = there    ? pki::advance(*there, source_.whose, now)
                                  : known_ ? pki::advance(*known_, source_.whose, now)
                                           : pki::make_authority(source_.whose, now);
  if (!wanted) return wanted;
  const Json data = pki::secret_data(*wanted);
  if (!there || data != pki::secret_data(*there)) {
    Json secret = stored ? *stored
                         : Json{{"apiVersion", "v1"},
                                {"kind", "Secret"},
                                {"metadata", {{"name", key.name}, {"namespace", key.ns}}},
                                {"type", "Opaque"}};
    secret["data"] = data;
    // With its version as precondition: of two replicas that make one, the other reads it the next time.
    const auto written = stored ? client_.update(kube::kSecrets, secret, kube::Subresource::kNone, stop)
                                : client_.create(kube::kSecrets, secret, stop);
    if (!written) return std::unexpected(written.error());
    log::info("authority written", {{"server", source_.whose}, {"secret", key.str()}});
  }
  known_ = *wanted;
  return wanted;
}

// All are tried: one that can't be written keeps no other from knowing. The last error.
Status CertificateKeeper::tell_all(const std::string& bundle_pem, const std::stop_token& stop) {
  Status all;
  const auto gather = [&](Status one) {
    if (!one) all = std::move(one);
  };
  if (!source_.configuration.empty())
    for (const kube::Resource* kind : {&kube::kValidatingWebhooks, &kube::kMutatingWebhooks})
      gather(tell(
          *kind, {"", source_.configuration}, [&](const Json& object) { return with_bundle(object, bundle_pem); },
          stop));
  if (!source_.config_map.empty())
    gather(tell(
        kube::kConfigMaps, {source_.ns, source_.config_map},
        [&](const Json& object) { return with_ca(object, bundle_pem); }, stop));
  return all;
}

Status CertificateKeeper::tell(const kube::Resource& kind, const kube::Key& key, const Bundled& bundled,
                               const std::stop_token& stop) {
  const auto stored = client_.get(kind, key, stop);
  if (!stored) return std::unexpected(stored.error());
  const Json wanted = bundled(*stored);
  if (wanted.is_null()) return {};
  if (auto written = client_.update(kind, wanted, kube::Subresource::kNone, stop); !written)
    return std::unexpected(written.error());
  log::info("whom to trust is told", {{"server", source_.whose}, {"kind", kind.kind}, {"name", key.str()}});
  return {};
}

}  // namespace twinspan::webhooks
