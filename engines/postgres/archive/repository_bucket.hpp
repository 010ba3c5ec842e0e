// The bucket of a repository, for what Twinspan itself keeps beside it.
#pragma once
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "s3/bucket.hpp"

namespace twinspan::postgres {

struct RepositoryBucket {
  std::unique_ptr<s3::Bucket> bucket;
  std::string prefix;      // of the repository, with a slash at its end, or empty
  std::string passphrase;  // empty: nothing is sealed
};
// That a configuration of pgBackRest names. kInvalid: that can't be read.
Result<RepositoryBucket> open_repository(const std::string& config_path, const Clock& clock);

// Something of a stanza's that is kept there.
template <class Store>
Result<Store> open_store(const std::string& config_path, const std::string& stanza, const Clock& clock) {
  auto repository = open_repository(config_path, clock);
  if (!repository) return std::unexpected(repository.error());
  return Store(std::move(*repository), stanza);
}

}  // namespace twinspan::postgres
