#include "worker/s3/options.hpp"

#include <CLI/CLI.hpp>

namespace twinspan::worker_s3 {

std::expected<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  CLI::App app{"Twinspan's S3 worker: replicates buckets as its link's spec says", "twinspan-s3-worker"};
  app.add_option("--namespace", options.ns, "Namespace of the link")->required();
  app.add_option("--link", options.link, "Name of the ReplicationLink")->required();
  app.add_option("--pod-name", options.pod_name, "Name of this pod, and of the lease it holds")->required();
  app.add_option("--pod-uid", options.pod_uid, "UID of this pod")->required();
  app.add_option("--address", options.address, "IP address of this pod")->required();
  app.add_option("--tls-dir", options.tls_dir, "Mounted Secret with tls.crt, tls.key, ca.crt")->required();
  app.add_option("--s3-dir", options.s3_dir, "Where ENDPOINT/credentials and ENDPOINT/ca are mounted")->required();
  app.add_option("--status-port", options.status_port, "Port of GET /status (mutual TLS)")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--health-port", options.health_port, "Port of /healthz, /readyz and /metrics")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error));
  }
  return options;
}

}  // namespace twinspan::worker_s3
