// What a schedule's status says of how far the log is stored, by what its archiver says. Pure.
#pragma once
#include <optional>
#include <string>

#include "api/types.hpp"
#include "contract/backup_report.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

// "<60s", "<5m", "Unknown": how much of the newest could be lost where the region is.
std::string unsafe_words(const std::optional<BackupReport::Continuous>& said);

// `archiver`: its fresh report of this stanza; nullptr: there is none. Figures that change all the time are written
// every five minutes, and when the words change. `broken`: log was let go then, and nothing that was written later can
// be restored.
void note_continuous(api::BackupScheduleStatus& status, const BackupReport* archiver, std::optional<WallTime> broken,
                     WallTime now);

}  // namespace twinspan::controllers
