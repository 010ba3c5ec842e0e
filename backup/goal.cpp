#include "backup/goal.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "backup/repository_config.hpp"
#include "core/text.hpp"

namespace twinspan::backup {
namespace {

// In whole seconds, and only what ended before it, as pgBackRest chooses.
bool is_whole_before(const BackupSet& backup, const Goal& goal, const std::optional<Position>& where) {
  if (goal.kind == Goal::Kind::kTime) return backup.stopped_at < std::chrono::floor<std::chrono::seconds>(goal.moment);
  if (goal.kind == Goal::Kind::kLsn) return backup.stop <= goal.position;
  return !where || backup.stop <= *where;
}

// What came after the history that is followed had left its timeline is of another one.
bool is_on_the_way(const BackupSet& backup, const Choice& choice) {
  if (backup.timeline == choice.timeline) return true;
  return std::ranges::any_of(choice.history, [&](const Departure& one) {
    return one.timeline == backup.timeline && backup.stop.value <= one.position;
  });
}

std::string when_whole(const BackupSet& backup) {
  return fmt::format("{}, at {}", to_rfc3339(backup.stopped_at), to_string(backup.stop));
}

// Of segments, in the archive.
bool is_folder(std::string_view name) { return name.size() == 16 && is_segment(std::string(name) + "00000000"); }

// Names sort by position.
template <class Fits>
std::string newest_line(std::string_view listing, const Fits& fits) {
  std::string_view newest;
  for (const std::string_view name : split_lines(listing))
    if (fits(name) && name > newest) newest = name;
  return std::string(newest);
}

template <class Range>
std::string labels_of(const Range& backups) {
  std::vector<std::string> labels;
  for (const BackupSet& one : backups) labels.push_back(one.label);
  return labels.empty() ? "none" : fmt::format("{}", fmt::join(labels, ", "));
}

}  // namespace

std::string words_of(const Goal& goal) {
  switch (goal.kind) {
    case Goal::Kind::kLatest: return "the latest";
    case Goal::Kind::kImmediate: return "the end of a backup";
    case Goal::Kind::kTime: return to_rfc3339(goal.moment);
    case Goal::Kind::kLsn: return "position " + to_string(goal.position);
    case Goal::Kind::kTransaction: return fmt::format("transaction {}", goal.number);
    case Goal::Kind::kRestorePoint: return fmt::format("restore point \"{}\"", goal.name);
  }
  return "";
}

Error never(const Goal& goal, const std::string& why) {
  return {Code::kInvalid, fmt::format("{} can't be restored: {}", words_of(goal), why), false};
}

std::set<Timeline> timelines_in(std::string_view listing) {
  std::set<Timeline> timelines;
  for (const std::string_view name : split_lines(listing)) {
    const bool folder = is_folder(name);
    Timeline timeline = 0;
    if (folder || is_history(name)) std::from_chars(name.data(), name.data() + 8, timeline, 16);
    if (timeline > 0) timelines.insert(timeline);
  }
  return timelines;
}

std::string newest_folder(std::string_view listing, Timeline timeline) {
  const std::string prefix = fmt::format("{:08X}", timeline);
  return newest_line(listing, [&](std::string_view name) { return name.starts_with(prefix) && is_folder(name); });
}

std::string newest_segment(std::string_view listing) {
  return std::string(newest_line(listing, [](std::string_view name) {
                       return name.size() > 25 && name[24] == '-' && is_segment(name.substr(0, 24));
                     }).substr(0, 24));
}

Result<Timeline> choose_timeline(const Goal& goal, int64_t wanted, const std::set<Timeline>& stored) {
  if (stored.empty()) return std::unexpected(never(goal, "no log is stored"));
  if (wanted == 0) return *stored.rbegin();
  if (wanted > 0 && wanted <= UINT32_MAX && stored.contains(static_cast<Timeline>(wanted)))
    return static_cast<Timeline>(wanted);
  return std::unexpected(
      never(goal, fmt::format("timeline {} is not stored. These are: {}", wanted, fmt::join(stored, ", "))));
}

Result<BackupSet> choose_backup(const Goal& goal, const Choice& choice) {
  if (choice.backups.empty()) return std::unexpected(never(goal, "nothing is backed up"));
  std::vector<BackupSet> usable;
  std::ranges::copy_if(choice.backups, std::back_inserter(usable),
                       [&](const BackupSet& one) { return is_on_the_way(one, choice); });
  std::ranges::sort(usable, {}, [](const BackupSet& one) { return std::pair(one.stop, one.label); });
  if (!goal.label.empty()) {
    const auto named = std::ranges::find(choice.backups, goal.label, &BackupSet::label);
    if (named == choice.backups.end())
      return std::unexpected(never(goal, fmt::format("backup {} is not in the repository. These are: {}", goal.label,
                                                     labels_of(choice.backups))));
    if (!is_on_the_way(*named, choice))
      return std::unexpected(never(goal, fmt::format("backup {} is of timeline {}, which timeline {} did not come from "
                                                     "after it. These can be begun with: {}",
                                                     goal.label, named->timeline, choice.timeline, labels_of(usable))));
    if (!is_whole_before(*named, goal, choice.where))
      return std::unexpected(
          never(goal, fmt::format("backup {} was whole at {}, not before it", goal.label, when_whole(*named))));
    return *named;
  }
  if (usable.empty())
    return std::unexpected(never(goal, fmt::format("no backup lies on the way to timeline {}. There are: {}",
                                                   choice.timeline, labels_of(choice.backups))));
  const auto newest = std::find_if(usable.rbegin(), usable.rend(),
                                   [&](const BackupSet& one) { return is_whole_before(one, goal, choice.where); });
  if (newest != usable.rend()) return *newest;
  return std::unexpected(
      never(goal, fmt::format("the first backup was whole at {}, not before it", when_whole(usable.front()))));
}

std::vector<std::string> options_of(const Goal& goal, Timeline timeline, const std::string& label) {
  std::vector<std::string> options{"--set=" + label};
  // pgBackRest refuses it beside immediate (031), and names the backup's own timeline itself.
  if (goal.kind != Goal::Kind::kImmediate) options.push_back(fmt::format("--target-timeline={}", timeline));
  const auto to = [&](const char* type, const std::string& target) {
    options.push_back(fmt::format("--type={}", type));
    if (!target.empty()) options.push_back("--target=" + target);
    if (goal.exclusive) options.emplace_back("--target-exclusive");
    options.emplace_back("--target-action=promote");
  };
  switch (goal.kind) {
    case Goal::Kind::kLatest: options.emplace_back("--type=default"); break;
    case Goal::Kind::kImmediate: to("immediate", ""); break;
    case Goal::Kind::kTime: to("time", target_time(goal.moment)); break;
    case Goal::Kind::kLsn: to("lsn", to_string(goal.position)); break;
    case Goal::Kind::kTransaction: to("xid", fmt::format("{}", number_in_log(goal))); break;
    case Goal::Kind::kRestorePoint: to("name", goal.name); break;
  }
  return options;
}

}  // namespace twinspan::backup
