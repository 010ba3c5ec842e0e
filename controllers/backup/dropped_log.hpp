// Log that the archiver let go because it could not be stored: gaps that are told, and the full backup that ends them.
// Pure.
#pragma once
#include <optional>
#include <vector>

#include "api/types.hpp"
#include "backup/types.hpp"
#include "contract/backup_report.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

inline constexpr size_t kGapsShownMost = 100;

// Into the gaps of a schedule's status: a gap that was found where one was made gets its cause and its time.
// What lies before `log_from` was given up by retention, and is no gap.
void note_dropped(std::vector<api::LogGap>& gaps, const std::vector<DroppedLog>& dropped,
                  std::optional<Position> log_from = std::nullopt);

// Where a backup begins that can be begun with.
struct Beginning {
  backup::Timeline timeline = 0;
  Position start;
};

// Since when nothing that was written later can be restored, up to the next backup; nullopt: one began behind all that
// was let go. By positions: clocks of two times, or of two members, tell nothing.
std::optional<WallTime> broken_since(const std::vector<DroppedLog>& dropped, const std::vector<Beginning>& backups);

// Whether a full backup is to be made now: the log is broken, and the repository takes what is stored again.
bool full_is_owed(const BackupReport& archiver, const std::vector<Beginning>& backups);

}  // namespace twinspan::controllers
