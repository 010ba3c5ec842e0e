// The child processes of this program: started here, reaped by one thread, orphans included. The program becomes the
// reaper of its descendants (PR_SET_CHILD_SUBREAPER), as PID 1 of a pod is anyway. While one exists nothing else may
// call wait(2).
#pragma once
#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/guarded.hpp"
#include "core/result.hpp"
#include "core/role_thread.hpp"

namespace twinspan::postgres {

struct Exit {
  int status = 0;  // as wait(2) gives it
  bool clean() const;
  std::string describe() const;  // "exit code 1", "signal 9 (Killed)"
};

struct Spawn {
  std::string program;
  std::vector<std::string> arguments;                            // without the program's name
  std::vector<std::pair<std::string, std::string>> environment;  // added to this program's own
  int out = -1, err = -1;                                        // descriptors to become 1 and 2; -1: /dev/null
  bool ends_with_this_thread = false;  // SIGKILL when the thread that started it is gone (PR_SET_PDEATHSIG)
  bool leads_group = false;            // of processes, for end_group()
  int in = -1;                         // a descriptor to become 0; -1: /dev/null
};

// Any thread may call any method. One per program.
class Children {
 public:
  Children();
  ~Children();  // stops reaping; children go on
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  Result<pid_t> spawn(const Spawn& what);
  // A child forked elsewhere whose exit somebody will ask for.
  void expect(pid_t pid);
  // How `pid` ended; nullopt while it runs. A pid is forgotten once its end was told.
  std::optional<Exit> ended(pid_t pid);
  // Waits for it; nullopt at the time-out.
  std::optional<Exit> wait(pid_t pid, std::chrono::milliseconds time);
  // SIGKILL to all that is left of the group that `leader` led, and waits until none is. False at the time-out.
  static bool end_group(pid_t leader, std::chrono::milliseconds time);

 private:
  void reap(const std::stop_token& stop);

  Mutex mutex_;
  std::condition_variable changed_;
  std::map<pid_t, std::optional<Exit>> expected_ GUARDED_BY(mutex_);
  RoleThread reaper_{"reaper"};
};

}  // namespace twinspan::postgres
