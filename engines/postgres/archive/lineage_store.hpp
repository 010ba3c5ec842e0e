// The lineage of a link's timelines, beside its repository (backup/lineage.hpp).
#pragma once
#include <fmt/format.h>

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/lineage.hpp"
#include "backup/tail.hpp"
#include "engines/postgres/archive/repository_bucket.hpp"

namespace twinspan::postgres {

// Errors that are retryable may pass by themselves. One thread.
class LineageStore {
 public:
  // Of the repository that a configuration of pgBackRest names. kInvalid: that can't be read.
  static Result<LineageStore> open(const std::string& config_path, const std::string& stanza, const Clock& clock) {
    return open_store<LineageStore>(config_path, stanza, clock);
  }
  LineageStore(RepositoryBucket repository, const std::string& stanza)
      : bucket_(std::move(repository.bucket)),
        folder_(repository.prefix + backup::lineage_folder(stanza)),
        archive_(fmt::format("{}archive/{}/{}/", repository.prefix, stanza, backup::kArchiveId)),
        tails_(repository.prefix + backup::tail_folder(stanza)) {}

  Result<backup::LineageNotes> list(const std::stop_token& stop);
  // All that is noted then. kConflict: the same timeline is another promotion's, of which something is stored; nothing
  // is noted. kUnavailable: `still`, asked around the notes, says that this is no primary any more.
  Result<backup::LineageNotes> note(const backup::OwnLineage& own, const std::function<bool()>& still,
                                    const std::stop_token& stop);

 private:
  Result<bool> has_anything_of(backup::Timeline timeline, const std::stop_token& stop);

  std::unique_ptr<s3::Bucket> bucket_;
  std::string folder_, archive_, tails_;
};

}  // namespace twinspan::postgres
