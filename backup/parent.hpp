// What a Differential or an Incremental builds on. pgBackRest makes a Full, and says only a warning, where there is
// nothing; here it is asked for before, and what was stored is looked at afterwards. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/types.hpp"
#include "core/result.hpp"

namespace twinspan::backup {

// Of `backups` of one stanza, oldest first, the one that pgBackRest 2.45 builds on (backup.c, backupBuildIncrPrior):
// the newest Full for a Differential, the newest of any kind for an Incremental, of the same database. An empty label:
// a Full, which needs none. kInvalid: there is none, or pages of it have wrong checksums, which the new one would take
// over without reading them; the words end with "make a full".
Result<std::string> parent_for(Kind kind, const std::vector<BackupSet>& backups, const std::string& system_id);

// By its form: "20261126-020000F", "20261126-020000F_20261127-020000I". nullopt: it is no backup's label.
std::optional<Kind> kind_of_label(std::string_view label);

std::string_view type_of(Kind kind);  // as --type takes it: "full", "diff", "incr"

}  // namespace twinspan::backup
