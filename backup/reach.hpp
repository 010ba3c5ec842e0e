// Whether a moment can be restored, as far as what is stored tells before anything is fetched: what is not stored yet
// is waited for, for a while, what can never be is not. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "backup/types.hpp"

namespace twinspan::backup {

struct ReachSeen {
  std::vector<BackupSet> backups;
  std::string newest_segment;                // of the log; empty: none is stored
  std::optional<WallTime> newest_stored_at;  // when that was, by the bucket's clock; nullopt: it is not known
  std::string exhausted;  // what was the newest when an earlier attempt came to the end of the log before the moment
  Timeline timeline = 0;  // that is followed
  WallTime moment{}, now{}, until{};  // nothing is waited for after `until`
};

enum class Reach { kTry, kWait, kNever };

struct ReachVerdict {
  Reach reach = Reach::kTry;
  std::string words;  // for people: what is stored, and until when it is waited for; empty for kTry
};

ReachVerdict judge_reach(const ReachSeen& seen);

}  // namespace twinspan::backup
