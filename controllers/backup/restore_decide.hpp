// How a Restore goes on. The link is made here, as the schedule's is, or by a person for this very Restore: with the
// annotation twinspan.dev/restore from the beginning, so that its agents make no data of their own. Pure; whoever
// carries it out writes its status first, then makes the link, then tells the link's agents what to fetch: nothing is
// fetched before that, and nothing else is put there.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "contract/backup_report.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

struct RestoreSeen {
  const api::Restore* restore = nullptr;
  const api::BackupSchedule* schedule = nullptr;  // that it names, or its Backup; nullptr: there is none
  const api::ReplicationLink* source = nullptr;   // the schedule's link, by the spec in force
  const api::ReplicationLink* made = nullptr;     // the link of the new one's name; in place, the one it goes into
  std::optional<int64_t> writes;                  // the timeline of `source`'s primary in the stanza, by its word
  std::optional<BackupReport::Restored> said;     // by the agent of its source; in place, of status.endpoint
  std::map<std::string, bool> earlier_claims;     // the new link's by name, made before it; true: on its way out
  WallTime now{};
  const api::Backup* backup = nullptr;  // that it names; nullptr: there is none
  // In place only. By fresh words alone: the primary holds its lease in the very epoch that it was told; every endpoint
  // is on the primary's timeline.
  bool settled = false, followed = false;
  std::vector<std::shared_ptr<const api::Restore>> others{};  // that go into the same link in place
};

struct RestoreLook {
  api::RestoreStatus status;
  std::optional<api::ReplicationLink> create;    // the new link
  std::optional<api::RestoreAssignment> assign;  // its status.restore
  bool detach = false;                           // its status.restore goes, and with it the right to read the bucket
  bool again = false;                            // though it is over, there is more to look after
};

RestoreLook decide_restore(const RestoreSeen& seen);
bool is_over(const api::RestoreStatus& status);
// Whether what it reads must not be deleted: one that waits for a repository that nobody told of reads nothing yet.
bool reads_repository(const api::Restore& restore);

}  // namespace twinspan::controllers
