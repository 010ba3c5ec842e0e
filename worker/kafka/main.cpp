// twinspan-kafka-worker: carries the topics of one link. PID 1 of its pod.
#include <malloc.h>

#include "core/log.hpp"
#include "core/signals.hpp"
#include "kube/config.hpp"
#include "worker/kafka/agent.hpp"

int main(int argc, char** argv) {
  const auto options = twinspan::worker_kafka::parse_options(argc, argv);
  if (!options) return options.error();
  twinspan::log::configure(twinspan::log::parse_level(options->log_level),
                           {{"component", "kafka-worker"}, {"link", options->link}, {"namespace", options->ns}});
  mallopt(M_ARENA_MAX, 2);                                    // a few threads that mostly wait
  const twinspan::Signals signals(std::chrono::seconds(30));  // the pod's grace period: then it is killed anyway
  const auto config = twinspan::kube::default_config();
  if (!config) {
    twinspan::log::error("no API server", {{"error", config.error().message}});
    return 1;
  }
  const twinspan::SystemClock clock;
  twinspan::worker_kafka::Agent agent(*options, *config, clock);
  const std::stop_callback ends(signals.stop_token(), [&] { agent.stop(); });
  return agent.run();
}
