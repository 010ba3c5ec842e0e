// What a PostgreSQL member's agent says of the log it stores, the backup it takes and the data it restores: `backup` in
// the details of its report. Words that are not known say nothing.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "core/json.hpp"

namespace twinspan {

struct BackupReport {
  std::string stanza;      // that it stores in; empty: nowhere
  bool ready = false;      // the repository was reached, and is there
  bool archiving = false;  // PostgreSQL runs with archive_mode: before its restart it keeps nothing back
  int64_t timeline = 0;    // that it writes, of a primary that may store; 0: it is none
  std::string trouble;     // why not, or why the log is not stored; empty: all is well
  std::string stored;      // the last file of the log that this member knows to be stored
  std::string waiting;     // the one that waits now

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
    bool operator==(const Run&) const = default;
  };
  std::optional<Run> run;

  enum class Step { kFetching, kRecovering, kRestored, kFailed };
  struct Restored {  // of the first data of a link that a Restore made
    std::string name;
    Step step = Step::kFetching;
    std::string message;
    bool operator==(const Restored&) const = default;
  };
  std::optional<Restored> restored;
  bool operator==(const BackupReport&) const = default;
};

// Whether it is the one that writes what is stored there, so that its timeline is known.
inline bool writes(const BackupReport& report, const std::string& stanza) {
  return report.stanza == stanza && report.timeline > 0;
}

Json to_json(const BackupReport& report);
// Whatever it can't read counts as not said.
BackupReport backup_report_of(const Json& details);

}  // namespace twinspan
