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
std::unique_ptr<net::Server> metrics_server(const ListenAddress& address, std::function<std::string(bool links)> text);

}  // namespace twinspan
