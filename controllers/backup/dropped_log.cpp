#include "controllers/backup/dropped_log.hpp"

#include <algorithm>

#include "backup/archive.hpp"
#include "backup/tail.hpp"

namespace twinspan::controllers {
namespace {

constexpr size_t kShownMost = 100;

}  // namespace

void note_dropped(std::vector<api::LogGap>& gaps, const std::vector<DroppedLog>& dropped,
                  std::optional<Position> log_from) {
  for (const DroppedLog& one : dropped) {
    if (!backup::is_whole_segment(one.from) || !backup::is_whole_segment(one.to)) continue;
    const auto last = backup::number_of(one.to);
    if (log_from && last && (*last + 1) * backup::kWalSegmentBytes <= log_from->value) continue;
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
  if (gaps.size() > kShownMost) gaps.erase(gaps.begin(), gaps.end() - kShownMost);
}

std::optional<WallTime> broken_since(const std::vector<DroppedLog>& dropped,
                                     const std::optional<api::LastBackup>& last) {
  const auto began = last ? parse_rfc3339(last->started_at) : Result<WallTime>(WallTime::min());
  std::optional<WallTime> since;
  for (const DroppedLog& one : dropped) {
    const auto at = parse_rfc3339(one.at);
    if (!at || (began && *at < *began)) continue;
    since = since ? std::min(*since, *at) : *at;
  }
  return since;
}

bool full_is_owed(const BackupReport& archiver, const std::optional<api::LastBackup>& last) {
  return archiver.ready && archiver.trouble.empty() && archiver.waiting.empty() &&
         broken_since(archiver.dropped, last).has_value();
}

}  // namespace twinspan::controllers
