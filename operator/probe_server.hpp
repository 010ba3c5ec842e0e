// The plain HTTP that kubelet and Prometheus ask: /healthz and /readyz on one address, /metrics on the other.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/result.hpp"
#include "net/http.hpp"
#include "operator/options.hpp"

namespace twinspan {

// `ready` answers with why not, or empty.
std::unique_ptr<net::Server> health_server(const ListenAddress& address, std::function<std::string()> ready);
// `text` is told whether the links' own series are wanted: with many links they are most of the text, and
// `/metrics?links=none` leaves them out.
using MetricsText = std::function<std::string(bool links)>;
std::unique_ptr<net::Server> metrics_server(const ListenAddress& address, MetricsText text);
net::OutgoingResponse metrics_answer(const net::IncomingRequest& request, const MetricsText& text);

// Of both, and of metrics over TLS: few ask, and they send nothing.
net::ServerOptions probe_options(const ListenAddress& address);

}  // namespace twinspan
