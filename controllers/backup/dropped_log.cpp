#include "controllers/backup/dropped_log.hpp"

#include <algorithm>

#include "backup/archive.hpp"
#include "backup/tail.hpp"

namespace twinspan::controllers {

void note_dropped(std::vector<api::LogGap>& gaps, const std::vector<DroppedLog>& dropped,
                  std::optional<Position> log_from) {
  for (const DroppedLog& one : dropped) {
    if (!backup::is_whole_segment(one.from) || !backup::is_whole_segment(one.to)) continue;
    const auto last = backup::number_of(one.to);
    if (log_from && last && (*last + 1) * backup::kSegmentBytes <= log_from->value) continue;
    const int64_t timeline = backup::timeline_of(one.from);
    bool told = false;
    for (api::LogGap& gap : gaps) {
      // Names sort by position within a timeline.
      if (gap.timeline != timeline || gap.to < one.from || one.to < gap.from) continue;
      told = true;
      gap.from = std::min(gap.from, one.from);
      gap.to = std::max(gap.to, one.to);
      gap.cause = one.cause;
      if (!one.at.empty()) gap.at = one.at;
    }
    if (told) continue;
    api::LogGap& gap = gaps.emplace_back();
    gap.timeline = timeline;
    gap.from = one.from;
    gap.to = one.to;
    gap.cause = one.cause;
    if (!one.at.empty()) gap.at = one.at;
  }
  std::ranges::sort(gaps, {}, &api::LogGap::from);  // by timeline, then by position
  if (gaps.size() > kGapsShownMost) gaps.erase(gaps.begin(), gaps.end() - kGapsShownMost);
}

std::optional<WallTime> broken_since(const std::vector<DroppedLog>& dropped, const std::vector<Beginning>& backups) {
  std::optional<WallTime> since;
  for (const DroppedLog& one : dropped) {
    const auto last = backup::number_of(one.to);
    const auto at = parse_rfc3339(one.at);
    if (!last || !at) continue;
    const backup::Timeline timeline = backup::timeline_of(one.to);
    const bool over = std::ranges::any_of(backups, [&](const Beginning& backup) {
      return backup.timeline >= timeline && backup::segment_number(backup.start.value) > *last;
    });
    if (!over) since = since ? std::min(*since, *at) : *at;
  }
  return since;
}

bool full_is_owed(const BackupReport& archiver, const std::vector<Beginning>& backups) {
  // What it writes is told after what an earlier life let go was compared with the archive.
  return archiver.ready && archiver.timeline > 0 && archiver.trouble.empty() && archiver.waiting.empty() &&
         broken_since(archiver.dropped, backups).has_value();
}

}  // namespace twinspan::controllers
