// PostgreSQL as a child of this program.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/log_line.hpp"

namespace twinspan::postgres {

// Smart is missing on purpose: it lets sessions go on committing.
enum class StopMode { kFast, kImmediate };

// The end of one life of the postmaster, told when nothing of the instance is left: every orphan killed and reaped.
struct Death {
  Exit exit;
  bool asked_for = false;  // stop() was called before
  BootTime noticed_at{};   // the postmaster was gone
  BootTime cleared_at{};   // its last orphan was gone
  std::string last_words;  // its last PANIC or FATAL line, for people
};

// Any thread may call any method; start() and stop() from one at a time.
class Postmaster {
 public:
  // `on_spawn` is called with the pid as soon as there is one, and with 0 when the instance is gone; `on_death` after
  // that. Both on a thread of the postmaster's own.
  Postmaster(Children& children, Layout layout, std::function<void(pid_t)> on_spawn,
             std::function<void(const Death&)> on_death);
  ~Postmaster();  // kills what still runs

  // Each line of its log, on the thread that reads them. Before start().
  void on_log(std::function<void(const LogLine&)> listener) { on_log_ = std::move(listener); }

  // It is asked to stop; on the thread that asks, which must not be held up. Before start().
  void on_ending(std::function<void()> listener) { on_ending_ = std::move(listener); }

  // Starts it; that it accepts connections is for an observer to find out. What an earlier life left behind is killed
  // first.
  Status start();
  bool running() const { return pid_ != 0; }
  pid_t pid() const { return pid_; }
  bool ending() const { return stop_asked_; }  // stop() or signal_stop() was called since it was started
  // Signals, waits, and goes one step harder at each deadline: fast after `patience`, then immediate for 500 ms, then
  // SIGKILL. Returns when nothing of the instance is left. Not running is fine.
  Status stop(StopMode mode, std::chrono::milliseconds patience);
  // Asks only; on_death tells the rest. For a thread that must not wait.
  void signal_stop(StopMode mode);
  void reload() const { send(1); }  // SIGHUP
  void send(int signal) const;

 private:
  void watch(pid_t pid, int pidfd, int log_fd);

  Children& children_;
  const Layout layout_;
  const std::function<void(pid_t)> on_spawn_;
  const std::function<void(const Death&)> on_death_;
  std::function<void(const LogLine&)> on_log_;
  std::function<void()> on_ending_;
  std::atomic<pid_t> pid_{0};
  std::atomic<bool> stop_asked_{false};
  mutable Mutex mutex_;  // held where pid_ is cleared: whoever holds it may signal the process
  std::condition_variable gone_;
  RoleThread watcher_{"postmaster"};
};

}  // namespace twinspan::postgres
