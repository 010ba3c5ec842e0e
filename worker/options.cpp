#include "worker/options.hpp"

#include <CLI/CLI.hpp>

namespace twinspan::worker {

LeaseTiming lease_timing(std::chrono::milliseconds duration, std::chrono::milliseconds renew) {
  return {duration, renew, duration / 5};
}

std::expected<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  int64_t duration_seconds = 5, renew_milliseconds = 1000;
  CLI::App app("The agent of a Twinspan worker pod: runs PostgreSQL as its link says.", "twinspan-worker");
  app.add_option("--namespace", options.ns, "Namespace of the link")->required();
  app.add_option("--link", options.link, "Name of the ReplicationLink")->required();
  app.add_option("--endpoint", options.endpoint, "The endpoint of the link that runs here")->required();
  app.add_option("--pod-name", options.pod_name, "Name of this pod; its certificate carries it")->required();
  app.add_option("--pod-uid", options.pod_uid, "UID of this pod")->required();
  app.add_option("--address", options.address, "IP address of this pod; everything listens there")->required();
  app.add_option("--data-dir", options.layout.data_dir, "Volume for the data")->required();
  app.add_option("--run-dir", options.layout.run_dir, "Volume for the socket and configuration")->required();
  app.add_option("--tls-dir", options.layout.tls_dir,
                 "Mounted Secret with tls.crt, tls.key, client.crt, client.key, ca.crt")
      ->required();
  app.add_option("--owner-dir", options.owner_dir, "Mounted Secret with username and password of the database's owner")
      ->required();
  app.add_option("--postgres-bin-dir", options.layout.bin_dir, "PostgreSQL's programs")->required();
  app.add_option("--postgres-port", options.postgres_port, "Port of PostgreSQL, the same on every member")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--status-port", options.status_port, "Port of GET /status (mutual TLS)")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--health-port", options.health_port, "Port of /healthz, /readyz and /metrics")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--lease-duration-seconds", duration_seconds,
                 "How long the lease lasts without renewal, the same on every member")
      ->check(CLI::Range(2, 600))
      ->capture_default_str();
  app.add_option("--lease-renew-milliseconds", renew_milliseconds, "How often it is renewed")
      ->check(CLI::Range(100, 60000))
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error));
  }
  options.lease = lease_timing(std::chrono::seconds(duration_seconds), std::chrono::milliseconds(renew_milliseconds));
  if (options.lease.renew * 2 + options.lease.margin > options.lease.duration) {
    std::cerr << "--lease-renew-milliseconds: must leave room for two renewals in --lease-duration-seconds\n";
    return std::unexpected(2);
  }
  return options;
}

}  // namespace twinspan::worker
