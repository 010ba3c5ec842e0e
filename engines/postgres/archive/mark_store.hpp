// Marks of an idle database, beside its repository (backup/mark.hpp).
#pragma once
#include <optional>
#include <stop_token>
#include <string>

#include "backup/mark.hpp"
#include "engines/postgres/archive/repository_bucket.hpp"

namespace twinspan::postgres {

// Errors that are retryable may pass by themselves. One thread.
class MarkStore {
 public:
  // Of the repository that a configuration of pgBackRest names. kInvalid: that can't be read.
  static Result<MarkStore> open(const std::string& config_path, const std::string& stanza, const Clock& clock) {
    return open_store<MarkStore>(config_path, stanza, clock);
  }
  MarkStore(RepositoryBucket repository, const std::string& stanza)
      : bucket_(std::move(repository.bucket)), folder_(repository.prefix + backup::mark_folder(stanza)) {}

  // Of a timeline; nullopt: there is none.
  Result<std::optional<backup::Mark>> newest(backup::Timeline timeline, const std::stop_token& stop);
  // Stores it; then what it says more than goes, of its timeline.
  Status put(const backup::Mark& mark, const std::stop_token& stop);

 private:
  Result<std::vector<backup::Mark>> list(const std::stop_token& stop);

  std::unique_ptr<s3::Bucket> bucket_;
  std::string folder_;
};

}  // namespace twinspan::postgres
