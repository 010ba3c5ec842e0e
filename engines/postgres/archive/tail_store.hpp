// Tails in the bucket of a repository.
#pragma once
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "engines/postgres/archive/tail_content.hpp"
#include "s3/bucket.hpp"

namespace twinspan::postgres {

// Errors that are retryable may pass by themselves. One thread.
class TailStore {
 public:
  // Of the repository that a configuration of pgBackRest names. kInvalid: that can't be read.
  static Result<TailStore> open(const std::string& config_path, const std::string& stanza, const Clock& clock);
  // `prefix`: of the repository, with a slash at its end, or empty.
  TailStore(std::unique_ptr<s3::Bucket> bucket, const std::string& prefix, const std::string& stanza,
            const std::string& passphrase)
      : bucket_(std::move(bucket)),
        stanza_(stanza),
        folder_(prefix + backup::tail_folder(stanza)),
        key_(tail_key(passphrase)) {}

  // Of one segment, or all where it is empty. What else lies there is none of ours.
  Result<std::vector<backup::TailName>> list(const std::string& segment, const std::stop_token& stop);
  Status put(const backup::TailName& name, WallTime at, const SegmentReader& read, const std::stop_token& stop);
  // kNotFound: it is not there (any more). kInvalid: it can't be opened.
  Result<Tail> get(const backup::TailName& name, const std::stop_token& stop);
  // The tail of a timeline that goes furthest; nullopt: there is none.
  Result<std::optional<TailHead>> newest(backup::Timeline timeline, const std::stop_token& stop);
  Status remove(const backup::TailName& name, const std::stop_token& stop);

 private:
  std::unique_ptr<s3::Bucket> bucket_;
  std::string stanza_, folder_;
  std::shared_ptr<const s3::SealKey> key_;
};

}  // namespace twinspan::postgres
