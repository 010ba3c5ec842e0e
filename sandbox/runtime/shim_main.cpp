// twinspan-sandbox-shim: stands between the runtime and one container, as containerd's shim does. It starts the
// container's main process under an unprivileged account, adopts every orphan below it, and sees to it that nothing of
// the container is left when the main process ends, as a PID namespace would, or when the runtime is gone.
//
// Arguments: UID GID WORK_DIR PROGRAM ARGV0 [ARG...]; UID -1: the account it runs under. The environment is the
// container's. Descriptor 3 is the control socket. It reads lines: "signal N" (to the main process), "kill"
// (everything), "freeze", "thaw" (everything); end of file means that the runtime is gone. It writes: "started PID",
// then "exited CODE SIGNAL", or "failed ERRNO". One thread, and a program of its own: a fork of the many-threaded
// runtime could do no more than exec.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

namespace {

constexpr int kControl = 3;

void tell(const std::string& line) {
  size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t put = write(kControl, line.data() + sent, line.size() - sent);
    if (put <= 0 && errno != EINTR) return;  // the runtime is gone: the read side notices
    if (put > 0) sent += static_cast<size_t>(put);
  }
}

// Parent of a process by /proc/PID/stat, whose second field is free text in parentheses (proc(5)). 0 where it is gone.
pid_t parent_of(pid_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return 0;
  char text[512];
  const size_t size = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  text[size] = '\0';
  const char* after_name = std::strrchr(text, ')');
  int parent = 0;
  char state = 0;
  if (after_name == nullptr || std::sscanf(after_name + 1, " %c %d", &state, &parent) != 2) return 0;
  return parent;
}

std::set<pid_t> descendants() {
  std::multimap<pid_t, pid_t> children;
  DIR* directory = opendir("/proc");
  if (directory == nullptr) return {};
  while (const dirent* entry = readdir(directory)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 1) children.emplace(parent_of(pid), pid);
  }
  closedir(directory);
  std::set<pid_t> found, next{getpid()};
  while (!next.empty()) {
    const pid_t pid = *next.begin();
    next.erase(next.begin());
    const auto [begin, end] = children.equal_range(pid);
    for (auto child = begin; child != end; ++child)
      if (found.insert(child->second).second) next.insert(child->second);
  }
  return found;
}

// A process may fork while the list is being read: repeated until nobody new is found. Who is woken may fork for ever,
// and what it forks needs no waking.
void signal_everything(int number) {
  std::set<pid_t> told;
  for (int pass = 0; pass == 0 || number != SIGCONT; ++pass) {
    size_t fresh = 0;
    for (const pid_t pid : descendants())
      if (told.insert(pid).second) {
        kill(pid, number);
        ++fresh;
      }
    if (fresh == 0) return;
  }
}

// Kills and reaps until there is no child left. Every descendant becomes a child once its parents are gone.
void end_everything() {
  while (true) {
    for (const pid_t pid : descendants()) kill(pid, SIGKILL);
    const pid_t reaped = waitpid(-1, nullptr, WNOHANG);
    if (reaped < 0 && errno == ECHILD) return;
    if (reaped == 0) {
      const timespec pause{0, 1'000'000};
      nanosleep(&pause, nullptr);
    }
  }
}

[[noreturn]] void become_container(char** arguments, int failure_pipe, pid_t shim) {
  const auto uid = static_cast<uid_t>(std::atol(arguments[0]));
  const auto gid = static_cast<gid_t>(std::atol(arguments[1]));
  const char* program = arguments[3];
  setsid();
  // Opened while we may still look into every folder: the account may not reach a build under somebody's home.
  const int file = open(program, O_PATH | O_CLOEXEC);
  bool ok = true;
  if (uid != static_cast<uid_t>(-1)) ok = setgroups(0, nullptr) == 0 && setgid(gid) == 0 && setuid(uid) == 0;
  ok = ok && chdir(arguments[2]) == 0;
  umask(022);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // after setuid, which clears it
  if (getppid() != shim) _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_DFL);
  if (ok) {
    execve(program, arguments + 4, environ);
    if (errno == EACCES && file >= 0) execveat(file, "", arguments + 4, environ, AT_EMPTY_PATH);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t put = write(failure_pipe, &error, sizeof error);
  _exit(127);
}

// Carries out what the runtime asks. False where the runtime is gone.
bool obey(std::string& pending, pid_t container) {
  char text[256];
  const ssize_t got = read(kControl, text, sizeof text);
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  pending.append(text, static_cast<size_t>(got));
  for (size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
    const std::string line = pending.substr(0, end);
    pending.erase(0, end + 1);
    if (line.starts_with("signal ")) kill(container, std::atoi(line.c_str() + 7));
    if (line == "kill") signal_everything(SIGKILL);
    if (line == "freeze") signal_everything(SIGSTOP);
    if (line == "thaw") signal_everything(SIGCONT);
  }
  return true;
}

// True once the container's main process has ended; every other child is reaped and forgotten.
bool reap(pid_t container, int& status) {
  bool ended = false;
  int one = 0;
  for (pid_t pid = waitpid(-1, &one, WNOHANG); pid > 0; pid = waitpid(-1, &one, WNOHANG))
    if (pid == container) {
      ended = true;
      status = one;
    }
  return ended;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6 || fcntl(kControl, F_GETFD) < 0) {
    std::fputs("twinspan-sandbox-shim is started by the sandbox, not by hand\n", stderr);
    return 2;
  }
  close_range(kControl + 1, ~0U, 0);
  fcntl(kControl, F_SETFD, FD_CLOEXEC);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) signal(number, SIG_IGN);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  const int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);

  int failure[2];
  if (signals < 0 || pipe2(failure, O_CLOEXEC) != 0) return 2;
  const pid_t shim = getpid();
  const pid_t container = fork();
  if (container == 0) become_container(argv + 1, failure[1], shim);
  close(failure[1]);
  int error = container < 0 ? errno : 0;
  if (container >= 0 && read(failure[0], &error, sizeof error) != sizeof error)
    error = 0;  // end of file: exec succeeded
  close(failure[0]);
  if (error != 0) {
    tell("failed " + std::to_string(error) + "\n");
    end_everything();
    return 0;
  }
  tell("started " + std::to_string(container) + "\n");

  std::string pending;
  int status = 0;
  while (true) {
    pollfd watched[2] = {{kControl, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(watched, 2, -1) < 0 && errno != EINTR) break;
    signalfd_siginfo ignored;
    while (read(signals, &ignored, sizeof ignored) > 0) {
    }
    if (reap(container, status)) {
      end_everything();
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      const int number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
      tell("exited " + std::to_string(code) + " " + std::to_string(number) + "\n");
      return 0;
    }
    if ((watched[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !obey(pending, container)) break;
  }
  end_everything();
  return 0;
}
