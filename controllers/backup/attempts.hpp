// Attempts of Backups: which one is begun, how one that runs goes on, when it is given up. Pure.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controllers/backup/backup_decide.hpp"

namespace twinspan::controllers {

const MemberSeen* find_member(const BackupSeen& seen, const std::string& endpoint);  // nullptr: nothing is known of it

bool runs(const api::BackupStatus& status);

// What look.assignment's members are to run; nullopt: nothing. Into look.backups goes how each of them is now. At most
// one runs, the oldest first.
std::optional<api::BackupRun> look_after(const std::vector<std::shared_ptr<const api::Backup>>& backups,
                                         const BackupSeen& seen, const std::string& primary,
                                         const api::BackupScheduleSpec& spec, BackupLook& look);

}  // namespace twinspan::controllers
