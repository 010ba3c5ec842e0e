#include "worker/postgres/disk_probe.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <optional>
#include <thread>

#include "core/guarded.hpp"
#include "core/log.hpp"
#include "core/role_thread.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::seconds kInterval{2};

Error failed(const std::string& what) {
  return Error{Code::kInternal, fmt::format("{}: {}", what, std::strerror(errno)), false};
}

}  // namespace

Result<postgres::Volume> volume_of(const std::string& path) {
  struct statvfs figures {};
  if (statvfs(path.c_str(), &figures) != 0) return std::unexpected(failed(path));
  return postgres::Volume{uint64_t{figures.f_blocks} * figures.f_frsize, uint64_t{figures.f_bavail} * figures.f_frsize};
}

Result<postgres::Volume> touch_disk(const std::string& directory) {
  const std::string path = directory + "/disk-probe";
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return std::unexpected(failed(path));
  const char text[] = "twinspan\n";
  const bool fine = write(file, text, sizeof text - 1) >= 0 && fdatasync(file) == 0;
  const int error = errno;
  close(file);
  errno = error;
  // A full disk answers: what is wrong with it, its figures say.
  if (!fine && errno != ENOSPC && errno != EDQUOT) return std::unexpected(failed(path));
  return volume_of(directory);
}

// Owned by the thread as well, which may outlive the probe while its write hangs.
struct DiskProbe::State {
  const Clock* clock;
  Touch touch;
  OnMeasured on_measured;
  Mutex mutex;  // of all below; held while `clock` and `on_measured` are used, so that stop() ends their use
  std::condition_variable wake;
  bool stopped GUARDED_BY(mutex) = true;
  std::optional<BootTime> began GUARDED_BY(mutex);  // of the write under way
};

DiskProbe::DiskProbe(const Clock& clock, Touch touch, OnMeasured on_measured) : state_(std::make_shared<State>()) {
  state_->clock = &clock;
  state_->touch = std::move(touch);
  state_->on_measured = std::move(on_measured);
}

DiskProbe::~DiskProbe() { stop(); }

void DiskProbe::start() {
  {
    MutexLock lock(state_->mutex);
    state_->stopped = false;
  }
  std::thread(run, state_).detach();
}

void DiskProbe::stop() {
  MutexLock lock(state_->mutex);
  state_->stopped = true;
  state_->wake.notify_all();
}

std::chrono::nanoseconds DiskProbe::waiting() const {
  MutexLock lock(state_->mutex);
  if (!state_->began) return std::chrono::nanoseconds(0);
  return state_->clock->boot_now() - *state_->began;
}

void DiskProbe::run(const std::shared_ptr<State>& state) {
  name_this_thread("disk-probe");
  MutexLock lock(state->mutex);
  while (!state->stopped) {
    state->began = state->clock->boot_now();
    lock.unlock();
    const auto measured = state->touch();
    lock.lock();
    if (state->stopped) return;
    state->began.reset();
    if (measured)
      state->on_measured(*measured);
    else
      log::warn("the data volume can't be written to", {{"error", measured.error().message}});
    state->wake.wait_for(lock.native(), kInterval, [&]() REQUIRES(state->mutex) { return state->stopped; });
  }
}

}  // namespace twinspan::worker
