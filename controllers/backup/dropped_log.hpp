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

// Into the gaps of a schedule's status: a gap that was found where one was made gets its cause and its time.
// What lies before `log_from` was given up by retention, and is no gap.
void note_dropped(std::vector<api::LogGap>& gaps, const std::vector<DroppedLog>& dropped,
                  std::optional<Position> log_from = std::nullopt);

// Since when nothing that was written later can be restored, up to the next backup; nullopt: the newest one began later
// than anything was let go.
std::optional<WallTime> broken_since(const std::vector<DroppedLog>& dropped,
                                     const std::optional<api::LastBackup>& last);

// Whether a full backup is to be made now: the log is broken, and the repository takes what is stored again.
bool full_is_owed(const BackupReport& archiver, const std::optional<api::LastBackup>& last);

}  // namespace twinspan::controllers
