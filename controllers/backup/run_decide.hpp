// What a schedule begins by itself, and which of its Backups are shown. Pure; whoever carries it out writes the
// schedule's status first, then makes and deletes Backups. A run is named in status before it is made: whoever is
// stopped in between, it is made once.
#pragma once
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

struct ShownBackup {
  std::shared_ptr<const api::Backup> object;
  api::BackupStatus status;  // as it will be once this look is written
};

struct RunsSeen {
  const api::BackupSchedule* schedule = nullptr;  // in force
  std::vector<ShownBackup> backups;               // of it, oldest first
  bool name_taken = false;               // there is a Backup of the current run's name, and it is another schedule's
  std::string stanza;                    // that is written now
  bool full_owed = false;                // the log is broken: only a full backup makes what is written now safe
  std::set<std::string> without_parent;  // uids of Backups that failed since there was nothing to build on
  std::set<std::string> gone;            // labels that the repository does not hold any more
  WallTime now{};
};

struct RunEvent {
  bool warning = false;
  std::string reason, message;
  bool operator==(const RunEvent&) const = default;
};

struct RunsLook {
  std::optional<api::Backup> create;
  std::vector<std::shared_ptr<const api::Backup>> remove;  // objects only: no data go
  std::vector<RunEvent> events;
  bool clock_suspect = false;  // the last run lies in the future: nothing may be expired
};

// `status`: of the schedule, from what it was to what it will be.
RunsLook decide_runs(const RunsSeen& seen, api::BackupScheduleStatus& status);

bool is_over(const api::BackupStatus& status);

}  // namespace twinspan::controllers
