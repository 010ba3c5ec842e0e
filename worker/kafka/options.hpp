// The command line of a Kafka worker pod (ARCHITECTURE.md, "Worker pod contract").
#pragma once
#include <expected>
#include <string>

#include "worker/pod_options.hpp"

namespace twinspan::worker_kafka {

struct Options : worker::PodOptions {
  std::string tls_dir;    // tls.crt, tls.key, ca.crt
  std::string kafka_dir;  // ENDPOINT/ca, ENDPOINT/tls, ENDPOINT/sasl: mounted Secrets
};

// The options, or the exit code where the program has to end (--help, a wrong flag): everything is said already.
std::expected<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace twinspan::worker_kafka
