// The admission webhooks of an operator, leader or not. The server begins once it has a certificate.
#pragma once
#include <atomic>
#include <memory>

#include "core/role_thread.hpp"
#include "webhooks/certificate_keeper.hpp"
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
  ~Webhooks();  // stops
  void start();
  void stop();
  void set_ready(bool ready) { ready_ = ready; }  // whether the caches are filled
  int port() const;                               // 0 until it listens

 private:
  void keep(const std::stop_token& stop);
  Status show(net::TlsIdentity identity);

  const WebhookConfig config_;
  const Clock& clock_;
  Neighbours neighbours_;
  CertificateKeeper keeper_;
  std::atomic<bool> ready_{false};
  std::atomic<int> port_{0};
  std::stop_source stopping_;
  std::unique_ptr<net::Server> server_;  // the keeper's thread only, until that has ended
  RoleThread thread_{"webhook-keeper"};
};

}  // namespace twinspan::webhooks
