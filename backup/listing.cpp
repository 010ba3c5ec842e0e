#include "backup/listing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "backup/archive.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace twinspan::backup {
namespace {

constexpr size_t kFolderName = 16, kSegmentName = 24;

Result<Json> files_of(std::string_view listing) {
  Json json = Json::parse(listing, nullptr, false);
  if (!json.is_object())
    return fail(Code::kInvalid, "pgbackrest repo-ls: expected a JSON object, got \"" + one_line(listing, 100) + "\"");
  return json;
}

bool is_folder(std::string_view name) {
  return name.size() == kFolderName && name.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}

template <class Number>
bool read(std::string_view text, Number& number) {
  return read_number(text, number);
}

bool read(std::string_view text, WallTime& time) {
  int64_t seconds = 0;
  if (!read(text, seconds)) return false;
  time = WallTime(std::chrono::seconds(seconds));
  return true;
}

bool read(std::string_view text, Position& position) {
  const auto found = parse_position(text);
  position = found.value_or(Position{});
  return found.has_value();
}

int64_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

using Needs = std::map<std::string, std::set<std::string>>;  // all that each one needs, however far back

Needs all_needs(const std::vector<BackupSet>& backups) {
  Needs needs;
  for (const BackupSet& backup : backups) needs[backup.label].insert(backup.needs.begin(), backup.needs.end());
  for (bool more = true; more;) {
    more = false;
    for (auto& [label, its] : needs) {
      std::set<std::string> further = its;
      for (const std::string& one : its)
        if (const auto found = needs.find(one); found != needs.end())
          further.insert(found->second.begin(), found->second.end());
      more |= further.size() != its.size();
      its = std::move(further);
    }
  }
  return needs;
}

// Of what it needs, what does not follow from the rest is named.
std::string line_of(const BackupSet& backup, const Needs& needs) {
  std::string direct;
  for (const std::string& one : backup.needs) {
    const bool follows = std::any_of(backup.needs.begin(), backup.needs.end(), [&](const std::string& other) {
      const auto found = needs.find(other);
      return found != needs.end() && other != one && found->second.contains(one);
    });
    if (!follows) direct += (direct.empty() ? "" : ",") + one;
  }
  const std::string_view pages = !backup.corrupt ? "-" : *backup.corrupt ? "corrupt" : "clean";
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}", backup.label, static_cast<int>(backup.kind),
                     backup.timeline, to_string(backup.start), to_string(backup.stop), seconds_of(backup.started_at),
                     seconds_of(backup.stopped_at), backup.size_bytes, backup.read_bytes, backup.stored_bytes, pages,
                     direct.empty() ? "-" : direct);
}

}  // namespace

Result<std::vector<std::string>> folders_in(std::string_view listing) {
  const auto files = files_of(listing);
  if (!files) return std::unexpected(files.error());
  std::vector<std::string> folders;
  for (const auto& [name, file] : files->items())
    if (is_folder(name)) folders.push_back(name);
  std::sort(folders.rbegin(), folders.rend());
  return folders;
}

Result<std::vector<uint64_t>> segments_in(std::string_view listing, std::string_view folder) {
  const auto files = files_of(listing);
  if (!files) return std::unexpected(files.error());
  std::set<uint64_t> numbers;
  for (const auto& [name, file] : files->items()) {
    if (!name.starts_with(folder) || name.size() <= kSegmentName) continue;
    const std::string segment = name.substr(0, kSegmentName);
    if (const auto number = number_of(segment); number && stored_digest(name, segment)) numbers.insert(*number);
  }
  return std::vector<uint64_t>(numbers.begin(), numbers.end());
}

std::vector<SegmentRun> runs_of(const std::map<std::string, std::vector<uint64_t>>& segments) {
  std::vector<SegmentRun> runs;
  for (const auto& [folder, numbers] : segments) {
    const Timeline timeline = timeline_of(folder);
    for (const uint64_t number : numbers)
      if (!runs.empty() && runs.back().timeline == timeline && runs.back().last + 1 == number)
        runs.back().last = number;
      else
        runs.push_back({timeline, number, number});
  }
  return runs;
}

std::vector<SegmentRun> without(const std::vector<SegmentRun>& log, const SegmentRun& segments) {
  std::vector<SegmentRun> left;
  for (const SegmentRun& run : log) {
    if (run.timeline != segments.timeline || run.last < segments.first || segments.last < run.first) {
      left.push_back(run);
      continue;
    }
    if (run.first < segments.first) left.push_back({run.timeline, run.first, segments.first - 1});
    if (segments.last < run.last) left.push_back({run.timeline, segments.last + 1, run.last});
  }
  return left;
}

// "rmgr: Transaction … desc: COMMIT 2026-11-29 12:00:00.123456 UTC; …"; the same of ABORT.
std::optional<WallTime> last_end_in(std::string_view printed) {
  constexpr std::string_view kEnds[] = {"desc: COMMIT ", "desc: ABORT "};
  constexpr size_t kTime = std::string_view("2026-11-29 12:00:00.123456").size();
  std::optional<WallTime> last;
  for (const std::string_view line : split_lines(printed)) {
    for (const std::string_view what : kEnds) {
      const size_t at = line.find(what);
      if (at == std::string_view::npos || line.size() < at + what.size() + kTime) continue;
      std::string time(line.substr(at + what.size(), kTime));
      if (line.substr(at + what.size() + kTime, 4) != " UTC") continue;
      time[10] = 'T';
      if (const auto read = parse_rfc3339(time + "Z")) last = *read;
    }
  }
  return last;
}

Stored stored_of(const Listing& listing) {
  Stored stored;
  stored.backups = listing.backups;
  stored.lineage = listing.lineage;
  if (!listing.trouble.empty()) return stored;
  stored.wal.emplace();
  for (const SegmentRun& run : listing.log) {
    WalRange range{run.timeline, {run.first * kSegmentBytes}, {(run.last + 1) * kSegmentBytes}, std::nullopt};
    const auto& commit = listing.commit;
    if (commit && commit->timeline == run.timeline && run.first <= commit->segment && commit->segment <= run.last)
      range.covers = commit->at, range.seen = Position{commit->segment * kSegmentBytes};
    stored.wal->push_back(range);
  }
  return stored;
}

std::vector<std::string> lines_of(const std::vector<BackupSet>& backups) {
  const Needs needs = all_needs(backups);
  std::vector<std::string> lines;
  for (const BackupSet& backup : backups) lines.push_back(line_of(backup, needs));
  return lines;
}

std::optional<BackupSet> backup_of_line(std::string_view line) {
  const auto words = split_ended(line, ' ');
  BackupSet backup;
  int kind = 0;
  if (words.size() != 12 || words[0].empty() || !read(words[1], kind) || kind < 0 || kind > 2 ||
      !read(words[2], backup.timeline) || !read(words[3], backup.start) || !read(words[4], backup.stop) ||
      !read(words[5], backup.started_at) || !read(words[6], backup.stopped_at) || !read(words[7], backup.size_bytes) ||
      !read(words[8], backup.read_bytes) || !read(words[9], backup.stored_bytes))
    return std::nullopt;
  backup.label = words[0];
  backup.kind = kKinds[kind];
  if (words[10] != "-") backup.corrupt = words[10] == "corrupt";
  std::string_view needs = words[11] == "-" ? std::string_view() : words[11];
  while (!needs.empty()) {
    const size_t end = std::min(needs.find(','), needs.size());
    backup.needs.emplace_back(needs.substr(0, end));
    needs.remove_prefix(std::min(end + 1, needs.size()));
  }
  return backup;
}

std::string line_of(const SegmentRun& run) { return fmt::format("{} {} {}", run.timeline, run.first, run.last); }

std::optional<SegmentRun> run_of_line(std::string_view line) {
  const auto words = split_ended(line, ' ');
  SegmentRun run;
  if (words.size() != 3 || !read(words[0], run.timeline) || !read(words[1], run.first) || !read(words[2], run.last) ||
      run.last < run.first)
    return std::nullopt;
  return run;
}

std::string line_of(const Line& line) {
  return fmt::format("{} {} {} {}", line.epoch.value, line.timeline, line.parent, to_string(line.fork));
}

std::optional<Line> lineage_of_line(std::string_view text) {
  const auto words = split_ended(text, ' ');
  Line line;
  if (words.size() != 4 || !read(words[0], line.epoch.value) || !read(words[1], line.timeline) ||
      !read(words[2], line.parent) || !read(words[3], line.fork))
    return std::nullopt;
  return line;
}

void complete_needs(std::vector<BackupSet>& backups) {
  const Needs needs = all_needs(backups);
  for (BackupSet& backup : backups) {
    const auto& all = needs.at(backup.label);
    backup.needs.assign(all.begin(), all.end());
  }
}

}  // namespace twinspan::backup
