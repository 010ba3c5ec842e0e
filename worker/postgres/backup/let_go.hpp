// Log that could not be stored and is let go, so that a full volume never stops the database: when that is, and the
// record of it beside the data. Pure but for the file.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "contract/backup_report.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"
#include "engines/postgres/room.hpp"

namespace twinspan::worker {

struct LetGoView {
  std::optional<postgres::Volume> volume;  // as last measured; nullopt: nothing is let go
  int64_t keep_free_percent = 0;
  std::optional<BootTime> unstored_since;  // since when nothing could be stored, or compared; nullopt: it just was
  uint64_t let_go_bytes = 0;               // so much already, since the volume last had more room
  BootTime now{};
};

// How long nothing can be stored before anything is let go: a repository that is slow is no reason.
inline constexpr std::chrono::seconds kUnstoredLeast{60};

// Of a whole segment that waits. No more than the volume lacks: PostgreSQL removes what it may forget only at its next
// checkpoint.
bool may_let_go(const LetGoView& view);

// "the volume of east had 12% free, less than keepFreePercent (20)"
std::string let_go_cause(const std::string& endpoint, const postgres::Volume& volume, int64_t keep_free_percent);

// One more segment: a range that it follows grows. At most kDroppedMost ranges are kept, the newest.
inline constexpr size_t kDroppedMost = 100;
void note_dropped(std::vector<DroppedLog>& ranges, const std::string& segment, const std::string& cause, WallTime now,
                  bool conflict = false);

// What of it the archive does not have after all: another member may have stored it. `stored`: whether it has a
// segment.
Result<std::vector<DroppedLog>> still_missing(const std::vector<DroppedLog>& ranges,
                                              const std::function<Result<bool>(const std::string& segment)>& stored);

// Beside PGDATA, on disk before it counts. Of another database's log nothing is said.
// `now` is what is recorded, `missing` what became of `before` by still_missing: what was not asked about stays.
std::vector<DroppedLog> with_answers(const std::vector<DroppedLog>& now, const std::vector<DroppedLog>& before,
                                     const std::vector<DroppedLog>& missing);

Result<std::vector<DroppedLog>> read_dropped(const std::string& data_dir, const std::string& stanza);
Status write_dropped(const std::string& data_dir, const std::string& stanza, const std::vector<DroppedLog>& ranges);

}  // namespace twinspan::worker
