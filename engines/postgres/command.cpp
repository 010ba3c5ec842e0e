#include "engines/postgres/command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/role_thread.hpp"
#include "core/wait.hpp"

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

// One read; closed where nothing more comes.
template <class Add>
void read_some(Descriptor& from, const Add& add) {
  char buffer[16384];
  const ssize_t got = read(from.fd, buffer, sizeof buffer);
  if (got <= 0)
    from.reset();
  else
    add(std::string_view(buffer, static_cast<size_t>(got)));
}

// A program that was started: its output, and what wakes its reader once it is to stop.
struct Running {
  pid_t pid;
  Descriptor &out, &err, &wake;
};

// Reads until both outputs are closed, and kills the program where it is stopped or takes too long: why, is returned.
std::optional<Error> read_output(const Running& running, const Command& command, const std::stop_token& stop,
                                 Outcome& outcome) {
  Lines lines(command.on_line, outcome.last);
  const auto deadline = std::chrono::steady_clock::now() + command.timeout;
  std::optional<Error> ended_early;
  while (running.out.fd >= 0 || running.err.fd >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (!ended_early && (stop.stop_requested() || left.count() <= 0)) {
      const bool stopped = stop.stop_requested();
      ended_early =
          Error{stopped ? Code::kCancelled : Code::kTimeout,
                fmt::format("{}: {}", base_name(command.program), stopped ? "stopped" : "took too long"), true};
      kill(-running.pid, SIGKILL);
    }
    const bool killed = ended_early.has_value();
    pollfd wanted[3] = {
        {running.out.fd, POLLIN, 0}, {running.err.fd, POLLIN, 0}, {killed ? -1 : running.wake.fd, POLLIN, 0}};
    // Once killed, whoever left the group may keep the pipes open: don't wait for it for long.
    const int ready = poll(wanted, 3, killed ? 500 : static_cast<int>(std::min<int64_t>(left.count() + 1, 60000)));
    if (killed && ready == 0) break;
    if (wanted[0].revents != 0)
      read_some(running.out, [&](std::string_view bytes) {
        if (outcome.out.size() < (1U << 20)) outcome.out += bytes;
      });
    if (wanted[1].revents != 0) read_some(running.err, [&](std::string_view bytes) { lines.add(bytes); });
  }
  lines.flush();
  return ended_early;
}

}  // namespace

Result<Outcome> run(Children& children, const Command& command, const std::stop_token& stop) {
  int out[2], err[2];
  Descriptor given_in{command.in}, given_out{command.out};
  if (pipe2(out, O_CLOEXEC) != 0) return fail(Code::kInternal, std::strerror(errno));
  Descriptor out_read{out[0]}, out_write{out[1]};
  if (pipe2(err, O_CLOEXEC) != 0) return fail(Code::kInternal, std::strerror(errno));
  Descriptor err_read{err[0]}, err_write{err[1]};
  Descriptor wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::stop_callback on_stop(stop, [&] { eventfd_write(wake.fd, 1); });

  Spawn spawn{command.program, command.arguments, command.environment, out_write.fd, err_write.fd, true, true};
  spawn.in = command.in;
  if (command.out >= 0) spawn.out = command.out;
  spawn.environment.emplace_back("LC_ALL", "C");
  const auto pid = children.spawn(spawn);
  if (!pid) return std::unexpected(pid.error());
  for (Descriptor* one : {&out_write, &err_write, &given_in, &given_out}) one->reset();
  if (command.out >= 0) out_read.reset();

  Outcome outcome;
  std::optional<Error> ended_early = read_output({*pid, out_read, err_read, wake}, command, stop, outcome);
  const auto exit = children.wait(*pid, std::chrono::milliseconds(5000));
  // Nobody goes on for a program that has ended: pg_basebackup's receiver would hold the slot, and write into the
  // directory of the clone after it.
  const bool gone = (!exit && !ended_early) || Children::end_group(*pid, std::chrono::milliseconds(5000));
  constexpr const char* kLeft = "what it started can't be killed";
  if (ended_early) {
    if (!gone) ended_early->message += fmt::format(", and {}", kLeft);
    return std::unexpected(*ended_early);
  }
  if (!gone) return fail(Code::kTimeout, fmt::format("{}: {}", base_name(command.program), kLeft));
  if (!exit) return fail(Code::kTimeout, fmt::format("{} closed its output but goes on", base_name(command.program)));
  outcome.exit = *exit;
  return outcome;
}

namespace {

// kInternal with the program's last words where it failed.
Result<Outcome> judged(const Command& command, Result<Outcome> outcome) {
  if (outcome && !outcome->exit.clean())
    return fail(Code::kInternal,
                fmt::format("{}: {}: {}", base_name(command.program), outcome->exit.describe(), outcome->last));
  return outcome;
}

Status status_of(const Result<Outcome>& outcome) { return outcome ? Status() : std::unexpected(outcome.error()); }

}  // namespace

Result<Outcome> run_checked(Children& children, const Command& command, const std::stop_token& stop) {
  return judged(command, run(children, command, stop));
}

Status run_piped(Children& children, Command from, Command to, const std::stop_token& stop) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Code::kInternal, std::strerror(errno));
  to.in = ends[0];
  from.out = ends[1];
  std::stop_source both;
  const std::stop_callback on_stop(stop, [&] { both.request_stop(); });
  Result<Outcome> given;
  Signal gave_all;
  RoleThread giving("pipe");
  giving.start([&](const std::stop_token&) {
    given = run(children, from, both.get_token());
    gave_all.raise();
  });
  const Status taken = status_of(run_checked(children, to, both.get_token()));
  const bool lost_its_reader = !taken && !stop.stop_requested();
  // Who failed first ends by itself; whoever is not read any more may be waiting for something else.
  if (!taken && !gave_all.wait(std::chrono::seconds(2), {})) both.request_stop();
  giving.stop();
  if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
  const Status gave = status_of(judged(from, given));
  const bool cut = given ? WIFSIGNALED(given->exit.status) && WTERMSIG(given->exit.status) == SIGPIPE
                         : lost_its_reader && given.error().code == Code::kCancelled;
  return gave || cut ? taken : gave;
}

Command first_to_end(Command command) {
  std::vector<std::string> arguments{"-n", "1000", "--", std::move(command.program)};
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  command.program = "/usr/bin/choom";
  command.arguments = std::move(arguments);
  return command;
}

}  // namespace twinspan::postgres
