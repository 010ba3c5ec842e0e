// What a schedule's status says of its repository: windows, gaps, and whether what it says can be relied on. From the
// listing of the member that stores the log; pure. What is not known by a listing that is fresh is not claimed.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "api/types.hpp"
#include "backup/listing.hpp"
#include "contract/backup_report.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

inline constexpr std::chrono::minutes kListingStale{15};

struct RepositoryView {
  std::optional<backup::Listing> listing;  // the archiver's last; nullopt: it has said of none
  backup::Restorable restorable;
  std::string doubt;  // why nothing may be claimed or deleted by it; empty: it is whole and fresh
};

// `archiver`: what it last said; nullptr: nothing that is fresh.
RepositoryView view_of_repository(const BackupReport* archiver, const std::string& stanza,
                                  const std::string& repository, WallTime now);

// From what it was to what it will be. Where nothing can be said of it, what was said before stays, with its date.
// `log_from`: where the log begins that retention keeps; gaps before it are meant, and are none.
void note_repository(const RepositoryView& view, const std::optional<Position>& log_from, WallTime now,
                     api::BackupScheduleStatus& status);

api::Condition restorable_condition(const RepositoryView& view, const api::BackupScheduleStatus& status);

// What a member says of its log, as far as it tells of the repository's.
struct StoringView {
  std::string archiver;                                    // by name
  bool heard = false;                                      // of it, and it stores in this repository
  bool stores = false;                                     // it reaches the repository
  BackupReport::Cause cause = BackupReport::Cause::kNone;  // the worst of any member
  std::string trouble;                                     // with the member's name
};
api::Condition continuous_condition(const StoringView& storing, const RepositoryView& view,
                                    const api::BackupScheduleStatus& status);

}  // namespace twinspan::controllers
