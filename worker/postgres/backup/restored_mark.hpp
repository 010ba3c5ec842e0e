// Beside PGDATA: which Restore its data came from, so that an agent that starts anew knows it, too. Written before the
// data are put in their place; says nothing where there are none.
#pragma once
#include <optional>
#include <string>

#include "core/result.hpp"

namespace twinspan::worker {

struct RestoredMark {
  std::string restore;  // its name
  bool opened = false;  // clients were let in since: the passwords are this link's own
  std::string reached;  // the position that recovery came to
};

std::optional<RestoredMark> read_restored_mark(const std::string& data_dir);
Status write_restored_mark(const std::string& data_dir, const RestoredMark& mark);

}  // namespace twinspan::worker
