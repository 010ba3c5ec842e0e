// What a repository holds of one link, as an agent lists it and the operator reads it. `info` names the first and the
// last segment of the log only, so the log is listed folder by folder. Pure.
//
// The newest folder is listed first: what is stored meanwhile follows what is there, so that a folder which is listed
// later is never behind one that was listed before it, and no gap is seen where there is none.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/archive.hpp"
#include "backup/windows.hpp"
#include "core/result.hpp"

namespace twinspan::backup {

inline constexpr uint64_t kSegmentsOfFolder = 256;

// Whole segments of a timeline, by number (archive.hpp), both included.
struct SegmentRun {
  Timeline timeline = 0;
  uint64_t first = 0, last = 0;
  bool operator==(const SegmentRun&) const = default;
};

// A transaction that ended: whoever restores up to a moment before it finds where to stop.
struct SeenCommit {
  Timeline timeline = 0;
  uint64_t segment = 0;  // that it is in
  WallTime at{};         // whole seconds, and before that transaction ended
  bool operator==(const SeenCommit&) const = default;
};

struct Listing {
  WallTime listed_at{};            // when it was begun, by the agent's clock
  std::string trouble;             // why it is not whole; empty: it is
  std::vector<BackupSet> backups;  // oldest first
  std::vector<SegmentRun> log;     // by timeline, then by number
  Lineage lineage;                 // empty: not known
  std::optional<SeenCommit> commit;
  std::optional<std::chrono::seconds> clock_ahead;  // the bucket's before the agent's; nullopt: not measured
  bool operator==(const Listing&) const = default;
};

// Of `repo-ls --output=json` of the archive: the folders of segments, newest first; of one of those: the numbers of its
// whole segments, ascending. kInvalid: this is no listing.
Result<std::vector<std::string>> folders_in(std::string_view listing);
Result<std::vector<uint64_t>> segments_in(std::string_view listing, std::string_view folder);
// By folder.
std::vector<SegmentRun> runs_of(const std::map<std::string, std::vector<uint64_t>>& segments);

// But for these segments.
std::vector<SegmentRun> without(const std::vector<SegmentRun>& log, const SegmentRun& segments);

// In a file of the log that pg_waldump prints (--rmgr=Transaction, TZ=UTC): when its last transaction ended. nullopt:
// there is none, or none that can be read.
std::optional<WallTime> last_end_in(std::string_view printed);

Stored stored_of(const Listing& listing);

// As members report it: a line each. A backup's line names what it was made upon and nothing that follows from that;
// what is read again needs all of it (complete_needs).
std::vector<std::string> lines_of(const std::vector<BackupSet>& backups);
std::string line_of(const SegmentRun& run);
std::string line_of(const Line& line);
std::optional<BackupSet> backup_of_line(std::string_view line);
std::optional<SegmentRun> run_of_line(std::string_view line);
std::optional<Line> lineage_of_line(std::string_view line);
void complete_needs(std::vector<BackupSet>& backups);

}  // namespace twinspan::backup
