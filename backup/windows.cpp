#include "backup/windows.hpp"

#include <algorithm>
#include <set>

namespace twinspan::backup {
namespace {

// From the first timeline of a history to one of its descendants.
using Path = std::vector<Line>;

Path path_to(const Lineage& lineage, size_t leaf) {
  Path path{lineage[leaf]};
  for (size_t i = leaf; i-- > 0 && path.front().parent != 0;)  // parents come before their children
    if (lineage[i].timeline == path.front().parent) path.insert(path.begin(), lineage[i]);
  return path;
}

// The index in `path` of the timeline that wrote the byte at `position`.
size_t writer_of(const Path& path, Position position) {
  size_t at = 0;
  while (at + 1 < path.size() && path[at + 1].fork <= position) ++at;
  return at;
}

struct End {
  Position at;
  std::optional<WallTime> covers;
  std::optional<Position> seen{};
};

// How far WAL goes without a gap from `from` on. A descendant's first segment begins with its parent's bytes: either
// serves.
End reach(const Path& path, const std::vector<WalRange>& wal, Position from) {
  End end{from, std::nullopt};
  for (bool further = true; further;) {
    further = false;
    const size_t writer = writer_of(path, end.at);
    for (size_t i = writer; i < path.size() && !further; ++i)
      for (const WalRange& range : wal) {
        if (range.timeline != path[i].timeline || range.from > end.at || range.until <= end.at) continue;
        const bool forked = i + 1 < path.size() && path[i + 1].fork < range.until;
        const End next = forked ? End{path[i + 1].fork, std::nullopt} : End{range.until, range.covers, range.seen};
        if (next.at <= end.at) continue;  // a history that goes back is no history
        end = next;
        further = true;
        break;
      }
  }
  return end;
}

// Whether `backup` was taken of this history: on one of its timelines, and before the next one forked.
bool lies_on(const BackupSet& backup, const Path& path) {
  for (size_t i = 0; i < path.size(); ++i)
    if (path[i].timeline == backup.timeline)
      return backup.start >= path[i].fork && (i + 1 == path.size() || backup.stop <= path[i + 1].fork);
  return false;
}

std::optional<size_t> line_of(const Lineage& lineage, Timeline timeline) {
  for (size_t i = 0; i < lineage.size(); ++i)
    if (lineage[i].timeline == timeline) return i;
  return std::nullopt;
}

Answer answer_for(const BackupSet& backup, const Stored& stored, const std::set<std::string>& labels) {
  for (const std::string& needed : backup.needs)
    if (!labels.contains(needed)) return Answer::kNo;
  if (stored.lineage.empty()) return Answer::kUnknown;
  const auto line = line_of(stored.lineage, backup.timeline);
  if (!line) return Answer::kNo;  // of a promotion that failed
  const Path path = path_to(stored.lineage, *line);
  if (!lies_on(backup, path)) return Answer::kNo;
  if (!stored.wal) return Answer::kUnknown;
  return reach(path, *stored.wal, backup.start).at >= backup.stop ? Answer::kYes : Answer::kNo;
}

// All windows of one history; backups from which the WAL ends at the same place share one.
std::vector<Window> windows_on(const Path& path, const Stored& stored, const std::map<std::string, Answer>& answers) {
  std::map<Position, Window> by_end;
  for (const BackupSet& backup : stored.backups) {
    if (answers.at(backup.label) != Answer::kYes || !lies_on(backup, path)) continue;
    End end = reach(path, *stored.wal, backup.stop);
    // Recovery to a moment ends at a commit after it: one that the backup has already says nothing, whatever its clock
    // said.
    const bool had = end.covers && end.seen && *end.seen < backup.stop;
    if (end.at == backup.stop || had) end.covers = backup.stopped_at;
    if (end.covers) end.covers = std::max(*end.covers, backup.stopped_at);
    // At a fork the parent's last byte was the last one: the timeline that wrote it is the one to name.
    const Position last{end.at.value - 1};
    const Window window{backup.stopped_at, end.covers, path[writer_of(path, last)].timeline, backup.stop, end.at};
    const auto [known, added] = by_end.emplace(end.at, window);
    // Of the first: what a later one says of its own end is no commit at which recovery from an earlier one could stop.
    if (!added && window.start < known->second.start) known->second = window;
  }
  std::vector<Window> windows;
  for (const auto& [end, window] : by_end) windows.push_back(window);
  return windows;
}

// Whether restores into `window` are restores into `other` too, which goes on further along the same history.
bool within(const Window& window, const Window& other, const Lineage& lineage) {
  if (window == other || other.start > window.start) return false;
  if (window.timeline == other.timeline) return window.end <= other.end;
  const Path path = path_to(lineage, *line_of(lineage, other.timeline));
  for (size_t i = 0; i + 1 < path.size(); ++i)
    if (path[i].timeline == window.timeline) return window.end <= path[i + 1].fork && window.end <= other.end;
  return false;
}

std::vector<Gap> gaps_on(const Path& path, const std::vector<WalRange>& wal, Position from) {
  std::vector<Gap> gaps;
  for (;;) {
    const Position end = reach(path, wal, from).at;
    std::optional<Position> next;  // where there is WAL again that this history consists of
    for (const WalRange& range : wal)
      for (size_t i = 0; i < path.size(); ++i) {
        const bool counts = path[i].timeline == range.timeline && range.from > end &&
                            (i + 1 == path.size() || range.from < path[i + 1].fork);
        if (counts && (!next || range.from < *next)) next = range.from;
      }
    if (!next) return gaps;
    gaps.push_back({path[writer_of(path, end)].timeline, end, *next});
    from = *next;
  }
}

}  // namespace

bool goes_on(const Window& window, const Lineage& lineage) {
  if (lineage.empty()) return false;
  const Path newest = path_to(lineage, lineage.size() - 1);
  for (size_t i = 0; i < newest.size(); ++i)
    if (newest[i].timeline == window.timeline) return i + 1 == newest.size() || window.end <= newest[i + 1].fork;
  return false;
}

Restorable restorable(const Stored& stored) {
  Restorable found;
  std::set<std::string> labels;
  for (const BackupSet& backup : stored.backups) labels.insert(backup.label);
  for (const BackupSet& backup : stored.backups) found.backups[backup.label] = answer_for(backup, stored, labels);
  if (!stored.wal || stored.lineage.empty()) return found;
  std::vector<Window> all;
  for (size_t leaf = 0; leaf < stored.lineage.size(); ++leaf)
    for (const Window& window : windows_on(path_to(stored.lineage, leaf), stored, found.backups))
      if (std::find(all.begin(), all.end(), window) == all.end()) all.push_back(window);
  found.windows.emplace();
  for (const Window& window : all)
    if (std::none_of(all.begin(), all.end(),
                     [&](const Window& other) { return within(window, other, stored.lineage); }))
      found.windows->push_back(window);
  std::stable_sort(found.windows->begin(), found.windows->end(),
                   [](const Window& a, const Window& b) { return a.from < b.from; });
  // One of log that the database left may have begun later than the one that goes on.
  std::stable_partition(found.windows->begin(), found.windows->end(),
                        [&](const Window& one) { return !goes_on(one, stored.lineage); });
  const Path newest = path_to(stored.lineage, stored.lineage.size() - 1);
  std::optional<Position> oldest;
  for (const BackupSet& backup : stored.backups)
    if (found.backups[backup.label] == Answer::kYes && lies_on(backup, newest) && (!oldest || backup.start < *oldest))
      oldest = backup.start;
  found.gaps = oldest ? gaps_on(newest, *stored.wal, *oldest) : std::vector<Gap>{};
  return found;
}

}  // namespace twinspan::backup
