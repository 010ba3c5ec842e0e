// A TCP forwarder: one listening address, a set of backends that may change at any time. Stands in for kube-proxy.
#pragma once
#include <compare>
#include <memory>
#include <string>
#include <vector>

#include "core/result.hpp"

namespace twinspan::sandbox {

struct Backend {
  std::string address;  // an IPv4 literal
  int port = 0;
  auto operator<=>(const Backend&) const = default;
};

// As kube-proxy does: a new connection goes to one of the backends of that moment, in turn; a connection once made
// stays where it is, whatever happens to the backends, until either side closes it; with no backends connections are
// refused. A backend that refuses is passed on as a reset. Any thread may call any method.
class Forwarder {
 public:
  // `port` 0: any free one. Nothing listens before the first backend is there.
  Forwarder(std::string address, int port);
  ~Forwarder();  // closes everything

  // After it returns, no connection accepted from then on goes to a backend that is not in `backends`. kUnavailable
  // where the address can't be listened on (it is tried again with the next call).
  Status set_backends(std::vector<Backend> backends);
  // Resets the connections to `backend`, for tests of what kube-proxy never does.
  void close_connections_to(const Backend& backend);
  size_t connections() const;
  int port() const;  // what is listened on; 0 before the first listen where any free one was asked for

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
