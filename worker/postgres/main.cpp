// twinspan-worker: the agent of one PostgreSQL instance. PID 1 of its pod. As `twinspan-worker restore-test` it is a
// pod that restores a backup and asks it.
#include <signal.h>

#include <string_view>

#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "kube/config.hpp"
#include "worker/postgres/agent.hpp"
#include "worker/postgres/backup/restore_test.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "restore-test")
    return twinspan::worker::restore_test_main(argc - 1, argv + 1);
  const auto options = twinspan::worker::parse_options(argc, argv);
  if (!options) return options.error();
  twinspan::log::configure(
      twinspan::log::parse_level(options->log_level),
      {{"component", "worker"}, {"link", options->link}, {"namespace", options->ns}, {"endpoint", options->endpoint}});
  // Before any thread: the guard is a fork of this process as it is now.
  const auto guard = twinspan::worker::Guard::fork_child(options->layout.pgdata());
  if (!guard) {
    twinspan::log::error("no guard, no database", {{"error", guard.error().message}});
    return 1;
  }
  signal(SIGPIPE, SIG_IGN);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // inherited by every thread: one of them waits for these

  auto config = twinspan::kube::default_config();
  if (!config) {
    twinspan::log::error("no API server", {{"error", config.error().message}});
    return 1;
  }
  const twinspan::SystemClock clock;
  twinspan::worker::Agent agent(*options, *config, *guard, clock);
  twinspan::RoleThread signals("signals", [&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const timespec second{0, 200'000'000};
      if (sigtimedwait(&ends, nullptr, &second) > 0) agent.stop();
    }
  });
  return agent.run();
}
