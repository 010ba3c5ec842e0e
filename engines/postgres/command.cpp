#include "engines/postgres/command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace twinspan::postgres {
namespace {

struct Descriptor {
  int fd = -1;
  ~Descriptor() { reset(); }
  void reset() {
    if (fd >= 0) close(fd);
    fd = -1;
  }
};

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Standard error, cut into lines at \n and \r.
class Lines {
 public:
  Lines(const std::function<void(std::string_view)>& on_line, std::string& last) : on_line_(on_line), last_(last) {}
  void add(std::string_view bytes) {
    for (const char c : bytes) {
      if (c == '\n' || c == '\r') {
        flush();
      } else {
        line_ += c;
      }
    }
  }
  void flush() {
    if (line_.empty()) return;
    if (on_line_) on_line_(line_);
    last_ += (last_.empty() ? "" : "; ") + line_;
    if (last_.size() > 2000) last_.erase(0, last_.size() - 2000);
    line_.clear();
  }

 private:
  const std::function<void(std::string_view)>& on_line_;
  std::string& last_;
  std::string line_;
};

}  // namespace

Result<Outcome> run(Children& children, const Command& command, const std::stop_token& stop) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return fail(Code::kInternal, std::strerror(errno));
  Descriptor out_read{out[0]}, out_write{out[1]};
  if (pipe2(err, O_CLOEXEC) != 0) return fail(Code::kInternal, std::strerror(errno));
  Descriptor err_read{err[0]}, err_write{err[1]};
  Descriptor wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::stop_callback on_stop(stop, [&] { eventfd_write(wake.fd, 1); });

  Spawn spawn{command.program, command.arguments, command.environment, out_write.fd, err_write.fd, true};
  spawn.environment.emplace_back("LC_ALL", "C");
  const auto pid = children.spawn(spawn);
  if (!pid) return std::unexpected(pid.error());
  out_write.reset();
  err_write.reset();

  Outcome outcome;
  Lines lines(command.on_line, outcome.last);
  const auto deadline = std::chrono::steady_clock::now() + command.timeout;
  std::optional<Error> ended_early;
  bool killed = false;
  while (out_read.fd >= 0 || err_read.fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (!killed && (stop.stop_requested() || left.count() <= 0)) {
      const bool stopped = stop.stop_requested();
      ended_early =
          Error{stopped ? Code::kCancelled : Code::kTimeout,
                fmt::format("{}: {}", base_name(command.program), stopped ? "stopped" : "took too long"), true};
      kill(*pid, SIGKILL);
      killed = true;
    }
    pollfd wanted[3] = {{out_read.fd, POLLIN, 0}, {err_read.fd, POLLIN, 0}, {killed ? -1 : wake.fd, POLLIN, 0}};
    // Once killed, a grandchild may keep the pipes open: don't wait for it for long.
    const int ready = poll(wanted, 3, killed ? 500 : static_cast<int>(std::min<int64_t>(left.count() + 1, 60000)));
    if (killed && ready == 0) break;
    char buffer[16384];
    if (wanted[0].revents != 0) {
      const ssize_t got = read(out_read.fd, buffer, sizeof buffer);
      if (got <= 0)
        out_read.reset();
      else if (outcome.out.size() < (1U << 20))
        outcome.out.append(buffer, static_cast<size_t>(got));
    }
    if (wanted[1].revents != 0) {
      const ssize_t got = read(err_read.fd, buffer, sizeof buffer);
      if (got <= 0)
        err_read.reset();
      else
        lines.add({buffer, static_cast<size_t>(got)});
    }
  }
  lines.flush();
  const auto exit = children.wait(*pid, std::chrono::milliseconds(5000));
  if (ended_early) return std::unexpected(*ended_early);
  if (!exit) return fail(Code::kTimeout, fmt::format("{} closed its output but goes on", base_name(command.program)));
  outcome.exit = *exit;
  return outcome;
}

Result<Outcome> run_checked(Children& children, const Command& command, const std::stop_token& stop) {
  auto outcome = run(children, command, stop);
  if (outcome && !outcome->exit.clean())
    return fail(Code::kInternal,
                fmt::format("{}: {}: {}", base_name(command.program), outcome->exit.describe(), outcome->last));
  return outcome;
}

}  // namespace twinspan::postgres
