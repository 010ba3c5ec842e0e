// When the unfinished segment is stored, and how much of the log is not safe. Pure.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "backup/mark.hpp"
#include "backup/tail.hpp"
#include "core/clock.hpp"

namespace twinspan::worker {

// The promise is that what is older than max_delay is stored: each tail is begun so much earlier as it may take, and as
// it takes to see how far the log is.
inline std::chrono::seconds tail_period(std::chrono::seconds max_delay) {
  using std::chrono::seconds;
  return std::max(seconds(1), max_delay - std::clamp<seconds>(max_delay / 6, seconds(3), seconds(10)));
}

struct TailView {
  backup::Timeline timeline = 0;  // that is written
  uint64_t flushed = 0;           // position up to which the log is on disk
  uint64_t epoch = 0;             // of this primary
  std::optional<backup::TailName> stored;
  std::optional<BootTime> began_at;  // when the last one was begun; nullopt: none was so far
  BootTime now{};
  std::chrono::seconds max_delay{60};
};

// nullopt: nothing was written since the last one, or it is not its time.
inline std::optional<backup::TailName> next_tail(const TailView& view) {
  if (view.flushed % backup::kSegmentBytes == 0) return std::nullopt;  // no segment is unfinished
  backup::TailName next{backup::segment_at(view.timeline, view.flushed), view.flushed, view.epoch};
  if (view.stored && view.stored->segment == next.segment && view.stored->end >= next.end) return std::nullopt;
  if (view.began_at && view.now - *view.began_at < tail_period(view.max_delay)) return std::nullopt;
  return next;
}

// How often an idle database is said to be so: 300 s where nothing is said of max_delay.
inline std::chrono::seconds mark_period(std::chrono::seconds max_delay) {
  return std::clamp<std::chrono::seconds>(5 * max_delay, std::chrono::seconds(10), std::chrono::seconds(300));
}

struct MarkView {
  uint64_t epoch = 0;  // of this primary
  backup::Timeline timeline = 0;
  uint64_t flushed = 0, safe = 0;      // positions: on disk, and stored
  WallTime since{}, seen_at{};         // when it was first and last seen that the log is flushed up to there
  std::optional<backup::Mark> stored;  // the last one
  std::chrono::seconds max_delay{60};
};

// nullopt: it writes, something is not stored, or what was said last is young enough.
inline std::optional<backup::Mark> next_mark(const MarkView& view) {
  using std::chrono::seconds;
  if (view.safe < view.flushed) return std::nullopt;
  const backup::Mark next{view.epoch, view.timeline, view.flushed,
                          std::chrono::ceil<seconds>(view.since).time_since_epoch().count(),
                          std::chrono::floor<seconds>(view.seen_at).time_since_epoch().count()};
  const int64_t period = mark_period(view.max_delay).count();
  if (next.at - next.since < period) return std::nullopt;
  const bool same = view.stored && view.stored->position == next.position && view.stored->since == next.since;
  return same && next.at - view.stored->at < period ? std::nullopt : std::optional(next);
}

// How old the oldest byte is that is not stored: never less than the truth. One thread.
class SafeSince {
 public:
  // `position`: how far the log was flushed at that time. In order.
  void flushed(BootTime at, uint64_t position) {
    if (latest_ && latest_->position >= position) {
      latest_->at = at;  // still nothing beyond it
      return;
    }
    if (latest_ && (earlier_.empty() || latest_->at - earlier_.back().at >= spacing_)) keep(*latest_);
    latest_ = {at, position};
  }
  // Of everything up to `safe`, which never goes back. nullopt: nobody knows. 0: nothing is unsafe.
  std::optional<std::chrono::seconds> age(uint64_t safe, BootTime now) {
    if (!latest_) return std::nullopt;
    if (latest_->position <= safe) {
      earlier_.clear();
      spacing_ = std::chrono::seconds(0);
      // A database that nobody could ask since then may have written.
      const auto unseen = std::chrono::ceil<std::chrono::seconds>(now - latest_->at);
      return unseen > kProbed ? unseen : std::chrono::seconds(0);
    }
    while (earlier_.size() > 1 && earlier_[1].position <= safe) earlier_.pop_front();
    if (earlier_.empty() || earlier_.front().position > safe) return std::nullopt;
    return std::chrono::ceil<std::chrono::seconds>(now - earlier_.front().at);
  }
  void forget() { *this = {}; }

 private:
  static constexpr size_t kMost = 1024;
  static constexpr std::chrono::seconds kProbed{10};  // a probe is answered more often than that
  struct Sample {
    BootTime at;
    uint64_t position;
  };
  // Where the repository is away for long they come to lie further apart: what follows one that is left out looks
  // older.
  void keep(const Sample& sample) {
    earlier_.push_back(sample);
    if (earlier_.size() <= kMost) return;
    spacing_ = std::max(2 * spacing_, std::chrono::seconds(2));
    for (size_t i = 1; i < earlier_.size(); ++i) earlier_.erase(earlier_.begin() + static_cast<ptrdiff_t>(i));
  }
  std::optional<Sample> latest_;
  std::deque<Sample> earlier_;
  std::chrono::seconds spacing_{0};
};

// Up to where everything is stored: `waiting` is the first segment that PostgreSQL keeps since it is not; without one
// everything before the unfinished segment is, and of that what its tail has.
inline uint64_t safe_position(const std::string& waiting, const std::optional<backup::TailName>& tail,
                              backup::Timeline timeline, uint64_t flushed) {
  const std::string segment = backup::segment_at(timeline, flushed);
  if (!waiting.empty()) {
    // Whole by now, but what was stored of it before counts.
    const bool has = tail && tail->segment == waiting;
    return has ? tail->end : backup::start_of(waiting);
  }
  if (tail && tail->segment == segment) return std::max(tail->end, backup::start_of(segment));
  return backup::start_of(segment);
}

// Of the names in pg_wal/archive_status: the first segment that waits to be stored; empty: none does.
template <class Names>
std::string first_waiting(const Names& names) {
  constexpr std::string_view kReady = ".ready";
  std::string first;
  for (const std::string& name : names) {
    if (!name.ends_with(kReady)) continue;
    const std::string segment = name.substr(0, name.size() - kReady.size());
    if (!backup::is_whole_segment(segment)) continue;
    // By position: the segments of an earlier timeline come before those of the present one.
    if (first.empty() || backup::start_of(segment) < backup::start_of(first)) first = segment;
  }
  return first;
}

}  // namespace twinspan::worker
