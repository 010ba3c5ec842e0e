#include "worker/postgres/backup/restore_data.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/guarded.hpp"
#include "core/wait.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/auto_conf.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/postmaster.hpp"
#include "engines/postgres/processes.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kUnreachable = "recovery ended before configured recovery target was reached";
constexpr std::chrono::hours kLongest{24 * 7};

// A place of its own beside the data, with a socket that nobody else knows.
postgres::Layout beside(const postgres::Layout& layout) {
  postgres::Layout place = layout;
  place.data_dir += "/restoring";
  place.run_dir += "/restoring";
  return place;
}

Status make_place(const postgres::Layout& place) {
  if (!postgres::kill_server_processes(place.pgdata(), {}, seconds(5)))
    return fail(Code::kUnavailable, fmt::format("processes of an earlier restore still run in {}", place.pgdata()));
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
                                     fmt::format("--tablespace-map-all={}/tablespaces/restored", needs.layout.data_dir),
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

Status put_in_place(const postgres::Layout& place, const postgres::Layout& layout) {
  // What pgBackRest wrote for this one recovery must not lead the next.
  const auto cleaned = postgres::clean_auto_conf(place, [](const postgres::AutoSetting& setting) {
    return setting.name != "restore_command" && !setting.name.starts_with("recovery_target");
  });
  if (!cleaned) return std::unexpected(cleaned.error());
  for (const char* name : {"/postmaster.pid", "/recovery.signal", "/backup_label.old", "/tablespace_map.old"})
    std::remove((place.pgdata() + name).c_str());
  if (std::rename(place.pgdata().c_str(), layout.pgdata().c_str()) != 0)
    return fail(Code::kInternal, fmt::format("rename to {}: {}", layout.pgdata(), std::strerror(errno)));
  if (auto synced = postgres::sync_directory(layout.data_dir); !synced) return synced;
  if (auto removed = postgres::remove_tree(place.run_dir); !removed) return removed;
  return postgres::remove_tree(place.data_dir);
}

}  // namespace

std::string archive_program() {
  std::error_code failed;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", failed);
  return (failed ? std::filesystem::path("/usr/local/bin") : own.parent_path()) / "twinspan-archive";
}

bool is_unreachable_target(const Error& error) { return error.message.find(kUnreachable) != std::string::npos; }

Status restore_data(const RestoreNeeds& needs, const api::RestoreAssignment& from, const std::stop_token& stop) {
  if (postgres::exists(needs.layout.pgdata()))
    return fail(Code::kAlreadyExists, fmt::format("{} exists", needs.layout.pgdata()));
  const postgres::Layout place = beside(needs.layout);
  needs.on_step(BackupReport::Step::kFetching);
  if (auto made = make_place(place); !made) return made;
  const backup::Instance instance{from.stanza, place.pgdata(), place.run_dir, needs.settings.port,
                                  place.run_dir + "/backup"};
  const auto config = needs.access.write(from.destination, from.encryption, instance, stop);
  if (!config) return std::unexpected(config.error());
  if (auto fetched = fetch(needs, place, *config, from, stop); !fetched) return fetched;
  needs.on_step(BackupReport::Step::kRecovering);
  if (auto configured = configure(needs, place, stop); !configured) return configured;
  if (auto recovered = recover(needs, place, stop); !recovered) return recovered;
  if (auto put = put_in_place(place, needs.layout); !put) return put;
  needs.on_step(BackupReport::Step::kRestored);
  return {};
}

}  // namespace twinspan::worker
