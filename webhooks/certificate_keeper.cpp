#include "webhooks/certificate_keeper.hpp"

#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/log.hpp"

namespace twinspan::webhooks {
namespace {

constexpr const char* kWhose = "webhook";

}  // namespace

Result<std::optional<net::TlsIdentity>> CertificateKeeper::look(std::stop_token stop) {
  if (!source_.directory.empty()) return from_files();
  const auto authority = this->authority(stop);
  if (!authority) return std::unexpected(authority.error());
  // Trust first: a certificate that nobody knows the issuer of yet is of no use.
  for (const kube::Resource* kind : {&kube::kValidatingWebhooks, &kube::kMutatingWebhooks})
    if (auto told = tell(*kind, authority->bundle_pem(), stop); !told) {
      if (told_error_ != told.error().message)
        log::warn("webhook configuration can't be kept",
                  {{"name", source_.configuration}, {"error", told.error().message}});
      told_error_ = told.error().message;
    }
  if (!is_due(identity_, *authority, clock_.wall_now())) return std::nullopt;
  auto identity = serving_certificate(*authority, source_.service, source_.ns, clock_.wall_now());
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
      log::warn("the webhook's authority is damaged and replaced",
                {{"secret", key.str()}, {"error", read.error().message}});
  }
  Result<pki::Authority> wanted = there    ? pki::advance(*there, kWhose, now)
                                  : known_ ? pki::advance(*known_, kWhose, now)
                                           : pki::make_authority(kWhose, now);
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
    log::info("webhook authority written", {{"secret", key.str()}});
  }
  known_ = *wanted;
  return wanted;
}

Status CertificateKeeper::tell(const kube::Resource& kind, const std::string& bundle_pem, const std::stop_token& stop) {
  if (source_.configuration.empty()) return {};
  const auto stored = client_.get(kind, {"", source_.configuration}, stop);
  if (!stored) return std::unexpected(stored.error());
  const Json wanted = with_bundle(*stored, bundle_pem);
  if (wanted.is_null()) return {};
  if (auto written = client_.update(kind, wanted, kube::Subresource::kNone, stop); !written)
    return std::unexpected(written.error());
  log::info("webhook configuration trusts the authority", {{"kind", kind.kind}, {"name", source_.configuration}});
  return {};
}

}  // namespace twinspan::webhooks
