// The guard: a forked child of the agent that kills PostgreSQL when the right to be primary has run out or the agent is
// gone, so that a frozen or crashed agent leaves no primary behind.
#pragma once
#include <sys/types.h>

#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan::worker {

// The agent's end. Setters may be called from any thread; the guard sees them through shared memory.
class Guard {
 public:
  // Forks. Must run before the program has any other thread. `pgdata` names the instance to kill.
  static Result<Guard> fork_child(const std::string& pgdata);
  Guard(Guard&& other) noexcept;
  Guard& operator=(Guard&&) = delete;
  Guard(const Guard&) = delete;
  ~Guard();  // ends the child, and with it the protection: PostgreSQL must have stopped

  // Until when the lease lets PostgreSQL accept writes (CLOCK_BOOTTIME).
  void extend(BootTime fence_at) const;
  // PostgreSQL is about to accept writes: from now on the deadline counts. False where it has passed already: don't.
  bool enter_primary(BootTime now) const;
  // Nothing of PostgreSQL is left, or it starts in recovery.
  void leave_primary() const;
  void set_postmaster(pid_t pid) const;  // 0: none
  bool alive() const;
  pid_t pid() const { return pid_; }

 private:
  struct Shared;
  Guard(Shared* shared, pid_t pid, int pidfd) : shared_(shared), pid_(pid), pidfd_(pidfd) {}
  Shared* shared_;
  pid_t pid_;
  int pidfd_;
};

}  // namespace twinspan::worker
