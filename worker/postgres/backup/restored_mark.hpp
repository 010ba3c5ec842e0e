// Beside PGDATA: which Restore its data came from, so that an agent that starts anew knows it, too. Written before the
// data are put in their place; says nothing where there are none.
#pragma once
#include <optional>
#include <string>

#include "contract/backup_report.hpp"
#include "core/result.hpp"

namespace twinspan::worker {

struct RestoredMark {
  std::string restore;        // its name
  bool opened = false;        // clients were let in since: the passwords are this link's own
  std::string reached;        // the position that recovery came to
  std::string until = {};     // of data that took the place of others: how long those are kept (RFC 3339)
  bool brought_back = false;  // the others have it again
};

// For the report.
BackupReport::Restored said_of(const RestoredMark& mark);
std::optional<RestoredMark> read_restored_mark(const std::string& data_dir);
Status write_restored_mark(const std::string& data_dir, const RestoredMark& mark);

}  // namespace twinspan::worker
