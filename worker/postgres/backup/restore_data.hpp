// The first data of a link that a Restore made: fetched from the repository and recovered up to the target beside where
// they belong, and put there once they are a primary's whole data. Whatever happens before that leaves nothing.
#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "contract/backup_report.hpp"
#include "engines/postgres/archive/follow.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/settings.hpp"
#include "failover/report.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/backup/repository_access.hpp"
#include "worker/postgres/backup/restore_plan.hpp"

namespace twinspan::worker {

// twinspan-archive, beside this program.
std::string archive_program();
// restore_command of a member that follows this history (engines/postgres/archive/follow.hpp).
std::string follow_command(const PgBackRest& archive, const postgres::Followed& followed);

// `pgbackrest restore` with `options` into the empty pgdata of `place`. Recovery gets its log by twinspan-archive,
// along `timeline`, up to `end`, and ends on a timeline above `taken`; tablespaces go below `tablespaces`.
Status fetch_backup(const PgBackRest& program, const postgres::Layout& place, const std::string& tablespaces,
                    std::vector<std::string> options, int64_t timeline, std::optional<Position> end, int64_t taken,
                    std::chrono::milliseconds longest, const std::stop_token& stop);

// PostgreSQL takes a segment that is not there for the end of the log, and promotes. Words for a recovery that ended at
// `end` and should have come to `newest`, the newest stored segment of that timeline; empty: it did, or `newest` is
// another timeline's: an older one, where that is what was asked for, ends where it ends.
std::string gap_after(const TimelineSwitch& end, const std::string& newest, uint32_t timeline);

struct RestoreNeeds {
  postgres::Children& children;
  const postgres::Layout& layout;
  const RepositoryAccess& access;
  const postgres::Settings& settings;                          // as they will be, without upstream
  std::function<void(const BackupReport::Restored&)> on_step;  // all but the name
  const Clock& clock;
  Exhausted& exhausted;
};

// Where the data are made, and what they may not have in common with those that are there.
struct RestorePlace {
  postgres::Layout layout;  // pgdata is made anew
  std::string tablespaces;  // their folder
  // Recovery ends on a timeline above this one, and above all that are stored. nullopt: on any that is free.
  std::optional<int64_t> taken = std::nullopt;
  std::function<Status(const RestorePlan&)> fits = {};  // asked once the plan is made, before anything is fetched
  std::function<Status()> may_recover = {};             // once it is fetched, before anything is replayed
};
struct RestoredData {
  backup::Timeline timeline = 0;  // that they are on now
  std::string reached;            // where that began: the position that recovery came to
};
// A place of its own beside the data, with a socket that nobody else knows.
postgres::Layout beside(const postgres::Layout& layout);
// A primary's whole data that stopped cleanly, in `place`. Nothing of it leads a later recovery, and nobody is let in.
Result<RestoredData> restore_into(const RestoreNeeds& needs, const RestorePlace& place,
                                  const api::RestoreAssignment& from, BackupReport::Restored& said,
                                  const std::stop_token& stop);

// A target that is out of reach for good: trying again would not help.
bool is_final(const Error& error);

Status restore_data(const RestoreNeeds& needs, const api::RestoreAssignment& from, const std::stop_token& stop);

}  // namespace twinspan::worker
