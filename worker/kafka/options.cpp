#include "worker/kafka/options.hpp"

#include <CLI/CLI.hpp>

namespace twinspan::worker_kafka {

std::expected<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app{"Twinspan's Kafka worker: carries topics as its link's spec says", "twinspan-kafka-worker"};
  add_pod_options(app, options, "tls.crt, tls.key, ca.crt", options.tls_dir);
  app.add_option("--kafka-dir", options.kafka_dir, "Where ENDPOINT/ca, ENDPOINT/tls and ENDPOINT/sasl are mounted")
      ->required();
  if (const auto parsed = worker::parse(app, argc, argv); !parsed) return std::unexpected(parsed.error());
  return options;
}

}  // namespace twinspan::worker_kafka
