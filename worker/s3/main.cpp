// twinspan-s3-worker: replicates the buckets of one link. PID 1 of its pod.
#include <malloc.h>

#include "core/log.hpp"
#include "core/signals.hpp"
#include "kube/config.hpp"
#include "worker/s3/agent.hpp"

int main(int argc, char** argv) {
  const auto options = twinspan::worker_s3::parse_options(argc, argv);
  if (!options) return options.error();
  twinspan::log::configure(twinspan::log::parse_level(options->log_level),
                           {{"component", "s3-worker"}, {"link", options->link}, {"namespace", options->ns}});
  mallopt(M_ARENA_MAX, 2);  // dozens of threads that mostly wait: an arena for each would hold megabytes for nothing
  const twinspan::Signals signals(std::chrono::seconds(30));  // the pod's grace period: then it is killed anyway
  const auto config = twinspan::kube::default_config();
  if (!config) {
    twinspan::log::error("no API server", {{"error", config.error().message}});
    return 1;
  }
  const twinspan::SystemClock clock;
  twinspan::worker_s3::Agent agent(*options, *config, clock);
  const std::stop_callback ends(signals.stop_token(), [&] { agent.stop(); });
  return agent.run();
}
