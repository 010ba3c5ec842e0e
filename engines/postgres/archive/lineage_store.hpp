// The lineage of a link's timelines, beside its repository (backup/lineage.hpp).
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/lineage.hpp"
#include "engines/postgres/archive/repository_bucket.hpp"

namespace twinspan::postgres {

// Errors that are retryable may pass by themselves. One thread.
class LineageStore {
 public:
  LineageStore(RepositoryBucket repository, const std::string& stanza)
      : bucket_(std::move(repository.bucket)), folder_(repository.prefix + backup::lineage_folder(stanza)) {}

  Result<std::vector<backup::LineageEntry>> list(const std::stop_token& stop);
  // All that is noted then. kConflict: the same timeline is another promotion's; nothing is noted. kUnavailable:
  // `still`, asked around the note, says that this is no primary any more; its note is taken back.
  Result<std::vector<backup::LineageEntry>> note(const backup::LineageEntry& entry, const std::function<bool()>& still,
                                                 const std::stop_token& stop);

 private:
  std::unique_ptr<s3::Bucket> bucket_;
  std::string folder_;
};

}  // namespace twinspan::postgres
