#include "webhooks/certified_server.hpp"

#include "core/log.hpp"
#include "core/wait.hpp"

namespace twinspan::webhooks {
namespace {

// How soon what somebody took out of a configuration is back in it, and a renewed file is seen.
constexpr std::chrono::seconds kPeriod{30}, kRetry{2};

}  // namespace

CertifiedServer::CertifiedServer(net::ServerOptions options, CertificateSource source, kube::Client& client,
                                 const Clock& clock, Handler handler, RoleName keeper)
    : options_(std::move(options)),
      whose_(source.whose),
      keeper_(client, clock, std::move(source)),
      handler_(std::move(handler)),
      thread_(keeper) {}

CertifiedServer::~CertifiedServer() { stop(); }

void CertifiedServer::start() {
  thread_.start([this](const std::stop_token&) { keep(stopping_.get_token()); });
}

void CertifiedServer::stop() {
  stopping_.request_stop();
  thread_.stop();
  if (server_) server_->stop();
}

void CertifiedServer::keep(const std::stop_token& stop) {
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
      log::warn("a TLS server can't listen, or has no current certificate", {{"server", whose_}, {"error", trouble}});
    said = trouble;
  } while (wait_for(said.empty() ? kPeriod : kRetry, stop));
}

Status CertifiedServer::show(net::TlsIdentity identity) {
  if (server_) {
    server_->replace_identity(std::move(identity));
    log::info("certificate renewed", {{"server", whose_}});
    return {};
  }
  net::ServerOptions options = options_;
  options.identity = std::move(identity);  // never without one: this server speaks no plain HTTP
  server_ = std::make_unique<net::Server>(std::move(options), [this](const net::IncomingRequest& request) {
    return handler_(request, stopping_.get_token());
  });
  if (auto started = server_->start(); !started) {
    server_.reset();
    return started;
  }
  port_ = server_->port();
  log::info("TLS server listens", {{"server", whose_}, {"port", port_.load()}});
  return {};
}

}  // namespace twinspan::webhooks
