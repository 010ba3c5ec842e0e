// When a restore is tested, and what its pod's end says. Pure; whoever carries it out writes the link's status, then
// the schedule's, and makes the pod on a later look: what runs was written before. A test ends: with its pod's word,
// with whatever becomes of the pod, or at its deadline. What failed is tried again, after pauses that grow.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/backup/run_decide.hpp"
#include "core/clock.hpp"
#include "core/json.hpp"

namespace twinspan::controllers {

struct TestPod {
  std::string uid;
  std::string asked;   // of the order that it has
  bool begun = false;  // its container was started
  bool ended = false;  // and is over, or never will be started
  bool succeeded = false;
  bool terminating = false;
  int64_t restarts = 0;
  std::string said;     // its container's termination message
  std::string trouble;  // in Kubernetes' words; empty: none
  bool operator==(const TestPod&) const = default;
};
TestPod test_pod_of(const Json& pod);

struct TestSeen {
  const api::BackupSchedule* schedule = nullptr;
  bool in_force = false;                         // else nothing is begun
  std::optional<api::TestAssignment> under_way;  // as the link's status has it
  std::optional<TestPod> pod;                    // looked for only while a test is under way
  std::string stanza;                            // that is written now
  bool expiring = false;                         // something is being deleted in the repository: none is begun
  WallTime now{};
};

struct TestLook {
  std::optional<api::TestAssignment> assignment;  // for the link's status
  bool make_pod = false;
  std::optional<std::string> proven;  // the label of a backup that PostgreSQL ran on, just now
  std::vector<RunEvent> events;
  bool busy = false;
};

// `status`: of the schedule, from what it was to what it will be.
TestLook decide_test(const TestSeen& seen, api::BackupScheduleStatus& status);

// Into the status of whichever Backup stands for that label; what was proven by more stays.
void note_proven(const std::string& label, const std::string& stanza, api::VerifiedLevel level, WallTime at,
                 std::map<std::string, api::BackupStatus>& backups);

}  // namespace twinspan::controllers
