#include "worker/pod_options.hpp"

namespace twinspan::worker {

void add_pod_options(CLI::App& app, PodOptions& options, const std::string& tls_files, std::string& tls_dir) {
  const auto port = [&](const char* name, int& value, const char* what) {
    app.add_option(name, value, what)->check(CLI::Range(1, 65535))->capture_default_str();
  };
  app.add_option("--namespace", options.ns, "Namespace of the link")->required();
  app.add_option("--link", options.link, "Name of the ReplicationLink")->required();
  app.add_option("--pod-name", options.pod_name, "Name of this pod; its certificate carries it")->required();
  app.add_option("--pod-uid", options.pod_uid, "UID of this pod")->required();
  app.add_option("--address", options.address, "IP address of this pod; everything listens there")->required();
  app.add_option("--tls-dir", tls_dir, "Mounted Secret with " + tls_files)->required();
  port("--status-port", options.status_port, "Port of GET /status (mutual TLS)");
  port("--health-port", options.health_port, "Port of /healthz, /readyz and /metrics");
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
}

std::expected<void, int> parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return {};
  } catch (const CLI::ParseError& error) {
    return std::unexpected(app.exit(error));
  }
}

}  // namespace twinspan::worker
