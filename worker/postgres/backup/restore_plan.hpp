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
  std::string newest_segment;                            // of the log that was stored then
  std::string frontier;                                  // ReachSeen::exhausted, should recovery end before the goal
  std::optional<Position> end = std::nullopt;            // ReachVerdict::end
  std::optional<Position> whole_if_read = std::nullopt;  // should recovery end before the goal
  std::optional<Position> cut = std::nullopt;            // what lies behind is another's log under the same number
  backup::Timeline highest = 0;                          // of which anything is stored
};

// What an attempt that came to the end of the log before its goal tells the next one.
struct Exhausted {
  std::string frontier;  // the newest that was stored then; empty: none came there
  std::optional<Position> whole_until;
};

Result<backup::Goal> goal_of(const api::RestoreAssignment& from);

struct PlanNeeds {
  postgres::Children& children;
  const PgBackRest& program;
  const postgres::Layout& place;  // of the restore; nothing of what is made there for the plan stays
  const Clock& clock;
};

// kUnavailable: the goal is not stored yet, and waited for.
Result<RestorePlan> plan_restore(const PlanNeeds& needs, const api::RestoreAssignment& from, const Exhausted& exhausted,
                                 const std::stop_token& stop);

}  // namespace twinspan::worker
