#include "worker/postgres/backup/restore_data.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "backup/archive.hpp"
#include "backup/pgbackrest.hpp"
#include "backup/reach.hpp"
#include "core/guarded.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/auto_conf.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/postmaster.hpp"
#include "engines/postgres/processes.hpp"
#include "engines/postgres/timeline.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/hba_keeper.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kUnreachable = "recovery ended before configured recovery target was reached";
constexpr const char* kNever = "can't be restored";
constexpr const char* kEndsEarly = "the log ends before what is stored";
constexpr std::chrono::hours kLongest{24 * 7};

// A place of its own beside the data, with a socket that nobody else knows.
postgres::Layout beside(const postgres::Layout& layout) {
  postgres::Layout place = layout;
  place.data_dir += "/restoring";
  place.run_dir += "/restoring";
  return place;
}

std::string tablespaces_of(const postgres::Layout& layout) { return layout.data_dir + "/tablespaces/restored"; }

// No data are in their place yet: what an earlier attempt left is nobody's.
Status make_place(const postgres::Layout& layout, const postgres::Layout& place) {
  if (!postgres::kill_server_processes(place.pgdata(), {}, seconds(5)))
    return fail(Code::kUnavailable, fmt::format("processes of an earlier restore still run in {}", place.pgdata()));
  if (auto removed = postgres::remove_tree(tablespaces_of(layout)); !removed) return removed;
  for (const std::string& directory : {place.data_dir, place.run_dir}) {
    if (auto removed = postgres::remove_tree(directory); !removed) return removed;
    if (mkdir(directory.c_str(), 0700) != 0)
      return fail(Code::kInternal, fmt::format("{}: {}", directory, std::strerror(errno)));
  }
  if (mkdir(place.pgdata().c_str(), 0700) != 0)
    return fail(Code::kInternal, fmt::format("{}: {}", place.pgdata(), std::strerror(errno)));
  return {};
}

Status fetch(const RestoreNeeds& needs, const postgres::Layout& place, const std::string& config,
             const api::RestoreAssignment& from, const std::stop_token& stop) {
  const PgBackRest program(needs.children, config, from.stanza);
  std::vector<std::string> arguments{fmt::format("--target-timeline={}", from.timeline),
                                     "--tablespace-map-all=" + tablespaces_of(needs.layout),
                                     fmt::format("--recovery-option=restore_command={} fetch {} {} %f \"%p\"",
                                                 archive_program(), config, from.stanza)};
  if (from.time) {
    const auto time = parse_rfc3339(*from.time);
    if (!time) return std::unexpected(time.error());
    arguments.insert(arguments.end(),
                     {"--type=time", "--target=" + backup::target_time(*time), "--target-action=promote"});
  } else {
    arguments.push_back("--type=default");
  }
  arguments.push_back("restore");
  if (auto done = program.run_checked(std::move(arguments), {kLongest, false, {}}, stop); !done)
    return std::unexpected(done.error());
  if (!postgres::exists(place.pgdata() + "/PG_VERSION"))
    return fail(Code::kInternal, "pgbackrest restore succeeded, and there are no data");
  return {};
}

// As the database will run, but without clients, log to store and standbys to wait for.
Status configure(const RestoreNeeds& needs, const postgres::Layout& place, const std::stop_token& stop) {
  postgres::Settings settings = needs.settings;
  settings.address.clear();
  settings.accept_clients = false;
  settings.archive_command.clear();
  settings.sync_candidates.clear();
  settings.upstream.reset();
  const auto control = postgres::read_control_data(needs.children, place, stop);
  if (!control) return std::unexpected(control.error());
  settings.recovery_floor = control->recovery_floor;
  if (auto copied = postgres::copy_tls_files(place); !copied) return std::unexpected(copied.error());
  if (auto wrote = postgres::write_configuration(needs.children, place, settings, false, stop); !wrote)
    return std::unexpected(wrote.error());
  return {};
}

// How the database ended, told by a thread of the postmaster's.
struct Ended {
  Mutex mutex;
  std::optional<std::string> words GUARDED_BY(mutex);
};

Status recover(const RestoreNeeds& needs, const postgres::Layout& place, const std::stop_token& stop) {
  Ended ended;
  postgres::Postmaster postmaster(needs.children, place, {}, [&](const postgres::Death& death) {
    MutexLock lock(ended.mutex);
    ended.words = death.last_words.empty() ? death.exit.describe() : death.last_words;
  });
  if (auto started = postmaster.start(); !started) return started;
  for (bool promoted = false; !promoted;) {
    {
      MutexLock lock(ended.mutex);
      if (ended.words)
        return fail(Code::kInternal, fmt::format("PostgreSQL ended while it recovered: {}", *ended.words));
    }
    auto session = postgres::open_local(place, needs.settings.port, milliseconds(1000), stop);
    if (session) {
      const auto rows = session->query("SELECT pg_is_in_recovery()::text", {}, milliseconds(5000), stop);
      promoted = rows && !rows->empty() && rows->front().front() == "false";
      // Until then the data say that they are on their way.
      if (promoted)
        if (auto done = postgres::checkpoint(*session, std::chrono::minutes(10), stop); !done) return done;
    }
    if (!promoted && !wait_for(milliseconds(200), stop)) return fail(Code::kCancelled, "stopped");
  }
  return postmaster.stop(postgres::StopMode::kFast, seconds(60));
}

Result<backup::StanzaInfo> stored(const PgBackRest& program, const std::string& stanza, const std::stop_token& stop) {
  const auto info = program.run_checked({"--output=json", "info"}, {}, stop);
  if (!info) return std::unexpected(info.error());
  return backup::parse_info(info->out, stanza);
}

// Whether the moment is there by now, and an error that says what is where it is not.
Status within_reach(const RestoreNeeds& needs, const PgBackRest& program, const api::RestoreAssignment& from,
                    const backup::StanzaInfo& info, const std::stop_token& stop) {
  const auto moment = parse_rfc3339(*from.time);
  if (!moment) return std::unexpected(moment.error());
  backup::ReachSeen seen;
  seen.backups = info.backups;
  seen.newest_segment = info.newest_segment;
  if (!info.newest_segment.empty()) {
    const auto listing =
        program.run_checked({"--output=json", "--filter=^" + info.newest_segment + "-", "repo-ls",
                             fmt::format("archive/{}/{}", from.stanza, backup::folder_of(info.newest_segment))},
                            {}, stop);
    if (!listing) return std::unexpected(listing.error());
    seen.newest_stored_at = backup::stored_at(listing->out, info.newest_segment);
  }
  seen.exhausted = needs.exhausted;
  seen.timeline = static_cast<uint32_t>(from.timeline);
  seen.moment = *moment;
  seen.now = needs.clock.wall_now();
  seen.until = parse_rfc3339(from.until.value_or("")).value_or(seen.now);  // an operator that knows of no waiting
  const backup::ReachVerdict verdict = backup::judge_reach(seen);
  switch (verdict.reach) {
    case backup::Reach::kTry: return {};
    case backup::Reach::kWait: return fail(Code::kUnavailable, verdict.words);
    case backup::Reach::kNever: break;
  }
  return fail(Code::kInvalid, verdict.words);
}

// PostgreSQL takes a segment that is not there for the end of the log, and promotes: what ended at a gap is not the
// latest. Its own new history says where it ended.
Status reached_the_end(const postgres::Layout& place, uint32_t timeline, const std::string& newest) {
  const auto number = backup::number_of(newest);
  if (number && backup::timeline_of(newest) > timeline)
    return fail(Code::kInvalid,
                fmt::format("{}: {} is stored by now, of a primary after the one of timeline {}: restore "
                            "the latest again",
                            kEndsEarly, newest, timeline));
  if (!number || backup::timeline_of(newest) != timeline) return {};
  std::string last;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(place.pgdata() + "/pg_wal", failed))
    if (const std::string name = entry.path().filename(); backup::is_history(name)) last = std::max(last, name);
  const auto text = postgres::read_file(place.pgdata() + "/pg_wal/" + last);
  if (!text) return std::unexpected(text.error());
  const auto history = postgres::parse_history(*text);
  if (!history) return std::unexpected(history.error());
  if (history->empty()) return fail(Code::kInternal, last + " says nothing");
  const TimelineSwitch& end = history->back();
  if (end.timeline == timeline && end.end.value >> 24 >= *number) return {};
  return fail(Code::kInvalid, fmt::format("{}: recovery came to {} on timeline {}, and {} is stored: a segment between "
                                          "them is missing. A time before the gap can be restored",
                                          kEndsEarly, to_string(end.end), end.timeline, newest));
}

Status put_in_place(const postgres::Layout& place, const postgres::Layout& layout, const std::string& restore) {
  // What pgBackRest wrote for this one recovery must not lead the next.
  const auto cleaned = postgres::clean_auto_conf(place, [](const postgres::AutoSetting& setting) {
    return setting.name != "restore_command" && !setting.name.starts_with("recovery_target");
  });
  if (!cleaned) return std::unexpected(cleaned.error());
  for (const char* name : {"/postmaster.pid", "/recovery.signal", "/backup_label.old", "/tablespace_map.old"})
    std::remove((place.pgdata() + name).c_str());
  if (auto shut = let_nobody_in(place.pgdata()); !shut) return shut;
  if (auto marked = write_restored_mark(layout.data_dir, {restore, false}); !marked) return marked;
  if (std::rename(place.pgdata().c_str(), layout.pgdata().c_str()) != 0)
    return fail(Code::kInternal, fmt::format("rename to {}: {}", layout.pgdata(), std::strerror(errno)));
  if (auto synced = postgres::sync_directory(layout.data_dir); !synced) return synced;
  // The data are whole: what is left beside them is no reason to have failed.
  for (const std::string& left : {place.run_dir, place.data_dir})
    if (auto removed = postgres::remove_tree(left); !removed)
      log::warn("what a restore needed stays", {{"error", removed.error().message}});
  return {};
}

}  // namespace

std::string archive_program() {
  std::error_code failed;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", failed);
  return (failed ? std::filesystem::path("/usr/local/bin") : own.parent_path()) / "twinspan-archive";
}

bool is_final(const Error& error) {
  return error.message.find(kNever) != std::string::npos || error.message.find(kEndsEarly) != std::string::npos;
}

Status restore_data(const RestoreNeeds& needs, const api::RestoreAssignment& from, const std::stop_token& stop) {
  if (postgres::exists(needs.layout.pgdata())) {
    const auto mark = read_restored_mark(needs.layout.data_dir);
    if (!mark || mark->restore != from.name)
      return fail(Code::kAlreadyExists, fmt::format("{} exists", needs.layout.pgdata()));
    if (auto synced = postgres::sync_directory(needs.layout.data_dir); !synced) return synced;
    needs.on_step(BackupReport::Step::kRestored);
    return {};
  }
  const postgres::Layout place = beside(needs.layout);
  if (auto made = make_place(needs.layout, place); !made) return made;
  const backup::Instance instance{from.stanza, place.pgdata(), place.run_dir, needs.settings.port,
                                  place.run_dir + "/backup"};
  const auto config = needs.access.write(from.destination, from.encryption, instance, stop);
  if (!config) return std::unexpected(config.error());
  const PgBackRest program(needs.children, *config, from.stanza);
  const auto info = stored(program, from.stanza, stop);
  if (!info) return std::unexpected(info.error());
  if (from.time)
    if (auto reached = within_reach(needs, program, from, *info, stop); !reached) return reached;
  needs.on_step(BackupReport::Step::kFetching);
  if (auto fetched = fetch(needs, place, *config, from, stop); !fetched) return fetched;
  needs.on_step(BackupReport::Step::kRecovering);
  if (auto configured = configure(needs, place, stop); !configured) return configured;
  if (auto recovered = recover(needs, place, stop); !recovered) {
    if (!from.time || recovered.error().message.find(kUnreachable) == std::string::npos) return recovered;
    needs.exhausted = info->newest_segment;
    auto reached = within_reach(needs, program, from, *info, stop);
    return reached ? recovered : reached;
  }
  if (!from.time)
    if (auto whole = reached_the_end(place, static_cast<uint32_t>(from.timeline), info->newest_segment); !whole)
      return whole;
  if (auto put = put_in_place(place, needs.layout, from.name); !put) return put;
  needs.on_step(BackupReport::Step::kRestored);
  return {};
}

}  // namespace twinspan::worker
