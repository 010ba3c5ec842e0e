// Of the keeper: a member forgets a file of the log only when the repository has it.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "backup/archive.hpp"
#include "backup/pgbackrest.hpp"
#include "core/log.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/timeline.hpp"
#include "worker/postgres/backup/backup_keeper.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookAgain{200}, kLookAgainLatest{5000};

std::string name_of_file(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<std::string> digest_of(const std::string& path) {
  const auto content = postgres::read_file(path);
  if (!content) return std::unexpected(content.error());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(content->data(), content->size(), digest, &size, EVP_sha1(), nullptr) != 1)
    return fail(Code::kInternal, "SHA-1 is not to be had");
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

Error conflict(const std::string& name) {
  return {Code::kConflict,
          fmt::format("WalConflict: the repository has {} with other bytes than this member. Nothing is overwritten; "
                      "find out which of the two is right before anything is removed",
                      name),
          false};
}

}  // namespace

std::optional<postgres::StoreAnswer> BackupKeeper::store(const std::string& file, const std::function<bool()>& gone,
                                                         const std::stop_token& stop) {
  milliseconds pause = kLookAgain;
  const uint64_t life = c_.standing().life;
  for (;;) {
    const Standing now = c_.standing();
    // Whoever asks for a database that is dead: its file may be gone, and others wait behind it.
    if (now.life != life) return postgres::StoreAnswer::kEnding;
    const bool backed_up = now.desired && now.desired->backup;
    StoreView view{
        now.desired && !now.desired->backup_of_another, now.ending, backed_up, false, false, now.may_store, false};
    if (backed_up) {
      view.left_behind = is_left_behind(name_of_file(file));
      view.archiver = now.desired->backup->archiver == now.desired->settings.endpoint;
      const auto entry = own_entry();
      MutexLock lock(mutex_);
      view.ready = ready_ && same_place(ready_->assignment, *now.desired->backup) &&
                   (!view.archiver || (ready_->there && !histories_owed_ && entry && noted_ == entry));
      view.others = is_others(name_of_file(file));
    }
    const StoreStep step = decide_store(view, name_of_file(file));
    if (step == StoreStep::kEnd) return postgres::StoreAnswer::kEnding;
    if (step == StoreStep::kForget) return postgres::StoreAnswer::kStored;
    if (step == StoreStep::kLetGo && record_others(now.desired->backup->stanza, name_of_file(file)))
      return postgres::StoreAnswer::kStored;
    if (step == StoreStep::kWait || step == StoreStep::kLetGo)
      tell([&](BackupReport& report) { report.waiting = name_of_file(file); });
    else if (const auto answer = try_to_store(step, *now.desired->backup, file, stop))
      return answer;
    if (let_go(now, name_of_file(file))) return postgres::StoreAnswer::kStored;
    // What changes in between is asked for more often than the repository is.
    for (milliseconds left = pause; left.count() > 0; left -= kLookAgain) {
      if (c_.standing().ending) return postgres::StoreAnswer::kEnding;
      if (gone() || !wait_for(kLookAgain, stop)) return std::nullopt;
    }
    pause = std::min(pause * 2, kLookAgainLatest);
  }
}

// A replica that received the beginning of a segment when its primary went is handed the rest of it on the next
// timeline, and PostgreSQL wants to archive what it has under the full name: nobody will ever store that.
bool BackupKeeper::is_left_behind(const std::string& name) const {
  const auto timeline = c_.local.copy().timeline;
  if (!timeline || !backup::is_segment(name) || backup::timeline_of(name) >= *timeline) return false;
  const auto text = postgres::read_file(c_.layout.pgdata() + "/pg_wal/" + postgres::history_file_name(*timeline));
  if (!text) return false;
  const auto history = postgres::parse_history(*text);
  if (!history) return false;
  return backup::is_left_behind(name, *timeline, backup::departures_of(*history));
}

// nullopt: not yet.
std::optional<postgres::StoreAnswer> BackupKeeper::try_to_store(StoreStep step, const api::BackupAssignment& wanted,
                                                                const std::string& file, const std::stop_token& stop) {
  const auto pgbackrest = program();
  if (!pgbackrest) return std::nullopt;
  std::stop_source own;
  {
    MutexLock lock(mutex_);
    stop_storing_ = own;
  }
  const std::stop_callback ends(stop, [&] { own.request_stop(); });
  const auto done = step == StoreStep::kPush ? push(*pgbackrest, file, own.get_token())
                                             : compare(*pgbackrest, wanted.stanza, file, own.get_token());
  if (own.stop_requested() && !done) return std::nullopt;
  const std::string name = name_of_file(file);
  std::string words;
  auto cause = BackupReport::Cause::kNone;
  {
    MutexLock lock(mutex_);
    if (done)
      storing_.passed();
    else
      storing_.failed({done.error().code, fmt::format("{}: {}", name, done.error().message), done.error().retryable},
                      c_.clock.boot_now());
    words = trouble();
    cause = cause_of_trouble();
  }
  tell([&](BackupReport& report) {
    report.trouble = words;
    report.cause = cause;
    report.waiting = done && *done ? "" : name;
    if (done && *done) report.stored = name;
  });
  if (!done || !*done) return std::nullopt;
  stored_something();
  return postgres::StoreAnswer::kStored;
}

// A restore needs the history of the timeline that it follows, also where it began before anything was stored; and
// replicas wait for those that they receive. Of those before, which it contains, the repository may have another's.
Status BackupKeeper::store_histories(const PgBackRest& program, const std::stop_token& stop) {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(c_.layout.pgdata() + "/pg_wal", failed)) {
    const std::string name = entry.path().filename();
    if (!backup::is_history(name)) continue;
    const auto stored = push(program, "pg_wal/" + name, stop);
    if (!stored) return std::unexpected(stored.error());
    if (!*stored) return fail(Code::kUnavailable, fmt::format("{} is not stored: the lease is gone", name));
  }
  return {};
}

// pgBackRest refuses other bytes under the name of a segment; a history file it would overwrite.
Result<bool> BackupKeeper::push(const PgBackRest& program, const std::string& file, const std::stop_token& stop) {
  const std::string name = name_of_file(file);
  if (backup::is_history(name)) {
    const auto there = has_history(program, name, c_.layout.pgdata() + "/" + file, stop);
    if (!there || *there) return there;
  }
  // Asked at the very last: a lease that is gone by now may belong to somebody else.
  if (!c_.standing().may_store) return false;
  const WallTime begun = c_.clock.wall_now();
  const auto pushed = program.run({"archive-push", c_.layout.pgdata() + "/" + file}, {}, stop);
  if (!pushed) return std::unexpected(pushed.error());
  constexpr int kOtherBytes = 45;
  if (pushed->exit.clean()) {
    repository_.pushed(name, begun, c_.clock.wall_now());
    return true;
  }
  if (WIFEXITED(pushed->exit.status) && WEXITSTATUS(pushed->exit.status) == kOtherBytes)
    return std::unexpected(conflict(name));
  return std::unexpected(failure_of(*pushed, "archive-push"));
}

// Whether the repository has this member's history. Of a timeline before the present one, whose own history has all
// that it has, nobody follows it any more: another's does as well.
Result<bool> BackupKeeper::has_history(const PgBackRest& program, const std::string& name, const std::string& path,
                                       const std::stop_token& stop) const {
  const auto there = stored_history(program, name, stop);
  if (!there) return std::unexpected(there.error());
  const auto own = postgres::read_file(path);
  if (!own) return std::unexpected(own.error());
  if (!*there || **there == *own) return there->has_value();
  const Local local = c_.local.copy();
  const bool of_before = std::ranges::any_of(
      local.history, [&](const TimelineSwitch& one) { return name == postgres::history_file_name(one.timeline); });
  return of_before ? Result<bool>(true) : std::unexpected(conflict(name));
}

Result<bool> BackupKeeper::compare(const PgBackRest& program, const std::string& stanza, const std::string& file,
                                   const std::stop_token& stop) {
  const std::string name = name_of_file(file), path = c_.layout.pgdata() + "/" + file;
  if (backup::is_history(name)) {
    const auto there = has_history(program, name, path, stop);
    return !there || *there ? there : is_from_before(program, stanza, name, stop);
  }
  const auto there = stored_digest(program, name, stop);
  if (!there) return std::unexpected(there.error());
  if (!*there) {
    const auto before = is_from_before(program, stanza, name, stop);
    return before && !*before ? is_taken(program, name, stop) : before;
  }
  const auto own = digest_of(path);
  if (!own) return std::unexpected(own.error());
  if (**there == *own) return true;
  const auto taken = is_taken(program, name, stop);
  if (!taken) return taken;
  return *taken ? Result<bool>(true) : std::unexpected(conflict(name));
}

// Of a timeline before the present one, under whose number the repository has another promotion's log: the primary let
// go of it and told so.
Result<bool> BackupKeeper::is_taken(const PgBackRest& program, const std::string& segment,
                                    const std::stop_token& stop) const {
  const auto timeline = c_.local.copy().timeline;
  if (!backup::is_whole_segment(segment) || !timeline || backup::timeline_of(segment) >= *timeline) return false;
  auto lineage = postgres::LineageStore::open(program.config(), program.stanza(), c_.clock);
  if (!lineage) return std::unexpected(lineage.error());
  const auto noted = lineage->list(stop);
  if (!noted) return std::unexpected(noted.error());
  return std::ranges::find(noted->taken, backup::timeline_of(segment), &backup::LineageEntry::timeline) !=
         noted->taken.end();
}

Result<bool> BackupKeeper::archived(const TailKeeper::Place& place, const std::string& segment,
                                    const std::stop_token& stop) const {
  const auto there = stored_digest(PgBackRest(c_.children, place.config, place.stanza), segment, stop);
  if (!there) return std::unexpected(there.error());
  return there->has_value();
}

// What a replica has from before the repository began nobody will ever store, and no backup needs it.
Result<bool> BackupKeeper::is_from_before(const PgBackRest& program, const std::string& stanza, const std::string& name,
                                          const std::stop_token& stop) {
  const auto info = program.run_checked({"--output=json", "info"}, {}, stop);
  if (!info) return std::unexpected(info.error());
  const auto stored = backup::parse_info(info->out, stanza);
  if (!stored) return std::unexpected(stored.error());
  return backup::is_before(name, stored->oldest_segment);
}

Result<std::optional<std::string>> BackupKeeper::stored_history(const PgBackRest& program, const std::string& name,
                                                                const std::stop_token& stop) const {
  constexpr int kAbsent = 1;
  // The keeper's thread and PostgreSQL's request may ask for the same one.
  static std::atomic<uint64_t> number{0};
  const std::string to = fmt::format("{}/backup/{}.{}", c_.layout.run_dir, name, ++number);
  const auto got = program.run({"archive-get", name, to}, {}, stop);
  if (!got) return std::unexpected(got.error());
  if (WIFEXITED(got->exit.status) && WEXITSTATUS(got->exit.status) == kAbsent) return std::nullopt;
  if (!got->exit.clean()) return std::unexpected(failure_of(*got, "archive-get"));
  auto content = postgres::read_file(to);
  unlink(to.c_str());
  if (!content) return std::unexpected(content.error());
  return std::move(*content);
}

}  // namespace twinspan::worker
