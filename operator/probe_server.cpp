#include "operator/probe_server.hpp"

namespace twinspan {
namespace {

net::ServerOptions plain(const ListenAddress& address) {
  net::ServerOptions options;
  if (!address.host.empty()) options.address = address.host;
  options.port = address.port;
  options.threads = 2;
  return options;
}

net::OutgoingResponse text(int status, std::string body) {
  net::OutgoingResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

}  // namespace

std::unique_ptr<net::Server> health_server(const ListenAddress& address, std::function<std::string()> ready) {
  return std::make_unique<net::Server>(plain(address), [ready = std::move(ready)](const net::IncomingRequest& request) {
    if (request.path == "/healthz" || request.path == "/livez") return text(200, "ok\n");
    if (request.path != "/readyz") return text(404, "not found: ask /healthz or /readyz\n");
    const std::string why_not = ready();
    return why_not.empty() ? text(200, "ok\n") : text(503, why_not + "\n");
  });
}

std::unique_ptr<net::Server> metrics_server(const ListenAddress& address, std::function<std::string(bool links)> body) {
  return std::make_unique<net::Server>(plain(address), [body = std::move(body)](const net::IncomingRequest& request) {
    if (request.path != "/metrics") return text(404, "not found: ask /metrics\n");
    const auto links = request.query.find("links");
    net::OutgoingResponse response = text(200, body(links == request.query.end() || links->second != "none"));
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  });
}

}  // namespace twinspan
