// TCP connections to a host, bounded in time and cancellable. Private to this room.
#pragma once
#include <chrono>
#include <string>

#include "core/result.hpp"
#include "net/connection.hpp"

namespace twinspan::net {

struct Endpoint {
  bool tls = false;
  std::string host;  // without brackets
  int port = 0;
};
Result<Endpoint> parse_url(const std::string& url);  // "https://10.0.0.1:6443"; a path is not taken

// A connected, non-blocking descriptor, which is the caller's to close. Tries every address of the name in turn.
// A dead peer is noticed within about 15 s even where nothing is being sent (keep-alive probes, TCP_USER_TIMEOUT:
// tcp(7)).
Result<int> dial(const Endpoint& peer, Connection::Clock::time_point deadline, const Waker& waker);

}  // namespace twinspan::net
