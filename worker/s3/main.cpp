// twinspan-s3-worker: replicates the buckets of one link. PID 1 of its pod.
#include <signal.h>

#include <thread>

#include "core/log.hpp"
#include "kube/config.hpp"
#include "worker/s3/agent.hpp"

int main(int argc, char** argv) {
  const auto options = twinspan::worker_s3::parse_options(argc, argv);
  if (!options) return options.error();
  twinspan::log::configure(twinspan::log::parse_level(options->log_level),
                           {{"component", "s3-worker"}, {"link", options->link}, {"namespace", options->ns}});
  signal(SIGPIPE, SIG_IGN);
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // inherited by every thread: one of them waits for these

  const auto config = twinspan::kube::default_config();
  if (!config) {
    twinspan::log::error("no API server", {{"error", config.error().message}});
    return 1;
  }
  const twinspan::SystemClock clock;
  twinspan::worker_s3::Agent agent(*options, *config, clock);
  std::jthread signals([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const timespec moment{0, 200'000'000};
      if (sigtimedwait(&ends, nullptr, &moment) > 0) agent.stop();
    }
  });
  return agent.run();
}
