#include "worker/postgres/backup/restore_data.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "backup/archive.hpp"
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
#include "worker/postgres/backup/restore_plan.hpp"
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

// No data are in their place yet: what an earlier attempt left is nobody's.
Status make_place(const postgres::Layout& place, const std::string& tablespaces) {
  if (!postgres::kill_server_processes(place.pgdata(), {}, seconds(5)))
    return fail(Code::kUnavailable, fmt::format("processes of an earlier restore still run in {}", place.pgdata()));
  if (auto removed = postgres::remove_tree(tablespaces); !removed) return removed;
  for (const std::string& directory : {place.data_dir, place.run_dir}) {
    if (auto removed = postgres::remove_tree(directory); !removed) return removed;
    if (mkdir(directory.c_str(), 0700) != 0)
      return fail(Code::kInternal, fmt::format("{}: {}", directory, std::strerror(errno)));
  }
  if (mkdir(place.pgdata().c_str(), 0700) != 0)
    return fail(Code::kInternal, fmt::format("{}: {}", place.pgdata(), std::strerror(errno)));
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

// Where recovery left the log that was stored: the new history of the database says so.
Result<TimelineSwitch> end_of_recovery(const postgres::Layout& place) {
  std::string last;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(place.pgdata() + "/pg_wal", failed))
    if (const std::string name = entry.path().filename(); backup::is_history(name)) last = std::max(last, name);
  const auto text = postgres::read_file(place.pgdata() + "/pg_wal/" + last);
  if (!text) return std::unexpected(text.error());
  const auto history = postgres::parse_history(*text);
  if (!history) return std::unexpected(history.error());
  if (history->empty()) return fail(Code::kInternal, last + " says nothing");
  return history->back();
}

// What pgBackRest and recovery left must not lead the next start, and the new history has to be stored: it was made
// while nothing was archived.
Status make_ready(const postgres::Layout& place, backup::Timeline timeline) {
  // What pgBackRest wrote for this one recovery must not lead the next.
  const auto cleaned = postgres::clean_auto_conf(place, [](const postgres::AutoSetting& setting) {
    return setting.name != "restore_command" && !setting.name.starts_with("recovery_target");
  });
  if (!cleaned) return std::unexpected(cleaned.error());
  for (const char* name : {"/postmaster.pid", "/recovery.signal", "/backup_label.old", "/tablespace_map.old"})
    std::remove((place.pgdata() + name).c_str());
  const std::string ready = fmt::format("{}/pg_wal/archive_status/{}.ready", place.pgdata(),
                                        postgres::history_file_name(static_cast<uint32_t>(timeline)));
  if (auto wrote = postgres::replace_file(ready, "", 0600); !wrote) return std::unexpected(wrote.error());
  return let_nobody_in(place.pgdata());
}

Status put_in_place(const postgres::Layout& place, const postgres::Layout& layout, const RestoredMark& mark) {
  if (auto marked = write_restored_mark(layout.data_dir, mark); !marked) return marked;
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

std::string follow_command(const PgBackRest& archive, const postgres::Followed& followed) {
  return fmt::format("{} follow {} {} %f \"%p\" {}", archive_program(), archive.config(), archive.stanza(),
                     to_string(followed));
}

Status fetch_backup(const PgBackRest& program, const postgres::Layout& place, const std::string& tablespaces,
                    std::vector<std::string> options, int64_t timeline, std::optional<Position> end, int64_t taken,
                    std::chrono::milliseconds longest, const std::stop_token& stop) {
  options.insert(options.end(),
                 {"--tablespace-map-all=" + tablespaces,
                  fmt::format("--recovery-option=restore_command={} fetch {} {} %f \"%p\" {} {} {}", archive_program(),
                              program.config(), program.stanza(), timeline, end ? to_string(*end) : "-", taken),
                  "restore"});
  if (auto done = program.run_checked(std::move(options), {longest, false, {}}, stop); !done)
    return std::unexpected(done.error());
  if (!postgres::exists(place.pgdata() + "/PG_VERSION"))
    return fail(Code::kInternal, "pgbackrest restore succeeded, and there are no data");
  return {};
}

std::string gap_after(const TimelineSwitch& end, const std::string& newest, uint32_t timeline) {
  const auto number = backup::number_of(newest);
  if (!number || backup::timeline_of(newest) != timeline) return "";
  if (end.timeline == timeline && backup::segment_number(end.end.value) >= *number) return "";
  return fmt::format("recovery came to {} on timeline {}, and {} is stored: a segment between them is missing",
                     to_string(end.end), end.timeline, newest);
}

bool is_final(const Error& error) {
  return error.message.find(kNever) != std::string::npos || error.message.find(kEndsEarly) != std::string::npos;
}

namespace {

std::optional<Position> nearest(std::optional<Position> one, std::optional<Position> other) {
  return one && other ? std::min(*one, *other) : one ? one : other;
}

// What ended at a gap is not the latest.
Result<TimelineSwitch> end_of(const postgres::Layout& place, const RestorePlan& plan, const backup::Goal& goal) {
  auto end = end_of_recovery(place);
  if (!end || goal.kind != backup::Goal::Kind::kLatest) return end;
  const std::string newest =
      plan.end ? backup::segment_name(plan.timeline, backup::segment_number(plan.end->value - 1)) : plan.newest_segment;
  if (const std::string gap = gap_after(*end, newest, plan.timeline); !gap.empty())
    return fail(Code::kInvalid, fmt::format("{}: {}. A time before the gap can be restored", kEndsEarly, gap));
  return end;
}

}  // namespace

postgres::Layout beside(const postgres::Layout& layout) {
  postgres::Layout place = layout;
  place.data_dir += "/restoring";
  place.run_dir += "/restoring";
  return place;
}

Result<RestoredData> restore_into(const RestoreNeeds& needs, const RestorePlace& where,
                                  const api::RestoreAssignment& from, BackupReport::Restored& said,
                                  const std::stop_token& stop) {
  using Step = BackupReport::Step;
  const auto tell = [&](Step step) {
    said.step = step;
    needs.on_step(said);
  };
  const postgres::Layout& place = where.layout;
  if (auto made = make_place(place, where.tablespaces); !made) return std::unexpected(made.error());
  const backup::Instance instance{from.stanza, place.pgdata(), place.run_dir, needs.settings.port,
                                  place.run_dir + "/backup"};
  const auto config = needs.access.write(from.destination, from.encryption, instance, stop);
  if (!config) return std::unexpected(config.error());
  const PgBackRest program(needs.children, *config, from.stanza);
  const auto plan = plan_restore({needs.children, program, place, needs.clock}, from, needs.exhausted, stop);
  if (!plan) return std::unexpected(plan.error());
  const backup::BackupSet& first = plan->backup;
  said.plan = {first.label, std::string(backup::to_string(first.kind)), to_string(first.stop), plan->timeline,
               first.size_bytes};
  tell(Step::kFetching);
  if (where.fits)
    if (auto fits = where.fits(*plan); !fits) return std::unexpected(fits.error());
  const int64_t taken = where.taken ? std::max<int64_t>(*where.taken, plan->highest) : 0;
  // To the end of the log, where it is known to be all that there was.
  const backup::Goal goal = plan->end ? backup::Goal{} : plan->goal;
  if (auto fetched =
          fetch_backup(program, place, where.tablespaces, backup::options_of(goal, plan->timeline, first.label),
                       plan->timeline, nearest(plan->end, plan->cut), taken, kLongest, stop);
      !fetched)
    return std::unexpected(fetched.error());
  tell(Step::kRecovering);
  if (where.may_recover)
    if (auto may = where.may_recover(); !may) return std::unexpected(may.error());
  if (auto configured = configure(needs, place, stop); !configured) return std::unexpected(configured.error());
  if (auto recovered = recover(needs, place, stop); !recovered) {
    if (recovered.error().message.find(kUnreachable) == std::string::npos) return std::unexpected(recovered.error());
    needs.exhausted = {plan->frontier, plan->whole_if_read};
    const auto again = plan_restore({needs.children, program, place, needs.clock}, from, needs.exhausted, stop);
    return std::unexpected(again ? recovered.error() : again.error());
  }
  const auto end = end_of(place, *plan, goal);
  if (!end) return std::unexpected(end.error());
  const auto control = postgres::read_control_data(needs.children, place, stop);
  if (!control) return std::unexpected(control.error());
  if (control->timeline <= taken)
    return fail(Code::kInternal,
                fmt::format("recovery ended on timeline {}, and {} is taken", control->timeline, taken));
  if (auto ready = make_ready(place, control->timeline); !ready) return std::unexpected(ready.error());
  said.reached = to_string(end->end);
  return RestoredData{control->timeline, said.reached};
}

Status restore_data(const RestoreNeeds& needs, const api::RestoreAssignment& from, const std::stop_token& stop) {
  BackupReport::Restored said;
  const auto restored = [&] {
    said.step = BackupReport::Step::kRestored;
    needs.on_step(said);
    return Status{};
  };
  if (postgres::exists(needs.layout.pgdata())) {
    const auto mark = read_restored_mark(needs.layout.data_dir);
    if (!mark || mark->restore != from.name)
      return fail(Code::kAlreadyExists, fmt::format("{} exists", needs.layout.pgdata()));
    if (auto synced = postgres::sync_directory(needs.layout.data_dir); !synced) return synced;
    said.reached = mark->reached;
    return restored();
  }
  const RestorePlace place{beside(needs.layout), needs.layout.data_dir + "/tablespaces/restored"};
  if (auto made = restore_into(needs, place, from, said, stop); !made) return std::unexpected(made.error());
  if (auto put = put_in_place(place.layout, needs.layout, {from.name, false, said.reached}); !put) return put;
  return restored();
}

}  // namespace twinspan::worker
