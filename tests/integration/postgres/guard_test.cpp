// The guard against real PostgreSQL: each test's agent is a process of its own, because a guard is forked before any
// thread.
#include "worker/postgres/guard.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "engines/postgres/processes.hpp"
#include "integration/postgres/member.hpp"

namespace twinspan::postgres::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What the agent does once PostgreSQL accepts writes. Its return ends the agent.
using Life = std::function<void(const worker::Guard&, Member&)>;

class Agent {
 public:
  Agent(const std::string& root, const Life& life) {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) abort();
    pid_ = fork();
    if (pid_ == 0) {
      close(ready[0]);
      run(root, life, ready[1]);
      _exit(0);
    }
    close(ready[1]);
    char byte = 0;
    started_ = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
  }
  ~Agent() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  bool started() const { return started_; }
  pid_t pid() const { return pid_; }

 private:
  static void run(const std::string& root, const Life& life, int ready) {
    const auto guard = worker::Guard::fork_child(root + "/east/data/pgdata");
    if (!guard) return;
    Children children;
    const Authority authority;
    Member east(children, authority, root, "east", 5);
    east.postmaster = std::make_unique<Postmaster>(
        children, east.layout, [&](pid_t pid) { guard->set_postmaster(pid); },
        [&](const Death&) { guard->leave_primary(); });
    guard->extend(SystemClock().boot_now() + seconds(600));
    if (!guard->enter_primary(SystemClock().boot_now())) return;
    if (!initialize(children, east.layout) || !east.start()) return;
    [[maybe_unused]] const ssize_t told = write(ready, "x", 1);
    life(*guard, east);
  }

  pid_t pid_ = 0;
  bool started_ = false;
};

bool runs(const std::string& root) { return !server_processes(root + "/east/data/pgdata", {}).empty(); }

TEST(Guard, KillsPostgresWhenTheAgentIsKilled) {
  const Scratch scratch;
  const Agent agent(scratch.path(), [](const worker::Guard&, Member&) { pause(); });
  ASSERT_TRUE(agent.started());
  ASSERT_TRUE(runs(scratch.path()));
  const auto start = std::chrono::steady_clock::now();
  kill(agent.pid(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !runs(scratch.path()); }));
  std::printf("[ TIMING   ] agent_killed_to_postgres_gone: %.1f ms\n", milliseconds_since(start));
}

TEST(Guard, KillsAFrozenAgentsPrimaryAtTheDeadline) {
  const Scratch scratch;
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  const Agent agent(scratch.path(), [&](const worker::Guard& guard, Member&) {
    const BootTime deadline = SystemClock().boot_now() + seconds(5);
    guard.extend(deadline);
    [[maybe_unused]] const ssize_t wrote = write(told[1], &deadline, sizeof deadline);
    raise(SIGSTOP);
  });
  ASSERT_TRUE(agent.started());
  BootTime deadline;
  ASSERT_EQ(read(told[0], &deadline, sizeof deadline), static_cast<ssize_t>(sizeof deadline));
  ASSERT_TRUE(eventually([&] { return !runs(scratch.path()); }));
  const auto late = std::chrono::duration_cast<milliseconds>(SystemClock().boot_now() - deadline);
  std::printf("[ TIMING   ] deadline_to_postgres_gone: %ld ms\n", static_cast<long>(late.count()));
  EXPECT_GE(late.count(), 0) << "it had the right for longer";
  EXPECT_LT(late, seconds(20));
  close(told[0]);
  close(told[1]);
}

TEST(Guard, LeavesAReplicaAloneWhenTheDeadlinePasses) {
  const Scratch scratch;
  const Agent agent(scratch.path(), [](const worker::Guard& guard, Member&) {
    guard.leave_primary();
    guard.extend(SystemClock().boot_now() - seconds(1));
    pause();
  });
  ASSERT_TRUE(agent.started());
  EXPECT_FALSE(eventually([&] { return !runs(scratch.path()); }, milliseconds(1000)));
}

TEST(Guard, RefusesAPrimaryWhoseDeadlineHasPassed) {
  const Scratch scratch;
  int answer[2];
  ASSERT_EQ(pipe(answer), 0);
  const Agent agent(scratch.path(), [&](const worker::Guard& guard, Member&) {
    const BootTime now = SystemClock().boot_now();
    guard.extend(now - milliseconds(1));
    const char said = guard.enter_primary(now) ? 'y' : 'n';
    [[maybe_unused]] const ssize_t told = write(answer[1], &said, 1);
    pause();
  });
  ASSERT_TRUE(agent.started());
  char said = 0;
  ASSERT_EQ(read(answer[0], &said, 1), 1);
  EXPECT_EQ(said, 'n');
  close(answer[0]);
  close(answer[1]);
}

}  // namespace
}  // namespace twinspan::postgres::testing
