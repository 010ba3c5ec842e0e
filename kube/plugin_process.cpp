#include "kube/plugin_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>

extern char** environ;

namespace twinspan::kube {
namespace {

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& added) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != text.npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  for (const auto& [name, value] : added) all[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Reads until the end of the stream; false where time ran out or `stop` was set.
bool read_all(int fd, std::chrono::steady_clock::time_point until, const std::stop_token& stop, std::string& out) {
  char buffer[4096];
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < until) {
    pollfd seen{fd, POLLIN, 0};
    if (poll(&seen, 1, 50) <= 0) continue;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n == 0) return true;
    if (n > 0) out.append(buffer, static_cast<size_t>(n));
  }
  return false;
}

}  // namespace

Result<std::string> run_process(const std::string& command, const std::vector<std::string>& arguments,
                                const std::vector<std::pair<std::string, std::string>>& environment,
                                std::chrono::milliseconds time, const std::stop_token& stop) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail(Code::kInternal, fmt::format("pipe: {}", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  std::vector<std::string> words{command};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = merged_environment(environment);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, command.c_str(), &actions, nullptr, pointers(words).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return fail(Code::kDenied, fmt::format("{}: {}", command, std::strerror(error)));
  }
  std::string output;
  const bool whole = read_all(ends[0], std::chrono::steady_clock::now() + time, stop, output);
  close(ends[0]);
  if (!whole) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
  if (!whole) return fail(Code::kTimeout, fmt::format("{}: no output in time", command));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return fail(Code::kDenied,
                fmt::format("{}: failed with status {}", command, WIFEXITED(status) ? WEXITSTATUS(status) : -1));
  return output;
}

}  // namespace twinspan::kube
