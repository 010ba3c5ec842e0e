#include "worker/postgres/guard.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "engines/postgres/processes.hpp"

namespace twinspan::worker {

struct Guard::Shared {
  std::atomic<int64_t> fence_at_nanoseconds{0};  // CLOCK_BOOTTIME
  std::atomic<bool> primary{false};
  std::atomic<pid_t> postmaster{0};
  static_assert(std::atomic<int64_t>::is_always_lock_free, "shared between processes");
};

namespace {

constexpr int64_t kLookNanoseconds =
    250'000'000;  // a primary can't appear and run out between two looks: leases last seconds
constexpr std::chrono::milliseconds kKillTime{60000};

int64_t boot_nanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int pidfd_open(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

void say(const char* text) { [[maybe_unused]] const ssize_t done = write(2, text, std::strlen(text)); }

}  // namespace

Result<Guard> Guard::fork_child(const std::string& pgdata) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return fail(Code::kInternal, fmt::format("shared memory for the guard: {}", std::strerror(errno)));
  auto* shared = new (memory) Shared;
  const pid_t agent = getpid();
  const int agent_fd = pidfd_open(agent);
  if (agent_fd < 0) return fail(Code::kInternal, fmt::format("pidfd_open: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child < 0) return fail(Code::kInternal, fmt::format("fork of the guard: {}", std::strerror(errno)));
  if (child > 0) {
    close(agent_fd);
    const int guard_fd = pidfd_open(child);
    if (guard_fd < 0) return fail(Code::kInternal, fmt::format("pidfd_open: {}", std::strerror(errno)));
    return Guard(shared, child, guard_fd);
  }

  // The guard. A signal to the whole process group must not take it before the agent.
  prctl(PR_SET_NAME, "twinspan-guard");
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) signal(number, SIG_IGN);
  // A timer on CLOCK_BOOTTIME fires as soon as a suspended machine wakes; poll's own time-out would start counting
  // again.
  const int timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  const auto kill_all = [&] {
    const pid_t postmaster = shared->postmaster;
    std::vector<pid_t> parents;
    if (postmaster != 0) parents.push_back(postmaster);
    postgres::kill_server_processes(pgdata, parents, kKillTime);
  };
  for (;;) {
    const int64_t now = boot_nanoseconds();
    const bool armed = shared->primary;
    const int64_t fence_at = shared->fence_at_nanoseconds;
    if (armed && now >= fence_at) {
      say("{\"level\":\"error\",\"msg\":\"the lease ran out while PostgreSQL could still write: "
          "killed\",\"component\":\"guard\"}\n");
      kill_all();
      shared->primary = false;
    }
    const int64_t wake = armed && fence_at > now ? std::min(fence_at, now + kLookNanoseconds) : now + kLookNanoseconds;
    itimerspec at{};
    at.it_value.tv_sec = wake / 1'000'000'000;
    at.it_value.tv_nsec = wake % 1'000'000'000;
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, nullptr);
    pollfd wanted[2] = {{agent_fd, POLLIN, 0}, {timer, POLLIN, 0}};
    poll(wanted, 2, 1000);
    if (wanted[0].revents != 0) {
      kill_all();
      _exit(0);
    }
  }
}

Guard::Guard(Guard&& other) noexcept
    : shared_(std::exchange(other.shared_, nullptr)), pid_(other.pid_), pidfd_(other.pidfd_) {}

bool Guard::alive() const {
  pollfd wanted{pidfd_, POLLIN, 0};
  return poll(&wanted, 1, 0) == 0;
}

Guard::~Guard() {
  if (shared_ == nullptr) return;
  if (alive()) kill(pid_, SIGKILL);
  close(pidfd_);
  munmap(shared_, sizeof(Shared));
}

void Guard::extend(BootTime fence_at) const { shared_->fence_at_nanoseconds = fence_at.time_since_epoch().count(); }

bool Guard::enter_primary(BootTime now) const {
  if (now.time_since_epoch().count() >= shared_->fence_at_nanoseconds) return false;
  shared_->primary = true;
  return true;
}

void Guard::leave_primary() const { shared_->primary = false; }
void Guard::set_postmaster(pid_t pid) const { shared_->postmaster = pid; }

}  // namespace twinspan::worker
