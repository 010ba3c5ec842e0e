// From what a link's status says of a repository to a configuration file that pgBackRest reads: with the Secrets, which
// the agent reads itself.
#pragma once
#include <optional>
#include <stop_token>
#include <string>

#include "api/types.hpp"
#include "backup/repository_config.hpp"
#include "core/result.hpp"
#include "worker/postgres/secret_reader.hpp"

namespace twinspan::worker {

// One thread at a time for each directory.
class RepositoryAccess {
 public:
  explicit RepositoryAccess(SecretSource& secrets) : secrets_(secrets) {}

  // Writes instance.state_directory/pgbackrest.conf, which the owner alone may read, and the authorities beside it. The
  // path; an error names the Secret and the key that is missing.
  Result<std::string> write(const api::BackupDestination& destination,
                            const std::optional<api::BackupEncryption>& encryption, const backup::Instance& instance,
                            const std::stop_token& stop) const;

 private:
  SecretSource& secrets_;
};

}  // namespace twinspan::worker
