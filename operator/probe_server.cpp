#include "operator/probe_server.hpp"

namespace twinspan {
namespace {

net::ServerOptions plain(const ListenAddress& address) {
  net::ServerOptions options;
  if (!address.host.empty()) options.address = address.host;
  options.port = address.port;
  options.threads = 2;
  options.connections_of_one_address_most = net::kProbesOfOneAddress;
  options.body_bytes_most = 1 << 16;  // nobody sends any
  return options;
}

}  // namespace

std::unique_ptr<net::Server> health_server(const ListenAddress& address, std::function<std::string()> ready) {
  return std::make_unique<net::Server>(plain(address), [ready = std::move(ready)](const net::IncomingRequest& request) {
    if (request.path == "/healthz" || request.path == "/livez") return net::plain_text(200, "ok\n");
    if (request.path != "/readyz") return net::plain_text(404, "not found: ask /healthz or /readyz\n");
    const std::string why_not = ready();
    return why_not.empty() ? net::plain_text(200, "ok\n") : net::plain_text(503, why_not + "\n");
  });
}

std::unique_ptr<net::Server> metrics_server(const ListenAddress& address, std::function<std::string(bool links)> body) {
  return std::make_unique<net::Server>(plain(address), [body = std::move(body)](const net::IncomingRequest& request) {
    if (request.path != "/metrics") return net::plain_text(404, "not found: ask /metrics\n");
    const auto links = request.query.find("links");
    net::OutgoingResponse response =
        net::plain_text(200, body(links == request.query.end() || links->second != "none"));
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  });
}

}  // namespace twinspan
