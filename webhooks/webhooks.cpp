#include "webhooks/webhooks.hpp"

#include "webhooks/handler.hpp"

namespace twinspan::webhooks {
namespace {

net::ServerOptions server_options(const WebhookConfig& config) {
  net::ServerOptions options;
  if (!config.host.empty()) options.address = config.host;
  options.port = config.port;
  options.threads = 4;
  options.body_bytes_most = 8 << 20;  // two versions of an object, at most 1.5 MiB each in etcd
  return options;
}

}  // namespace

Webhooks::Webhooks(WebhookConfig config, kube::Client& client, const Clock& clock, controllers::Cluster& cluster,
                   const controllers::FailoverCaches& caches)
    : neighbours_(client.config(), cluster, caches),
      server_(
          server_options(config), config.certificate, client, clock,
          [this](const net::IncomingRequest& request, std::stop_token stop) {
            return handle(request, neighbours_, ready_, std::move(stop));
          },
          "webhook-keeper") {}

}  // namespace twinspan::webhooks
