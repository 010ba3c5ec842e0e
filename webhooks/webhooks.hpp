// The admission webhooks of an operator, leader or not. The server begins once it has a certificate.
#pragma once
#include <atomic>

#include "webhooks/certified_server.hpp"
#include "webhooks/neighbours.hpp"

namespace twinspan::webhooks {

struct WebhookConfig {
  std::string host;  // to listen on; empty: every address
  int port = 9443;
  CertificateSource certificate;
};

class Webhooks {
 public:
  // Before the caches start.
  Webhooks(WebhookConfig config, kube::Client& client, const Clock& clock, controllers::Cluster& cluster,
           const controllers::FailoverCaches& caches);
  void start() { server_.start(); }
  void stop() { server_.stop(); }
  void set_ready(bool ready) { ready_ = ready; }  // whether the caches are filled
  int port() const { return server_.port(); }     // 0 until it listens

 private:
  Neighbours neighbours_;
  std::atomic<bool> ready_{false};
  CertifiedServer server_;
};

}  // namespace twinspan::webhooks
