// One running container: a process tree below a shim (shim_main.cpp) that leaves nothing behind.
#pragma once
#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan::sandbox {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;
};
// The account pods run under: nullopt (our own) unless we are root; then `postgres`, or `nobody` where that is missing.
// It needs a passwd entry, since initdb refuses to run without.
std::optional<Account> pod_account();

struct Launch {
  std::string program;                     // a path of this machine
  std::vector<std::string> argv;           // with argv[0]
  std::map<std::string, std::string> env;  // all of it: nothing is inherited
  std::filesystem::path work_dir, log_file;
  std::optional<Account> account;
  std::filesystem::path last_words{};  // the file that its terminationMessagePath is; empty: none
};

struct Exit {
  int code = 0;
  int signal = 0;  // 0: it exited by itself
  WallTime at;
  std::string start_error;  // not empty: it never ran
  std::string message{};    // that it left behind for its status
};

// The main process and all its descendants end when it does, when this object goes, and when this process dies in
// whatever way. Any thread may call any method.
class Container {
 public:
  // `on_change` is called from a thread of the container's own, after started_pid() or exit() have changed.
  Container(const std::filesystem::path& shim, const Launch& launch, const Clock& clock,
            std::function<void()> on_change);
  ~Container();  // kills what still runs and waits for its end

  std::optional<pid_t> started_pid() const;  // of the main process
  std::optional<Exit> exit() const;
  WallTime started_at() const;
  void signal(int number) const;  // to the main process, as kubelet does
  void kill() const;              // SIGKILL to all
  void freeze() const;            // SIGSTOP to all: a node that hangs
  void thaw() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The shim beside our own program.
std::filesystem::path default_shim();

}  // namespace twinspan::sandbox
