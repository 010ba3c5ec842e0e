#include "controllers/link/worker_access.hpp"

#include "controllers/link/certificates.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {

std::shared_ptr<const net::ClientTls> WorkerAccess::of(const kube::Key& link, const Secret& authority, WallTime now) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[link];
  if (entry.tls && entry.issuer_pem == authority.issuer_certificate_pem && entry.bundle_hash == authority.bundle_hash &&
      now < entry.renew_at)
    return entry.tls;
  auto tls = operator_access({authority.issuer_certificate_pem, authority.issuer_key_pem}, authority.bundle_pem, now);
  if (!tls) {
    log::warn("certificate for asking workers can't be issued",
              {{"namespace", link.ns}, {"link", link.name}, {"error", tls.error().message}});
    return nullptr;
  }
  entry = {authority.issuer_certificate_pem, authority.bundle_hash, now + kCertificateRenewal,
           std::make_shared<const net::ClientTls>(std::move(*tls))};
  return entry.tls;
}

void WorkerAccess::forget(const kube::Key& link) {
  MutexLock lock(mutex_);
  entries_.erase(link);
}

}  // namespace twinspan::controllers
