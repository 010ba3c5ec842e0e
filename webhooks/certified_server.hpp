// A TLS server that begins once it has a certificate, tries a taken port again, and shows renewed ones without a pause.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "core/role_thread.hpp"
#include "net/http.hpp"
#include "webhooks/certificate_keeper.hpp"

namespace twinspan::webhooks {

class CertifiedServer {
 public:
  // `stop` is set when the server is told to stop: a handler that waits for somebody gives up then.
  using Handler = std::function<net::OutgoingResponse(const net::IncomingRequest& request, std::stop_token stop)>;

  // `options.identity` is the keeper's. `keeper`: the name of the thread that sees to it.
  CertifiedServer(net::ServerOptions options, CertificateSource source, kube::Client& client, const Clock& clock,
                  Handler handler, RoleName keeper);
  ~CertifiedServer();  // stops
  void start();
  void stop();
  int port() const { return port_; }  // 0 until it listens

 private:
  void keep(const std::stop_token& stop);
  Status show(net::TlsIdentity identity);

  net::ServerOptions options_;
  const std::string whose_;
  CertificateKeeper keeper_;
  const Handler handler_;
  std::atomic<int> port_{0};
  std::stop_source stopping_;
  std::unique_ptr<net::Server> server_;  // the keeper's thread only, until that has ended
  RoleThread thread_;
};

}  // namespace twinspan::webhooks
