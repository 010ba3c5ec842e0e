#include "engines/postgres/children.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace twinspan::postgres {
namespace {

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view line = *entry;
    const std::string_view name = line.substr(0, line.find('='));
    bool replaced = false;
    for (const auto& [key, value] : added) replaced = replaced || name == key;
    if (!replaced) out.emplace_back(line);
  }
  for (const auto& [key, value] : added) out.push_back(key + "=" + value);
  return out;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(const char* program, char** arguments, char** environment, const Spawn& what, pid_t parent) {
  if (what.leads_group) setpgid(0, 0);
  if (what.ends_with_this_thread) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
  }
  sigset_t none;
  sigemptyset(&none);
  for (const int number : {SIGCHLD, SIGPIPE, SIGTERM, SIGINT, SIGHUP}) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDWR);
  dup2(what.in >= 0 ? what.in : null, 0);
  dup2(what.out >= 0 ? what.out : null, 1);
  dup2(what.err >= 0 ? what.err : null, 2);
  if (null > 2) close(null);
  execve(program, arguments, environment);
  _exit(127);
}

}  // namespace

bool Exit::clean() const { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

std::string Exit::describe() const {
  if (WIFSIGNALED(status)) return fmt::format("signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

Children::Children() {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  reaper_.start([this](const std::stop_token& stop) { reap(stop); });
}

Children::~Children() {
  reaper_.request_stop();
  // A blocked waitpid only returns for a child: give it one.
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  changed_.notify_all();
  reaper_.stop();
}

Result<pid_t> Children::spawn(const Spawn& what) {
  std::vector<std::string> words{what.program};
  words.insert(words.end(), what.arguments.begin(), what.arguments.end());
  std::vector<std::string> variables = environment_with(what.environment);
  std::vector<char*> arguments = pointers(words);
  std::vector<char*> environment = pointers(variables);
  if (access(what.program.c_str(), X_OK) != 0)
    return fail(Code::kNotFound, fmt::format("{}: {}", what.program, std::strerror(errno)));
  const pid_t parent = getpid();
  MutexLock lock(mutex_);  // so that its end can't be seen before it is expected
  const pid_t pid = fork();
  if (pid < 0) return fail(Code::kInternal, fmt::format("fork for {}: {}", what.program, std::strerror(errno)));
  if (pid == 0) become(words[0].c_str(), arguments.data(), environment.data(), what, parent);
  if (what.leads_group) setpgid(pid, pid);  // whoever comes first
  expected_[pid] = std::nullopt;
  changed_.notify_all();
  return pid;
}

void Children::expect(pid_t pid) {
  MutexLock lock(mutex_);
  expected_.try_emplace(pid, std::nullopt);
  changed_.notify_all();
}

std::optional<Exit> Children::ended(pid_t pid) { return wait(pid, std::chrono::milliseconds(0)); }

std::optional<Exit> Children::wait(pid_t pid, std::chrono::milliseconds time) {
  MutexLock lock(mutex_);
  const auto over = [&]() REQUIRES(mutex_) {
    const auto found = expected_.find(pid);
    return found == expected_.end() || found->second.has_value();
  };
  if (!changed_.wait_for(lock.native(), time, over)) return std::nullopt;
  const auto found = expected_.find(pid);
  if (found == expected_.end()) return Exit{};
  const Exit exit = *found->second;
  expected_.erase(found);
  return exit;
}

bool Children::end_group(pid_t leader, std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (kill(-leader, SIGKILL) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void Children::reap(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, 0);
    MutexLock lock(mutex_);
    if (pid > 0) {
      if (const auto found = expected_.find(pid); found != expected_.end()) found->second = Exit{status};
      changed_.notify_all();
    } else if (errno == ECHILD) {
      // No child at all. An orphan can only arrive from a descendant, which would be one.
      changed_.wait_for(lock.native(), std::chrono::milliseconds(100));
    }
  }
}

}  // namespace twinspan::postgres
