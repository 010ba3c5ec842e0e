#include "controllers/backup/continuous_status.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backup/archive.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::seconds;

constexpr seconds kOften{300};
constexpr seconds kTold{15};  // an agent's word is that old where all is well
constexpr struct {
  int64_t seconds;
  const char* words;
} kSteps[] = {{120, "<2m"},      {300, "<5m"},      {600, "<10m"},       {1800, "<30m"},     {3600, "<1h"},
              {2 * 3600, "<2h"}, {6 * 3600, "<6h"}, {12 * 3600, "<12h"}, {24 * 3600, "<1d"}, {7 * 24 * 3600, "<7d"}};

}  // namespace

std::string unsafe_words(const std::optional<BackupReport::Continuous>& said) {
  if (!said || !said->unsafe_seconds || said->max_delay_seconds <= 0) return "Unknown";
  if (*said->unsafe_seconds < said->max_delay_seconds) return fmt::format("<{}s", said->max_delay_seconds);
  for (const auto& step : kSteps)
    if (*said->unsafe_seconds < step.seconds) return step.words;
  return ">7d";
}

void note_continuous(api::BackupScheduleStatus& status, const BackupReport* archiver, std::optional<WallTime> broken,
                     WallTime now) {
  auto said = archiver ? archiver->continuous : std::nullopt;
  // It may hang while it stores: its word grows old, and what it was of older still.
  if (said && said->unsafe_seconds)
    *said->unsafe_seconds += std::max<int64_t>(
        0, std::chrono::duration_cast<seconds>(now - WallTime(seconds(said->seen_at)) - kTold).count());
  // What was let go could not be stored for a while before that.
  if (said && said->unsafe_seconds && broken)
    said->unsafe_seconds = std::max({*said->unsafe_seconds, said->max_delay_seconds,
                                     static_cast<int64_t>(std::chrono::ceil<seconds>(now - *broken).count())});
  const std::string words = unsafe_words(said);
  const bool news = status.unsafe != words;
  status.unsafe = words;
  if (!said) return;  // what it said last, and when, stays
  const WallTime seen{seconds(said->seen_at)};
  const auto before = status.continuous ? parse_rfc3339(status.continuous->seen_at) : Result<WallTime>(WallTime{});
  // A clock that was set back must not silence it.
  if (!news && status.continuous && before && *before <= now && seen - *before < kOften) return;
  api::ContinuousStatus next;
  next.seen_at = to_rfc3339(seen);
  if (backup::is_whole_segment(archiver->stored))
    next.segment = archiver->stored;
  else if (status.continuous)
    next.segment = status.continuous->segment;
  if (!said->tail.empty()) next.tail = said->tail;
  next.unsafe_seconds = said->unsafe_seconds;
  next.unsafe_bytes = said->unsafe_bytes;
  status.continuous = next;
}

}  // namespace twinspan::controllers
