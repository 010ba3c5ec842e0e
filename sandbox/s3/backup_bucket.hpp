// A bucket for backups on this machine: the S3 stub over TLS, as pgBackRest demands, by an authority of its own.
#pragma once
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "sandbox/s3/stub.hpp"

namespace twinspan::s3_stub {

struct BackupBucket {
  static constexpr const char* kName = "backups";

  std::unique_ptr<Stub> server;
  std::string authority;  // PEM

  std::string endpoint() const;
  // `data` of a Secret: what credentialsSecretRef and caSecretRef read.
  Json secret_data() const;
};

Result<BackupBucket> start_backup_bucket(const Clock& clock);

}  // namespace twinspan::s3_stub
