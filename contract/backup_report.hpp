// What a PostgreSQL member's agent says of the log it stores, the backup it takes and the data it restores: `backup` in
// the details of its report. Words that are not known say nothing.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"

namespace twinspan {

// Segments, by name, that were let go though no repository has them; one timeline's, without a gap between them.
struct DroppedLog {
  std::string from, to;   // the first and the last
  std::string cause, at;  // for people; since when
  bool conflict = false;  // the repository has other bytes under these names
  bool operator==(const DroppedLog&) const = default;
};

struct BackupReport {
  std::string stanza;        // that it stores in; empty: nowhere
  bool ready = false;        // the repository was reached, and is there
  bool archiving = false;    // PostgreSQL runs with archive_mode: before its restart it keeps nothing back
  int64_t timeline = 0;      // that it writes, of a primary that may store; 0: it is none
  std::string trouble;       // why not, or why the log is not stored; empty: all is well
  std::string stored;        // the last file of the log that this member knows to be stored
  std::string waiting;       // the one that waits now
  bool at_replicas = false;  // this agent knows how a replica is backed up: as the replica, or as its primary

  struct Continuous {                       // of the member that stores the log
    int64_t seen_at = 0;                    // seconds since 1970
    std::string tail;                       // up to where the unfinished segment is stored; empty: it is not
    std::optional<int64_t> unsafe_seconds;  // the age of the oldest byte that is not stored; nullopt: not known
    int64_t unsafe_bytes = 0, max_delay_seconds = 0;
    bool operator==(const Continuous&) const = default;
  };
  std::optional<Continuous> continuous;
  std::vector<DroppedLog> dropped;  // by this member; oldest first

  enum class Phase { kRunning, kWaitingForWal, kCompleted, kFailed };
  struct Run {        // of one attempt
    std::string uid;  // of the Backup
    int64_t attempt = 0;
    Phase phase = Phase::kRunning;
    std::string message;
    std::string label, start, stop;
    int64_t timeline = 0, read_bytes = 0, stored_bytes = 0;
    int64_t started = 0, stopped = 0;  // seconds since 1970
    std::optional<bool> corrupt;       // pages with wrong checksums are in it; `message` names their files
    std::vector<std::string> needs;    // labels that it builds on
    bool no_parent = false;            // it failed since there is none to build on: only a Full helps
    bool operator==(const Run&) const = default;
  };
  std::optional<Run> run;

  struct Read {         // of every object of the repository
    std::string asked;  // when; tells one from another
    enum class Outcome { kRunning, kPassed, kFailed } outcome = Outcome::kRunning;
    std::string message;             // for people, what was found
    std::vector<std::string> whole;  // labels of backups in which nothing was found
    bool operator==(const Read&) const = default;
  };
  std::optional<Read> read;

  enum class Step { kFetching, kRecovering, kRestored, kFailed, kPrepared };
  struct Plan {  // of a restore, made before anything is fetched
    std::string backup, kind, stop;
    int64_t timeline = 0, bytes = 0;
    bool operator==(const Plan&) const = default;
  };
  // Of the first data of a link that a Restore made, or of those that are to take the place of a link's: prepared they
  // lie beside them, restored they have taken it.
  struct Restored {
    std::string name;
    Step step = Step::kFetching;
    std::string message;
    std::optional<Plan> plan{};
    std::string reached{};      // the position that recovery came to; empty: it is not there yet, or that is not known
    std::string until{};        // of those that took the place of others: how long these are kept, RFC 3339
    bool brought_back = false;  // the old data have taken their place again
    bool operator==(const Restored&) const = default;
  };
  std::optional<Restored> restored;

  enum class Cause { kNone, kUnreachable, kConflict, kBehind };
  Cause cause = Cause::kNone;  // of the trouble: the repository, other bytes in it, anything else

  struct Repository {     // as its archiver last listed it; lines as backup/listing.hpp has them
    int64_t listed = 0;   // seconds since 1970
    std::string trouble;  // why that is not whole; empty: it is
    std::vector<std::string> backups, log, lineage;
    std::string commit_log;              // the line of the one segment that has the last known end of a transaction
    int64_t commit = 0;                  // when that was, seconds since 1970; 0: not known
    std::optional<int64_t> clock_ahead;  // seconds, the bucket's before the archiver's
    std::string place;                   // endpoint, bucket and prefix that were listed; empty: not said
    bool operator==(const Repository&) const = default;
  };
  std::optional<Repository> repository;

  struct Expired {  // of what was asked for last
    std::string asked;
    bool runs = false;
    std::vector<std::string> gone;  // by a listing afterwards
    std::string message;            // why the rest is not; empty: all is done
    bool operator==(const Expired&) const = default;
  };
  std::optional<Expired> expired;
  bool operator==(const BackupReport&) const = default;
};

// Whether it is the one that writes what is stored there, so that its timeline is known.
inline bool writes(const BackupReport& report, const std::string& stanza) {
  return report.stanza == stanza && report.timeline > 0;
}

Json to_json(const BackupReport& report);
Json to_json(const std::vector<DroppedLog>& ranges);
std::vector<DroppedLog> dropped_of(const Json& ranges);
// Whatever it can't read counts as not said.
BackupReport backup_report_of(const Json& details);

}  // namespace twinspan
