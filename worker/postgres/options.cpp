#include "worker/postgres/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace twinspan::worker {

LeaseTiming lease_timing(std::chrono::milliseconds duration, std::chrono::milliseconds renew) {
  // Others believe a lease for no longer, whoever wrote that it lasts: nor may who holds it.
  duration = std::clamp<std::chrono::milliseconds>(duration, std::chrono::seconds(2), kLeaseDurationMost);
  const std::chrono::milliseconds margin = duration / 5;
  return {duration, std::min(renew, (duration - margin) / 2), margin};
}

std::expected<Options, int> parse_options(int argc, const char* const* argv) {
  Options options;
  int64_t duration_seconds = 5, renew_milliseconds = 1000;
  CLI::App app("The agent of a Twinspan worker pod: runs PostgreSQL as its link says.", "twinspan-worker");
  add_pod_options(app, options, "tls.crt, tls.key, client.crt, client.key, ca.crt", options.layout.tls_dir);
  app.add_option("--endpoint", options.endpoint, "The endpoint of the link that runs here")->required();
  app.add_option("--data-dir", options.layout.data_dir, "Volume for the data")->required();
  app.add_option("--run-dir", options.layout.run_dir, "Volume for the socket and configuration")->required();
  app.add_option("--owner-dir", options.owner_dir, "Mounted Secret with username and password of the database's owner")
      ->required();
  app.add_option("--postgres-bin-dir", options.layout.bin_dir, "PostgreSQL's programs")->required();
  app.add_option("--postgres-port", options.postgres_port, "Port of PostgreSQL, the same on every member")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--lease-duration-seconds", duration_seconds,
                 "How long the lease lasts without renewal, the same on every member")
      ->check(CLI::Range(2, 300))
      ->capture_default_str();
  app.add_option("--lease-renew-milliseconds", renew_milliseconds, "How often it is renewed")
      ->check(CLI::Range(100, 60000))
      ->capture_default_str();
  if (const auto parsed = parse(app, argc, argv); !parsed) return std::unexpected(parsed.error());
  const std::chrono::milliseconds renew(renew_milliseconds);
  options.lease = lease_timing(std::chrono::seconds(duration_seconds), renew);
  if (renew * 2 + options.lease.margin > options.lease.duration) {
    std::cerr << "--lease-renew-milliseconds: must leave room for two renewals in --lease-duration-seconds\n";
    return std::unexpected(2);
  }
  return options;
}

}  // namespace twinspan::worker
