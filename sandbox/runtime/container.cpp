#include "sandbox/runtime/container.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace twinspan::sandbox {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Starts the shim with `control` as its descriptor 3. Returns its pid, or 0 with errno set.
pid_t spawn_shim(const std::filesystem::path& shim, const Launch& launch, int control, int output) {
  const long uid = launch.account ? static_cast<long>(launch.account->uid) : -1;
  const long gid = launch.account ? static_cast<long>(launch.account->gid) : -1;
  std::vector<std::string> arguments{shim.string(), std::to_string(uid), std::to_string(gid), launch.work_dir.string(),
                                     launch.program};
  arguments.insert(arguments.end(), launch.argv.begin(), launch.argv.end());
  std::vector<std::string> environment;
  for (const auto& [name, value] : launch.env) environment.push_back(name + "=" + value);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_adddup2(&actions, control, 3);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, shim.c_str(), &actions, &attributes, pointers(arguments).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  errno = error;
  return error == 0 ? pid : 0;
}

}  // namespace

std::optional<Account> pod_account() {
  if (geteuid() != 0) return std::nullopt;
  for (const char* name : {"postgres", "nobody"}) {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 4096> buffer{};
    if (getpwnam_r(name, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
      return Account{found->pw_uid, found->pw_gid, name};
  }
  return std::nullopt;
}

std::filesystem::path default_shim() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "twinspan-sandbox-shim";
}

struct Container::Impl {
  const Clock& clock;
  std::function<void()> on_change;
  int control = -1;
  mutable std::mutex mutex;
  std::optional<pid_t> started;
  std::optional<Exit> ended;
  WallTime started_at;
  std::jthread reader;

  void command(std::string_view line) const {
    std::lock_guard lock(mutex);
    if (control >= 0 && !ended) [[maybe_unused]]
      const ssize_t put = send(control, line.data(), line.size(), MSG_NOSIGNAL);
  }
  void end(Exit how) {
    {
      std::lock_guard lock(mutex);
      if (ended) return;
      how.at = clock.wall_now();
      ended = std::move(how);
    }
    on_change();
  }
  void hear(const std::string& line) {
    int first = 0, second = 0;
    if (std::sscanf(line.c_str(), "started %d", &first) == 1) {
      {
        std::lock_guard lock(mutex);
        started = first;
      }
      on_change();
    } else if (std::sscanf(line.c_str(), "exited %d %d", &first, &second) == 2) {
      end({first, second, {}, ""});
    } else if (std::sscanf(line.c_str(), "failed %d", &first) == 1) {
      end({127, 0, {}, std::strerror(first)});
    }
  }
  void read_all(pid_t shim) {
    std::string pending;
    std::array<char, 256> buffer{};
    while (true) {
      const ssize_t got = read(control, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      pending.append(buffer.data(), static_cast<size_t>(got));
      for (size_t end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
        hear(pending.substr(0, end));
        pending.erase(0, end + 1);
      }
    }
    while (waitpid(shim, nullptr, 0) < 0 && errno == EINTR) {
    }
    end({137, SIGKILL, {}, ""});  // only where the shim itself was killed: its child dies with it
  }
};

Container::Container(const std::filesystem::path& shim, const Launch& launch, const Clock& clock,
                     std::function<void()> on_change)
    : impl_(std::make_unique<Impl>(clock, std::move(on_change))) {
  impl_->started_at = clock.wall_now();
  int ends[2] = {-1, -1};
  const int output = open(launch.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
  pid_t pid = 0;
  if (output >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0)
    pid = spawn_shim(shim, launch, ends[1], output);
  const int error = errno;
  if (output >= 0) close(output);
  if (ends[1] >= 0) close(ends[1]);
  if (pid == 0) {
    if (ends[0] >= 0) close(ends[0]);
    impl_->ended = Exit{127, 0, clock.wall_now(), fmt::format("{}: {}", shim.string(), std::strerror(error))};
    return;
  }
  impl_->control = ends[0];
  impl_->reader = std::jthread([this, pid] { impl_->read_all(pid); });
}

Container::~Container() {
  if (impl_->control < 0) return;
  shutdown(impl_->control, SHUT_WR);  // the shim takes it as our end; the reader sees the shim's
  impl_->reader.join();
  close(impl_->control);
}

std::optional<pid_t> Container::started_pid() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->started;
}
std::optional<Exit> Container::exit() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->ended;
}
WallTime Container::started_at() const { return impl_->started_at; }
void Container::signal(int number) const { impl_->command(fmt::format("signal {}\n", number)); }
void Container::kill() const { impl_->command("kill\n"); }
void Container::freeze() const { impl_->command("freeze\n"); }
void Container::thaw() const { impl_->command("thaw\n"); }

}  // namespace twinspan::sandbox
