#include "engines/postgres/processes.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace twinspan::postgres {
namespace {

constexpr std::string_view kDeleted = " (deleted)";  // what proc(5) adds where the directory is gone

struct Facts {
  bool known = false;
  char state = 0;
  pid_t parent = 0;
  std::string name;
};

// proc(5), /proc/PID/stat: "pid (name) state ppid …"; the name may hold anything, so the last parenthesis counts.
Facts facts_of(pid_t pid) {
  Facts facts;
  char path[64], buffer[512];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return facts;
  const ssize_t got = read(fd, buffer, sizeof buffer - 1);
  close(fd);
  if (got <= 0) return facts;
  buffer[got] = 0;
  const char* open_at = std::strchr(buffer, '(');
  const char* close_at = std::strrchr(buffer, ')');
  if (open_at == nullptr || close_at == nullptr) return facts;
  facts.name.assign(open_at + 1, close_at);
  int parent = 0;
  facts.known = std::sscanf(close_at + 1, " %c %d", &facts.state, &parent) == 2;
  facts.parent = parent;
  return facts;
}

std::string target_of(pid_t pid, const char* link) {
  char path[64], target[PATH_MAX];
  std::snprintf(path, sizeof path, "/proc/%d/%s", pid, link);
  const ssize_t length = readlink(path, target, sizeof target - 1);
  return length > 0 ? std::string(target, static_cast<size_t>(length)) : std::string();
}

std::string resolved(const std::string& path) {
  char real[PATH_MAX];
  return realpath(path.c_str(), real) != nullptr ? std::string(real) : path;
}

}  // namespace

std::vector<pid_t> server_processes(const std::string& pgdata, const std::vector<pid_t>& parents) {
  std::vector<pid_t> found;
  const std::string home = resolved(pgdata);
  const pid_t self = getpid();
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return found;
  while (const dirent* entry = readdir(proc)) {
    char* end = nullptr;
    const pid_t pid = static_cast<pid_t>(std::strtol(entry->d_name, &end, 10));
    if (pid <= 1 || *end != 0 || pid == self) continue;
    const Facts facts = facts_of(pid);
    if (!facts.known || facts.state == 'Z' || facts.state == 'X') continue;
    if (facts.name != "postgres") continue;
    const auto named = [&](pid_t one) { return std::find(parents.begin(), parents.end(), one) != parents.end(); };
    std::string cwd = target_of(pid, "cwd");
    if (cwd.ends_with(kDeleted)) cwd.resize(cwd.size() - kDeleted.size());
    if (named(pid) || named(facts.parent) || cwd == home) found.push_back(pid);
  }
  closedir(proc);
  return found;
}

bool has_wal_receiver(pid_t postmaster) {
  for (const pid_t pid : server_processes("/nonexistent", {postmaster})) {
    char path[64], title[256];
    std::snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const ssize_t got = read(fd, title, sizeof title);
    close(fd);
    if (got > 0 && std::string_view(title, static_cast<size_t>(got)).find(": walreceiver") != std::string_view::npos)
      return true;
  }
  return false;
}

bool kill_server_processes(const std::string& pgdata, const std::vector<pid_t>& parents,
                           std::chrono::milliseconds time) {
  timespec start{};
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (;;) {
    const std::vector<pid_t> alive = server_processes(pgdata, parents);
    if (alive.empty()) return true;
    for (const pid_t pid : alive) kill(pid, SIGKILL);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto passed =
        std::chrono::seconds(now.tv_sec - start.tv_sec) + std::chrono::nanoseconds(now.tv_nsec - start.tv_nsec);
    if (passed > time) return false;
    const timespec pause{0, 500'000};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace twinspan::postgres
