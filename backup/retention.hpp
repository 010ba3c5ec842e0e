// Which backups are kept, why, which go, and from where on WAL is kept. Pure; the caller stores the plan before it
// carries it out by `expire --set`, one label at a time, then a second expire for the WAL, and reads the labels
// afterwards: exit codes prove nothing.
//
// Kept is what any rule keeps, and all that it needs. The newest backup that can be restored outlives every rule. What
// is not known to be restorable is kept as if it were, and counts for nothing: a rule looks further back, to one that
// is known to be.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "backup/types.hpp"
#include "backup/windows.hpp"
#include "core/zone.hpp"

namespace twinspan::backup {

struct RetentionRules {
  std::optional<int> days;  // any moment of them can be restored; from 1
  int minimum_full = 2;     // the newest so many Fulls; from 1
  // The newest backup of each of the newest so many days, weeks (from Monday on) and months that have one.
  int daily = 0, weekly = 0, monthly = 0;
  int max_delete_percent = 50;  // of all backups, at once; 1 to 100
  TimeZone zone;                // whose days these are

  // Without one of them everything is kept, and all of the log.
  bool any() const { return days || daily > 0 || weekly > 0 || monthly > 0; }
};

struct Held {  // a backup, and what is known of it
  BackupSet backup;
  Answer restorable = Answer::kUnknown;  // windows.hpp
  bool forever = false;                  // spec.keep of its Backup
  bool in_use = false;                   // a restore or a verification reads it, or what needs it
};

struct RetentionSeen {
  WallTime now;
  bool listing_whole = false;                            // of backups and of WAL
  std::optional<std::chrono::seconds> clocks_differ_by;  // this clock and the repository's; nullopt: not measured
  bool clock_suspect = false;                            // schedule.hpp
  bool backup_runs = false;                              // in this repository, whoever began it
  std::vector<Held> backups;
};

enum class Why { kNewest, kForever, kDays, kWindowBegins, kMinimumFull, kDaily, kWeekly, kMonthly, kNeeded, kNoRule };
std::string_view to_string(Why why);  // for people: "the newest that can be restored" …

struct Kept {
  std::string label;
  std::vector<Why> why;  // in the order of Why
  bool operator==(const Kept&) const = default;
};

enum class Refusal {
  kListingNotWhole,
  kClocksDiffer,
  kClockSuspect,
  kBackupRuns,
  kInUse,
  kTooManyAtOnce,
  kTooFewFulls,
  kNotThere,  // of one that a person names
  kNeeded,
  kNewest,
  kForever
};

struct Refused {
  Refusal reason;
  std::string message;
  bool operator==(const Refused&) const = default;
};

struct WalStretch {
  Timeline timeline = 0;
  Position from, until;  // [from, until]
  bool operator==(const WalStretch&) const = default;
};

struct WalKept {
  // All WAL from the start of this backup on, of its timeline and of later ones: the newest that can be restored and
  // ended before the days began; without days, the oldest that is kept. nullopt: all that there is, since there is no
  // such backup.
  std::optional<std::string> from_label;
  Timeline timeline = 0;
  Position from;
  std::vector<WalStretch> older;  // the own WAL of kept backups that began before it
  // What `expire --repo1-retention-archive=N --repo1-retention-archive-type=full` has to be told: kept Fulls from the
  // one on that from_label is or needs. pgBackRest then keeps from that Full's start on. 0: WAL must not be expired.
  int newest_fulls = 0;
  bool operator==(const WalKept&) const = default;
};

struct RetentionPlan {
  std::vector<Kept> kept;  // newest first
  std::vector<std::string>
      going;  // in this order: none is needed by one that comes later. Nothing may go where `refused` is set
  std::optional<Refused> refused;  // also where nothing goes: WAL may not be expired either
  WalKept wal;                     // once they are gone
};

// Of one backup that a person wants deleted, whatever the rules say: why it is not; nullopt: it goes. How many go at
// once does not count.
std::optional<Refused> judge_deletion(const std::string& label, const RetentionRules& rules, const RetentionSeen& seen);

RetentionPlan plan_retention(const RetentionRules& rules, const RetentionSeen& seen);

}  // namespace twinspan::backup
