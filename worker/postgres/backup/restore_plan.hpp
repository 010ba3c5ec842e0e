// What a restore begins with, and whether its goal can be reached: asked of the repository, before anything is fetched.
#pragma once
#include <optional>
#include <stop_token>
#include <string>

#include "api/types.hpp"
#include "backup/goal.hpp"
#include "backup/types.hpp"
#include "core/clock.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"

namespace twinspan::worker {

struct RestorePlan {
  backup::Goal goal;
  backup::BackupSet backup;
  backup::Timeline timeline = 0;
  std::string newest_segment;                  // of the log that was stored then
  std::string frontier;                        // ReachSeen::exhausted, should recovery end before the goal
  std::optional<Position> end = std::nullopt;  // ReachVerdict::end
};

Result<backup::Goal> goal_of(const api::RestoreAssignment& from);

struct PlanNeeds {
  postgres::Children& children;
  const PgBackRest& program;
  const postgres::Layout& place;  // of the restore; nothing of what is made there for the plan stays
  const Clock& clock;
};

// kUnavailable: the goal is not stored yet, and waited for. `exhausted`: the newest segment that was stored when an
// attempt came to the end of the log before its goal; empty: none did.
Result<RestorePlan> plan_restore(const PlanNeeds& needs, const api::RestoreAssignment& from,
                                 const std::string& exhausted, const std::stop_token& stop);

}  // namespace twinspan::worker
