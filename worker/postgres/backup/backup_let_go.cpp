// Of the keeper: log is let go where it would fill the volume.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "backup/archive.hpp"
#include "backup/tail.hpp"
#include "core/log.hpp"
#include "worker/postgres/backup/backup_keeper.hpp"
#include "worker/postgres/backup/let_go.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::minutes kUnaskedMost{3};  // longer than one attempt to store takes

}  // namespace

void BackupKeeper::stored_something() {
  MutexLock lock(mutex_);
  unstored_since_.reset();
  let_go_bytes_ = 0;
}

// Of a file that could not be stored. True: the record is on disk, and PostgreSQL may forget it.
bool BackupKeeper::let_go(const Standing& now, const std::string& name) {
  // These come before any segment, and would keep all of them.
  const bool history = backup::is_history(name), marker = history || name.ends_with(".backup");
  if (!now.desired || !now.desired->backup || !(backup::is_whole_segment(name) || marker)) return false;
  const api::BackupAssignment& wanted = *now.desired->backup;
  const std::string& endpoint = now.desired->settings.endpoint;
  LetGoView view{c_.local.copy().volume, wanted.keep_free_percent, std::nullopt, 0, c_.clock.boot_now()};
  {
    MutexLock lock(mutex_);
    // Nobody waited in between: what waits now has only begun to.
    if (!unstored_since_ || (unstored_at_ && view.now - *unstored_at_ > kUnaskedMost)) unstored_since_ = view.now;
    unstored_at_ = view.now;
    // What was let go becomes free at the next checkpoint.
    if (view.volume && view.volume->free_bytes > free_then_) {
      let_go_bytes_ -= std::min(let_go_bytes_, view.volume->free_bytes - free_then_);
      free_then_ = view.volume->free_bytes;
    }
    view.unstored_since = unstored_since_;
    view.let_go_bytes = let_go_bytes_;
  }
  if (!may_let_go(view)) return false;
  if (marker) {
    MutexLock lock(mutex_);
    // Every history that lies in pg_wal is stored before anything else, once the repository is back.
    if (history && ready_) ready_->there = false;
    return true;
  }
  const std::string cause = let_go_cause(endpoint, *view.volume, wanted.keep_free_percent);
  std::vector<DroppedLog> ranges;
  {
    MutexLock lock(dropped_mutex_);
    auto known = read_dropped(c_.layout.data_dir, wanted.stanza);
    if (!known) {
      log::warn("log can't be let go", {{"segment", name}, {"error", known.error().message}});
      return false;
    }
    ranges = std::move(*known);
    note_dropped(ranges, name, cause, c_.clock.wall_now());
    if (auto wrote = write_dropped(c_.layout.data_dir, wanted.stanza, ranges); !wrote) {
      log::warn("log can't be let go", {{"segment", name}, {"error", wrote.error().message}});
      return false;
    }
  }
  {
    MutexLock lock(mutex_);
    let_go_bytes_ += backup::kWalSegmentBytes;
    free_then_ = view.volume->free_bytes;
  }
  log::warn("log is let go", {{"segment", name}, {"reason", cause}});
  tell([&](BackupReport& report) {
    report.dropped = ranges;
    report.waiting.clear();
  });
  return true;
}

// What was let go in an earlier life is told, too; what another member has stored since is no gap, and whoever stores
// looks for that before it tells.
void BackupKeeper::look_at_dropped(const api::BackupAssignment& wanted, bool archiver, const std::stop_token& stop) {
  const bool check = archiver && !(dropped_checked_ && dropped_of_ == wanted.stanza);
  if (dropped_of_ == wanted.stanza && !check) return;
  MutexLock lock(dropped_mutex_);
  auto ranges = read_dropped(c_.layout.data_dir, wanted.stanza);
  if (ranges && check && !ranges->empty()) {
    const auto pgbackrest = program();
    if (!pgbackrest) return;
    std::map<std::string, std::string> listings;
    auto missing = still_missing(*ranges, [&](const std::string& segment) -> Result<bool> {
      const std::string folder = backup::folder_of(segment);
      auto listing = listings.find(folder);
      if (listing == listings.end()) {
        auto listed =
            pgbackrest->run_checked({"repo-ls", fmt::format("archive/{}/{}", wanted.stanza, folder)}, {}, stop);
        if (!listed) return std::unexpected(listed.error());
        listing = listings.emplace(folder, std::move(listed->out)).first;
      }
      return backup::stored_digest(listing->second, segment).has_value();
    });
    if (missing && *missing != *ranges)
      if (auto wrote = write_dropped(c_.layout.data_dir, wanted.stanza, *missing); !wrote)
        missing = std::unexpected(wrote.error());
    ranges = std::move(missing);
  }
  if (!ranges) {
    log::warn("what was let go of the log is not known", {{"error", ranges.error().message}});
    return;
  }
  dropped_of_ = wanted.stanza;
  dropped_checked_ = archiver;
  tell([&](BackupReport& report) { report.dropped = *ranges; });
}

}  // namespace twinspan::worker
