// What a restore is to reach, and what it begins with: the timeline that is followed and the backup, by what is stored.
// Decided before anything is fetched. Pure.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/archive.hpp"
#include "backup/types.hpp"
#include "core/result.hpp"

namespace twinspan::backup {

struct Goal {
  enum class Kind { kLatest, kImmediate, kTime, kLsn, kTransaction, kRestorePoint };
  Kind kind = Kind::kLatest;
  WallTime moment{};       // of kTime
  Position position;       // of kLsn
  uint64_t number = 0;     // of kTransaction, with its epoch
  std::string name;        // of kRestorePoint
  bool exclusive = false;  // of kTime, kLsn and kTransaction
  std::string label;       // of the backup to begin with; empty: the newest that is whole before the goal
};
std::string words_of(const Goal& goal);  // "2026-11-25T14:30:00Z", "position 0/5F000000", "transaction 731" …

// PostgreSQL compares 32 bits of a transaction's number.
inline uint32_t number_in_log(const Goal& goal) { return static_cast<uint32_t>(goal.number); }

// "can't be restored" is in every refusal that is final: trying again would not help.
Error never(const Goal& goal, const std::string& why);

// Timelines of which a listing of the archive (`repo-ls archive/STANZA/15-1`) shows a history or a folder of segments.
std::set<Timeline> timelines_in(std::string_view listing);

// Of one: the newest folder of its segments there; empty: there is none.
std::string newest_folder(std::string_view listing, Timeline timeline);
// Of a listing of such a folder: the newest whole segment's name; empty: there is none.
std::string newest_segment(std::string_view listing);

// What is followed: the one that is wanted, where it is stored at all; 0: the newest.
Result<Timeline> choose_timeline(const Goal& goal, int64_t wanted, const std::set<Timeline>& stored);

struct Choice {
  std::vector<BackupSet> backups;  // in any order
  Timeline timeline = 0;           // that is followed
  std::vector<Departure> history;  // how it came about, oldest first
  std::optional<Position> where;   // of the goal, once it was found in the log
};
// The newest backup on the way to the goal that is whole before it, or the one that the goal names.
Result<BackupSet> choose_backup(const Goal& goal, const Choice& choice);

// Options of `pgbackrest restore`. Whoever recovers to a goal before the end ends recovery there.
std::vector<std::string> options_of(const Goal& goal, Timeline timeline, const std::string& label);

}  // namespace twinspan::backup
