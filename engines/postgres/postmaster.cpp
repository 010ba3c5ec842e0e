#include "engines/postgres/postmaster.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/log.hpp"
#include "engines/postgres/log_line.hpp"
#include "engines/postgres/processes.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kOrphansTime{5000};
constexpr std::chrono::milliseconds kImmediateTime{500};

// Turns the log pipe into structured lines. Reads until the last writer is gone.
class LogReader {
 public:
  LogReader(int fd, const std::function<void(const LogLine&)>& listener) : listener_(listener), fd_(fd) {}
  ~LogReader() { close(fd_); }
  int fd() const { return fd_; }
  // One read; false at the end of the pipe.
  bool pump() {
    char buffer[16384];
    const ssize_t got = read(fd_, buffer, sizeof buffer);
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
    for (ssize_t i = 0; i < got; ++i) {
      if (buffer[i] != '\n') {
        if (line_.size() < 16384) line_ += buffer[i];
        continue;
      }
      emit();
    }
    return true;
  }
  const std::string& last_words() const { return last_words_; }

 private:
  void emit() {
    const LogLine parsed = parse_log_line(line_);
    line_.clear();
    if (parsed.message.empty()) return;
    const bool final_word =
        parsed.severity == "PANIC" || (parsed.severity == "FATAL" && parsed.backend != "client backend");
    if (final_word) last_words_ = parsed.message;
    if (listener_) listener_(parsed);
    if (!repeats_.pass(parsed)) return;
    log::write(level_of(parsed), "postgres",
               {{"severity", parsed.severity},
                {"text", parsed.message},
                {"backend", parsed.backend},
                {"pg_pid", parsed.pid},
                {"user", parsed.user},
                {"database", parsed.database},
                {"sqlstate", parsed.sqlstate}});
  }

  const std::function<void(const LogLine&)>& listener_;
  LogRepeats repeats_;
  int fd_;
  std::string line_;
  std::string last_words_;
};

int pidfd_of(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace

Postmaster::Postmaster(Children& children, Layout layout, std::function<void(pid_t)> on_spawn,
                       std::function<void(const Death&)> on_death)
    : children_(children), layout_(std::move(layout)), on_spawn_(std::move(on_spawn)), on_death_(std::move(on_death)) {}

Postmaster::~Postmaster() {
  if (running()) (void)stop(StopMode::kImmediate, std::chrono::milliseconds(500));
}

Status Postmaster::start() {
  if (running()) return {};
  watcher_.stop();
  if (!kill_server_processes(layout_.pgdata(), {}, kOrphansTime))
    return fail(Code::kUnavailable, fmt::format("processes of an earlier life still run in {}", layout_.pgdata()));
  // Its owner is dead, so these are stale; the pid in them may meanwhile belong to somebody else.
  unlink((layout_.pgdata() + "/postmaster.pid").c_str());
  int log_pipe[2];
  if (pipe2(log_pipe, O_CLOEXEC) != 0) return fail(Code::kInternal, std::strerror(errno));
  fcntl(log_pipe[1], F_SETPIPE_SZ, 1 << 20);  // a slow reader must not stall backends
  fcntl(log_pipe[0], F_SETFL, O_NONBLOCK);
  Spawn spawn{layout_.program("postgres"),
              {"-D", layout_.pgdata(), "-c", "config_file=" + layout_.conf_file()},
              {{"LC_ALL", "C"}, {"TZ", "UTC"}},
              log_pipe[1],
              log_pipe[1],
              false};
  const auto pid = children_.spawn(spawn);
  close(log_pipe[1]);
  if (!pid) {
    close(log_pipe[0]);
    return std::unexpected(pid.error());
  }
  stop_asked_ = false;
  pid_ = *pid;
  if (on_spawn_) on_spawn_(*pid);
  const int pidfd = pidfd_of(*pid);
  watcher_.start(
      [this, process = *pid, pidfd, log_fd = log_pipe[0]](const std::stop_token&) { watch(process, pidfd, log_fd); });
  return {};
}

void Postmaster::watch(pid_t pid, int pidfd, int log_fd) {
  LogReader reader(log_fd, on_log_);
  bool log_open = true;
  const SystemClock clock;
  for (;;) {
    pollfd wanted[2] = {{pidfd, POLLIN, 0}, {log_open ? reader.fd() : -1, POLLIN, 0}};
    poll(wanted, 2, pidfd < 0 ? 5 : -1);
    const bool ended = pidfd >= 0 ? wanted[0].revents != 0 : kill(pid, 0) != 0;
    if (ended) break;
    if (wanted[1].revents != 0) log_open = reader.pump();
  }
  Death death;
  death.noticed_at = clock.boot_now();
  death.asked_for = stop_asked_;
  // However long it takes: while one of them lives the instance is not dead.
  while (!kill_server_processes(layout_.pgdata(), {pid}, kOrphansTime))
    log::error("processes of the instance survive SIGKILL, waiting for them", {{"pg_pid", pid}});
  death.cleared_at = clock.boot_now();
  if (pidfd >= 0) close(pidfd);
  while (log_open) {  // what it still had to say; nobody writes any more
    pollfd wanted{reader.fd(), POLLIN, 0};
    if (poll(&wanted, 1, 0) <= 0) break;
    log_open = reader.pump();
  }
  death.last_words = reader.last_words();
  death.exit = children_.wait(pid, std::chrono::milliseconds(1000)).value_or(Exit{});
  {
    MutexLock lock(mutex_);
    pid_ = 0;
  }
  if (on_spawn_) on_spawn_(0);
  gone_.notify_all();
  if (on_death_) on_death_(death);
}

void Postmaster::send(int signal) const {
  MutexLock lock(mutex_);  // pid_ is not cleared, so not reused by us, while it is held
  if (pid_ != 0) kill(pid_, signal);
}

void Postmaster::signal_stop(StopMode mode) {
  stop_asked_ = true;
  if (on_ending_) on_ending_();
  send(mode == StopMode::kFast ? SIGINT : SIGQUIT);
}

Status Postmaster::stop(StopMode mode, std::chrono::milliseconds patience) {
  const auto wait = [&](std::chrono::milliseconds time) {
    MutexLock lock(mutex_);
    return gone_.wait_for(lock.native(), time, [this] { return pid_ == 0; });
  };
  if (!running()) return {};
  signal_stop(mode);
  if (wait(patience)) return {};
  if (mode == StopMode::kFast) {
    log::warn("postgres does not stop, going on immediately", {{"patience_ms", patience.count()}});
    signal_stop(StopMode::kImmediate);
    if (wait(kImmediateTime)) return {};
  }
  kill_server_processes(layout_.pgdata(), {pid_}, kOrphansTime);
  if (wait(kOrphansTime * 2)) return {};
  return fail(Code::kTimeout, "processes of the instance survive SIGKILL");
}

}  // namespace twinspan::postgres
