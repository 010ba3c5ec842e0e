#include "operator/probe_server.hpp"

namespace twinspan {

net::ServerOptions probe_options(const ListenAddress& address) {
  net::ServerOptions options;
  if (!address.host.empty()) options.address = address.host;
  options.port = address.port;
  options.threads = 2;
  options.connections_of_one_address_most = net::kProbesOfOneAddress;
  options.body_bytes_most = 1 << 16;  // nobody sends any
  return options;
}

std::unique_ptr<net::Server> health_server(const ListenAddress& address, std::function<std::string()> ready) {
  return std::make_unique<net::Server>(
      probe_options(address), [ready = std::move(ready)](const net::IncomingRequest& request) {
        if (request.path == "/healthz" || request.path == "/livez") return net::plain_text(200, "ok\n");
        if (request.path != "/readyz") return net::plain_text(404, "not found: ask /healthz or /readyz\n");
        const std::string why_not = ready();
        return why_not.empty() ? net::plain_text(200, "ok\n") : net::plain_text(503, why_not + "\n");
      });
}

std::unique_ptr<net::Server> metrics_server(const ListenAddress& address, MetricsText text) {
  return std::make_unique<net::Server>(
      probe_options(address),
      [text = std::move(text)](const net::IncomingRequest& request) { return metrics_answer(request, text); });
}

net::OutgoingResponse metrics_answer(const net::IncomingRequest& request, const MetricsText& text) {
  if (request.path != "/metrics") return net::plain_text(404, "not found: ask /metrics\n");
  const auto links = request.query.find("links");
  net::OutgoingResponse response = net::plain_text(200, text(links == request.query.end() || links->second != "none"));
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  return response;
}

}  // namespace twinspan
