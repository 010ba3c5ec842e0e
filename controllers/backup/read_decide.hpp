// When every object of a repository is read, and what its archiver says of that. Pure; written as a test of a restore
// is (test_decide.hpp): the link's status, then the schedule's, and the former is taken away once the end stands in the
// latter.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "contract/backup_report.hpp"
#include "controllers/backup/run_decide.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

struct ReadSeen {
  const api::BackupSchedule* schedule = nullptr;
  bool in_force = false;                         // else nothing is begun
  std::optional<api::ReadAssignment> under_way;  // as the link's status has it
  std::optional<BackupReport::Read> said;        // by the archiver of now
  bool expiring = false;                         // what is read must not go meanwhile
  WallTime now{};
};

struct ReadLook {
  std::optional<api::ReadAssignment> assignment;  // for the link's status
  std::vector<std::string> proven;                // labels of backups that were found whole, just now
  std::vector<RunEvent> events;
  bool busy = false;
};

// `status`: of the schedule, from what it was to what it will be.
ReadLook decide_read(const ReadSeen& seen, api::BackupScheduleStatus& status);

}  // namespace twinspan::controllers
