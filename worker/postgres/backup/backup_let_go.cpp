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
  bool conflict = false;
  {
    MutexLock lock(mutex_);
    conflict = storing_.code() == Code::kConflict;
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
    {
      MutexLock lock(mutex_);
      // Every history that lies in pg_wal is stored before anything else, once the repository is back.
      histories_owed_ = histories_owed_ || history;
    }
    tell([](BackupReport& report) { report.waiting.clear(); });
    return true;
  }
  const std::string cause = let_go_cause(endpoint, *view.volume, wanted.keep_free_percent);
  if (!record_dropped(wanted.stanza, name, cause, conflict)) return false;
  MutexLock lock(mutex_);
  let_go_bytes_ += backup::kSegmentBytes;
  free_then_ = view.volume->free_bytes;
  return true;
}

// True: the record is on disk.
bool BackupKeeper::record_dropped(const std::string& stanza, const std::string& name, const std::string& cause,
                                  bool conflict) {
  std::vector<DroppedLog> ranges;
  {
    MutexLock lock(dropped_mutex_);
    auto known = read_dropped(c_.layout.data_dir, stanza);
    if (!known) {
      log::warn("log can't be let go", {{"segment", name}, {"error", known.error().message}});
      return false;
    }
    ranges = std::move(*known);
    note_dropped(ranges, name, cause, c_.clock.wall_now(), conflict);
    if (auto wrote = write_dropped(c_.layout.data_dir, stanza, ranges); !wrote) {
      log::warn("log can't be let go", {{"segment", name}, {"error", wrote.error().message}});
      return false;
    }
  }
  log::warn("log is let go", {{"segment", name}, {"reason", cause}});
  tell([&](BackupReport& report) {
    report.dropped = ranges;
    report.waiting.clear();
  });
  return true;
}

// Under the number of its timeline the repository has another promotion's log: it would be taken for that, and can
// never be stored. The timeline after it is free.
bool BackupKeeper::is_others(const std::string& name) const {
  return backup::is_whole_segment(name) && others_.contains(backup::timeline_of(name));
}

bool BackupKeeper::record_others(const std::string& stanza, const std::string& name) {
  return record_dropped(stanza, name,
                        fmt::format("timeline {} is another promotion's in the repository", backup::timeline_of(name)),
                        true);
}

Result<std::vector<DroppedLog>> BackupKeeper::dropped_on_disk(const std::string& stanza) {
  MutexLock lock(dropped_mutex_);
  return read_dropped(c_.layout.data_dir, stanza);
}

Result<std::vector<DroppedLog>> BackupKeeper::replace_dropped(const std::string& stanza,
                                                              const std::vector<DroppedLog>& before,
                                                              const std::vector<DroppedLog>& missing) {
  MutexLock lock(dropped_mutex_);
  const auto now = read_dropped(c_.layout.data_dir, stanza);
  if (!now) return std::unexpected(now.error());
  const std::vector<DroppedLog> after = with_answers(*now, before, missing);
  if (after != *now)
    if (auto wrote = write_dropped(c_.layout.data_dir, stanza, after); !wrote) return std::unexpected(wrote.error());
  return after;
}

// What was let go in an earlier life is told, too; what another member has stored since is no gap, and whoever stores
// looks for that before it tells.
void BackupKeeper::look_at_dropped(const api::BackupAssignment& wanted, bool archiver, const std::stop_token& stop) {
  const bool check = archiver && !(dropped_checked_ && dropped_of_ == wanted.stanza);
  if (dropped_of_ == wanted.stanza && !check) return;
  auto ranges = dropped_on_disk(wanted.stanza);
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
    // More may have been let go while the repository was asked.
    if (missing) missing = replace_dropped(wanted.stanza, *ranges, *missing);
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
