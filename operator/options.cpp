#include "operator/options.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <sstream>

#include "operator/build_info.hpp"

namespace twinspan {
namespace {

// Text that CLI11 refuses unless `parse` takes it; the reason names the value.
CLI::Validator address_validator() {
  return CLI::Validator(
      [](const std::string& text) {
        const auto parsed = parse_listen_address(text);
        return parsed ? std::string() : parsed.error().message;
      },
      "HOST:PORT");
}

CLI::Validator network_rules_validator() {
  return CLI::Validator(
      [](const std::string& text) {
        const auto parsed = controllers::parse_network_rules(text);
        return parsed ? std::string() : parsed.error().message;
      },
      "JSON");
}

// What is read as text, and then parsed.
struct Texts {
  std::string health = ":8081", metrics = ":8080", level = "info", webhook, network;
};

void add_workers_and_servers(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--watch-namespace", options.watch_namespaces,
                 "Namespace to watch; repeat it for several. Default: all")
      ->envname("TWINSPAN_WATCH_NAMESPACES")
      ->delimiter(',');
  app.add_option("--worker-image", options.worker_image, "Image of worker pods, where a link names none")
      ->envname("TWINSPAN_WORKER_IMAGE")
      ->capture_default_str();
  app.add_option("--s3-worker-image", options.s3_worker_image,
                 "Image of the workers of S3 and Kafka links, where a link names none; the operator's own holds them")
      ->envname("TWINSPAN_S3_WORKER_IMAGE")
      ->capture_default_str();
  app.add_option("--worker-image-pull-policy", options.worker_image_pull_policy, "imagePullPolicy of worker pods")
      ->envname("TWINSPAN_WORKER_IMAGE_PULL_POLICY")
      ->check(CLI::IsMember({"", "Always", "IfNotPresent", "Never"}));
  app.add_option("--worker-image-pull-secret", options.worker_image_pull_secrets,
                 "Secret of each link's namespace to pull workers' images with; repeat it for several")
      ->envname("TWINSPAN_WORKER_IMAGE_PULL_SECRETS")
      ->delimiter(',');
  app.add_option("--links-rolling-most", options.links_rolling_most,
                 "After an upgrade of the operator, at most so many links replace their pods at one time; 0: none")
      ->envname("TWINSPAN_LINKS_ROLLING_MOST")
      ->capture_default_str();
  app.add_option("--worker-network-policies", texts.network,
                 "A NetworkPolicy for each link's pods, by who may come in: "
                 "{\"operators\": [PEER], \"clientsFrom\": [PEER], \"metricsFrom\": [PEER]}. Default: none")
      ->envname("TWINSPAN_WORKER_NETWORK_POLICIES")
      ->check(network_rules_validator());
  app.add_option("--health-address", texts.health, "Where /healthz and /readyz are served")
      ->envname("TWINSPAN_HEALTH_ADDRESS")
      ->check(address_validator())
      ->capture_default_str();
  app.add_option("--metrics-address", texts.metrics, "Where /metrics is served")
      ->envname("TWINSPAN_METRICS_ADDRESS")
      ->check(address_validator())
      ->capture_default_str();
  auto* secure = app.add_flag("--metrics-secure", options.metrics_secure,
                              "Serve /metrics over TLS alone, to bearer tokens that TokenReview knows and whose user "
                              "may get /metrics")
                     ->envname("TWINSPAN_METRICS_SECURE");
  app.add_option(
         "--metrics-service", options.metrics_service,
         "The certificate of --metrics-secure is for SERVICE.NAMESPACE.svc; its authority is kept in the Secret "
         "SERVICE-ca, and shown in the ConfigMap SERVICE-ca")
      ->envname("TWINSPAN_METRICS_SERVICE")
      ->capture_default_str();
  app.add_option(
         "--metrics-certificate-dir", options.metrics_certificate_dir,
         "Folder with tls.crt and tls.key for --metrics-secure that somebody else renews, such as cert-manager. "
         "Default: an authority of the operator's own")
      ->envname("TWINSPAN_METRICS_CERTIFICATE_DIR")
      ->needs(secure);
  app.add_flag("--leader-elect", options.leader_elect, "Run with several replicas, one of which acts")
      ->envname("TWINSPAN_LEADER_ELECT");
}

void add_webhook(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--webhook-address", texts.webhook,
                 "Where the admission webhooks are served, such as :9443. Default: nowhere")
      ->envname("TWINSPAN_WEBHOOK_ADDRESS")
      ->check(address_validator());
  app.add_option("--webhook-service", options.webhook.service,
                 "Service that the API server reaches the webhooks by: their certificate is for SERVICE.NAMESPACE.svc")
      ->envname("TWINSPAN_WEBHOOK_SERVICE")
      ->capture_default_str();
  app.add_option("--webhook-namespace", options.webhook.ns,
                 "Namespace of that Service, and of the Secret. Default: the operator's own")
      ->envname("TWINSPAN_WEBHOOK_NAMESPACE");
  app.add_option("--webhook-secret", options.webhook.secret,
                 "Secret that keeps the webhooks' certificate authority. Default: SERVICE-ca")
      ->envname("TWINSPAN_WEBHOOK_SECRET");
  app.add_option("--webhook-configuration", options.webhook.configuration,
                 "Name of the ValidatingWebhookConfiguration and of the MutatingWebhookConfiguration whose caBundle is "
                 "kept. Default: none")
      ->envname("TWINSPAN_WEBHOOK_CONFIGURATION");
  app.add_option("--webhook-certificate-dir", options.webhook.certificate_dir,
                 "Folder with tls.crt and tls.key that somebody else renews, such as cert-manager. Default: an "
                 "authority of the operator's own")
      ->envname("TWINSPAN_WEBHOOK_CERTIFICATE_DIR");
}

void add_election_and_work(CLI::App& app, Options& options, Texts& texts) {
  app.add_option("--leader-election-namespace", options.leader_election_namespace,
                 "Namespace of the election's Lease. Default: the operator's own")
      ->envname("TWINSPAN_LEADER_ELECTION_NAMESPACE");
  app.add_option("--leader-election-lease-seconds", options.leader_election_lease_seconds,
                 "After so long without a renewal another replica acts")
      ->envname("TWINSPAN_LEADER_ELECTION_LEASE_SECONDS")
      ->check(CLI::Range(3, 300))
      ->capture_default_str();
  app.add_option("--log-level", texts.level, "debug, info, warn or error")
      ->envname("TWINSPAN_LOG_LEVEL")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--kubeconfig", options.kubeconfig, "Default: $KUBECONFIG, the pod's own account, ~/.kube/config");
  app.add_option("--change-trial-seconds", options.change_trial_seconds,
                 "A change that its first endpoint does not run with after so long is undone; pulling an image counts")
      ->envname("TWINSPAN_CHANGE_TRIAL_SECONDS")
      ->check(CLI::Range(10, 86400))
      ->capture_default_str();
  app.add_option("--link-workers", options.link_workers, "Links looked after at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--failover-workers", options.failover_workers, "Failovers carried on at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  // For benchmarks of the operator alone: every worker is taken to run and stream, and only statuses are written.
  app.add_flag("--pretend-workers", options.pretend_workers)->group("");
  // And that they write without end: each says other positions whenever it is asked.
  app.add_flag("--pretend-busy", options.pretend_busy)->group("")->needs("--pretend-workers");
}

}  // namespace

Result<ListenAddress> parse_listen_address(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return fail(Code::kInvalid, "\"" + text + "\": expected HOST:PORT or :PORT");
  ListenAddress out;
  out.host = text.substr(0, colon);
  if (out.host.starts_with('[') && out.host.ends_with(']')) out.host = out.host.substr(1, out.host.size() - 2);
  const char *begin = text.data() + colon + 1, *end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, out.port);
  if (error != std::errc() || rest != end || begin == end || out.port < 0 || out.port > 65535)
    return fail(Code::kInvalid, "\"" + text + "\": expected a port from 0 to 65535 after the colon");
  return out;
}

std::expected<Options, Leave> parse_options(int argc, const char* const* argv) {
  Options options;
  Texts texts;
  CLI::App app{"Twinspan: replication links and failover for Kubernetes", "twinspan-operator"};
  app.set_version_flag("--version", std::string(build_info().version) + " (" + std::string(build_info().commit) + ")");
  add_workers_and_servers(app, options, texts);
  add_webhook(app, options, texts);
  add_election_and_work(app, options, texts);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const int code = app.exit(error, out, out);
    return std::unexpected(Leave{code, out.str()});
  }
  options.health = *parse_listen_address(texts.health);
  options.metrics = *parse_listen_address(texts.metrics);
  if (!texts.network.empty()) options.worker_network_policies = *controllers::parse_network_rules(texts.network);
  if (!texts.webhook.empty()) options.webhook.address = *parse_listen_address(texts.webhook);
  options.log_level = log::parse_level(texts.level);
  return options;
}

}  // namespace twinspan
