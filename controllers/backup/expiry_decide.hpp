// What is deleted in a repository: from the rules, a person's wish and the listing to an intent in the schedule's
// status, and from an intent that is stored to what the archiver is asked for. Pure; nothing is asked for that is not
// in status yet.
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "api/types.hpp"
#include "backup/retention.hpp"
#include "controllers/backup/repository_decide.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

struct ExpirySeen {
  const api::BackupSchedule* schedule = nullptr;  // in force; its status is what is stored
  const RepositoryView* view = nullptr;
  const BackupReport* archiver = nullptr;            // nullptr: nothing that is fresh
  std::optional<api::ExpireAssignment> outstanding;  // as the link's status has it
  std::set<std::string> forever;                     // labels
  std::string reader;                                // what reads the repository, for people; empty: nobody
  bool backup_runs = false;                          // or is wanted
  bool clock_suspect = false;                        // the last run lies in the future
  WallTime now{};
};

struct ExpiryLook {
  std::optional<api::ExpireAssignment> assignment;
  std::optional<Position> log_from;  // where the log begins that retention keeps
  api::Condition possible;           // ExpiryPossible
  bool busy = false;                 // look again soon
};

// `status`: of the schedule, from what it was to what it will be.
ExpiryLook decide_expiry(const ExpirySeen& seen, api::BackupScheduleStatus& status);

}  // namespace twinspan::controllers
