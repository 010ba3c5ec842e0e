#include "webhooks/webhooks.hpp"

#include "core/log.hpp"
#include "core/wait.hpp"
#include "webhooks/handler.hpp"

namespace twinspan::webhooks {
namespace {

// How soon what somebody took out of a configuration is back in it, and a renewed file is seen.
constexpr std::chrono::seconds kPeriod{30}, kRetry{2};
constexpr size_t kBodyBytesMost = 8 << 20;  // two versions of an object, at most 1.5 MiB each in etcd

}  // namespace

Webhooks::Webhooks(WebhookConfig config, kube::Client& client, const Clock& clock, controllers::Cluster& cluster,
                   const controllers::FailoverCaches& caches)
    : config_(std::move(config)),
      clock_(clock),
      neighbours_(client.config(), cluster, caches),
      keeper_(client, clock, config_.certificate) {}

Webhooks::~Webhooks() { stop(); }

void Webhooks::start() {
  thread_.start([this](const std::stop_token&) { keep(stopping_.get_token()); });
}

void Webhooks::stop() {
  stopping_.request_stop();
  thread_.stop();
  if (server_) server_->stop();
}

int Webhooks::port() const { return port_; }

void Webhooks::keep(const std::stop_token& stop) {
  std::string said;
  net::TlsIdentity latest;  // shown until it is: a port may be taken for a while
  do {
    auto identity = keeper_.look(stop);
    Status shown;
    if (identity && *identity) latest = **identity;
    if (!identity)
      shown = std::unexpected(identity.error());
    else if (*identity || !server_)
      shown = show(latest);
    const std::string trouble = shown ? std::string() : shown.error().message;
    if (!trouble.empty() && trouble != said && !stop.stop_requested())
      log::warn("the webhook can't listen, or has no current certificate", {{"error", trouble}});
    said = trouble;
  } while (wait_for(said.empty() ? kPeriod : kRetry, stop));
}

Status Webhooks::show(net::TlsIdentity identity) {
  if (server_) {
    server_->replace_identity(std::move(identity));
    log::info("webhook certificate renewed");
    return {};
  }
  net::ServerOptions options;
  if (!config_.host.empty()) options.address = config_.host;
  options.port = config_.port;
  options.identity = std::move(identity);
  options.threads = 4;
  options.body_bytes_most = kBodyBytesMost;
  server_ = std::make_unique<net::Server>(std::move(options), [this](const net::IncomingRequest& request) {
    return handle(request, neighbours_, ready_, stopping_.get_token());
  });
  if (auto started = server_->start(); !started) {
    server_.reset();
    return started;
  }
  port_ = server_->port();
  log::info("webhook listens", {{"port", port_.load()}});
  return {};
}

}  // namespace twinspan::webhooks
