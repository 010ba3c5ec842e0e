// What is to be stored where, and which backup runs: from everything seen of one link to what its status, its schedules
// and their Backups say next. Pure; whoever carries it out writes the Backups first, then the link, then the schedules,
// and makes what they begin last.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api/types.hpp"
#include "contract/backup_report.hpp"
#include "controllers/backup/run_decide.hpp"
#include "controllers/backup/test_decide.hpp"
#include "core/clock.hpp"
#include "failover/report.hpp"

namespace twinspan::controllers {

struct MemberSeen {  // whose report is fresh
  std::string system_id;
  BackupReport backup;
  std::optional<uint32_t> timeline = std::nullopt;
  std::optional<double> lag_seconds = std::nullopt;
  std::map<std::string, MemberReport::Downstream> downstreams = {};
};

// A schedule that is made anew, as tools replace objects, must not let go of all that waits to be stored meanwhile.
inline constexpr std::chrono::seconds kUnscheduledGrace{30};

struct BackupSeen {
  const api::ReplicationLink* link = nullptr;                         // nullptr: there is none
  std::vector<std::shared_ptr<const api::BackupSchedule>> schedules;  // that name it, oldest first
  // Those, and whichever store in a bucket of theirs; by namespace and name.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const api::BackupSchedule>> neighbours;
  std::map<std::string, std::vector<std::shared_ptr<const api::Backup>>> backups;  // by schedule, oldest first
  std::set<std::string> taken;                // schedules whose current run's name is that of another schedule's Backup
  std::map<std::string, MemberSeen> members;  // by endpoint
  std::optional<TestPod> test_pod;            // looked for only while a test is under way
  std::map<std::string, std::string> readers;  // by schedule: the Restore that reads its repository now
  // By stanza: labels that a Backup of this namespace keeps forever, whichever schedule made it and is gone by now.
  std::map<std::string, std::set<std::string>> forever;
  std::chrono::seconds unscheduled_for = kUnscheduledGrace;  // since when no schedule names the link
  std::set<std::string> silent;                              // endpoints that were not heard of for kSilent
  WallTime now{};
};

struct BackupLook {
  std::optional<api::BackupAssignment> assignment;             // status.backup of the link
  std::map<std::string, api::BackupScheduleStatus> schedules;  // by name, as for the next
  std::map<std::string, api::BackupStatus> backups;            // of every schedule; what is not named stays
  std::map<std::string, RunsLook> runs;                        // by schedule: what it makes and deletes
  std::map<std::string, TestLook> tests;                       // by schedule
  bool busy = false;                                           // look again soon
};

inline constexpr int64_t kBackupAttempts = 3;
inline constexpr std::chrono::seconds kSilent{60};  // whoever copies and says nothing that long has lost the attempt

BackupLook decide_backups(const BackupSeen& seen);

}  // namespace twinspan::controllers
