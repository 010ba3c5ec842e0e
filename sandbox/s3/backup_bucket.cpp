#include "sandbox/s3/backup_bucket.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "pki/certificate.hpp"

namespace twinspan::s3_stub {

std::string BackupBucket::endpoint() const { return fmt::format("https://localhost:{}", server->port()); }

Json BackupBucket::secret_data() const {
  return {{"accessKeyId", base64_encode("test")},
          {"secretAccessKey", base64_encode("test-secret")},
          {"ca.crt", base64_encode(authority)}};
}

Result<BackupBucket> start_backup_bucket(const Clock& clock) {
  const WallTime now = clock.wall_now();
  pki::CertificateRequest request;
  request.common_name = "bucket";
  request.dns_names = {"localhost"};
  request.server = true;
  request.not_before = now - std::chrono::hours(1);
  request.not_after = now + std::chrono::hours(24);
  const auto ca = pki::make_ca("bucket", request.not_before, request.not_after);
  if (!ca) return std::unexpected(ca.error());
  const auto issued = pki::issue(*ca, request);
  if (!issued) return std::unexpected(issued.error());
  StubOptions options;
  options.server.identity = {issued->certificate_pem, issued->key_pem};
  options.server.threads = 16;
  BackupBucket bucket{std::make_unique<Stub>(std::move(options)), ca->certificate_pem};
  bucket.server->create_bucket(BackupBucket::kName);
  if (auto started = bucket.server->start(); !started) return std::unexpected(started.error());
  return bucket;
}

}  // namespace twinspan::s3_stub
