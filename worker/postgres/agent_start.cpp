// Of the agent: what comes before the first decision.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/log.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/processes.hpp"
#include "worker/postgres/agent.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/memory_file.hpp"

namespace twinspan::worker {

using std::chrono::milliseconds;
using std::chrono::seconds;

DataShape Agent::data_here() const {
  switch (postgres::shape_of(options_.layout)) {
    case postgres::Shape::kPrimary: return DataShape::kPrimary;
    case postgres::Shape::kReplica: return DataShape::kReplica;
    case postgres::Shape::kNone:
    case postgres::Shape::kHalfDone: return DataShape::kNone;  // never to be started, only replaced
  }
  return DataShape::kNone;
}

// The volume is this agent's alone, nobody of an earlier life writes there any more, and certificates have come. Else
// the exit code.
std::optional<int> Agent::settle_in() {
  // One agent on one volume: a pod that was given up on may still be on its way out on the same node.
  const std::string lock_path = options_.layout.data_dir + "/agent.lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    log::error("data directory is not usable", {{"path", lock_path}, {"error", std::strerror(errno)}});
    return 1;
  }
  for (bool said = false; flock(lock, LOCK_EX | LOCK_NB) != 0; said = true) {
    if (!said) log::warn("another agent still has the volume, waiting for it", {{"path", lock_path}});
    changed_.wait(milliseconds(200), {});
    if (stopping_) return 0;
  }
  if (const auto user = postgres::os_user_name(); !user) {
    log::error("PostgreSQL can't run", {{"error", user.error().message}});
    return 1;
  }
  while (!postgres::kill_server_processes(options_.layout.pgdata(), {}, seconds(5)))
    log::error("processes of an earlier life survive SIGKILL, waiting for them");
  // Before anything is read of what lies here.
  while (true) {
    const auto whole = places_.roll_forward();
    if (whole) break;
    log::error("data that began to take the place of others can't go on", {{"error", whole.error().message}});
    changed_.wait(seconds(5), {});
    if (stopping_) return 0;
  }
  while (true) {
    const auto tls = postgres::copy_tls_files(options_.layout);
    if (tls) break;
    log::warn("no certificates yet", {{"error", tls.error().message}});
    changed_.wait(seconds(1), {});
    if (stopping_) return 0;
  }
  return std::nullopt;
}

bool Agent::recall() {
  const DataShape shape = data_here();
  std::string system_id;
  std::optional<uint32_t> timeline;
  if (shape != DataShape::kNone) {
    if (const auto control = postgres::read_control_data(children_, options_.layout)) {
      system_id = control->system_id;
      timeline = control->timeline;
    } else {
      log::error("the data can't be read", {{"error", control.error().message}});
    }
  }
  auto stored = read_memory(options_.layout.data_dir);
  if (!stored) log::error("memory is not readable", {{"error", stored.error().message}});
  if (stored && !*stored && shape == DataShape::kNone) {
    // What is made here from now on is known not to be an older version's.
    if (auto written = write_memory(options_.layout.data_dir, {memory_of(std::nullopt, false, ""), ""}); !written) {
      log::error("data directory is not usable", {{"error", written.error().message}});
      return false;
    }
    stored = read_memory(options_.layout.data_dir);
  }
  const auto restored = shape == DataShape::kNone ? std::nullopt : read_restored_mark(options_.layout.data_dir);
  local_.update([&](Local& local) {
    if (restored) local.backup.emplace().restored = said_of(*restored);
    local.shut = restored && !restored->until.empty() && !restored->opened;
    local.data = shape;
    local.system_id = system_id;
    local.timeline = timeline;
    if (stored)
      local.memory = memory_of(*stored, shape != DataShape::kNone, system_id);
    else
      local.memory_trouble = stored.error().message;
  });
  log::info("recalled", {{"memory", stored ? to_string(*local_.copy().memory) : "unreadable"}, {"system", system_id}});
  return true;
}

bool Agent::start() {
  if (const auto volume = volume_of(options_.layout.data_dir))
    local_.update([&](Local& local) { local.volume = *volume; });
  turned_at_ = clock_.boot_now().time_since_epoch().count();
  if (auto started = servers_.start(); !started) {
    log::error("HTTP servers don't start", {{"error", started.error().message}});
    return false;
  }
  postmaster_.on_log([this](const postgres::LogLine& line) {
    const auto tried = alters_.note(line);
    if (!tried) return;
    local_.update([&](Local& local) {
      local.parameters.taken_back = {tried->name, postgres::shown_value(*tried)};
      ++local.parameters.taken_back_count;
    });
  });
  postmaster_.on_ending([this] { backups_.database_ends(); });
  keeper_.start();
  runner_.start();
  prober_.start();
  disk_.start();
  queries_.start();
  if (auto listens = backups_.start(); !listens) {
    log::error("nothing can be archived", {{"error", listens.error().message}});
    return false;
  }
  imports_.start();
  restores_.start();
  watch_.start();
  return true;
}

}  // namespace twinspan::worker
