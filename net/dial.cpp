#include "net/dial.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

namespace twinspan::net {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

std::string error_text(int error_number) {
  char buffer[128];
  return strerror_r(error_number, buffer, sizeof buffer);
}

// 0 or an errno; ECANCELED where woken, ETIMEDOUT where the deadline passed.
int finish_connect(int fd, Connection::Clock::time_point deadline, const Waker& waker) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Connection::Clock::now()).count();
    if (left <= 0) return ETIMEDOUT;
    pollfd fds[] = {{fd, POLLOUT, 0}, {waker.fd(), POLLIN, 0}};
    const int ready = poll(fds, 2, static_cast<int>(std::min<long long>(left, 3'600'000)));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready <= 0) continue;
    if (fds[1].revents) return ECANCELED;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    return error;
  }
}

}  // namespace

Result<Endpoint> parse_url(const std::string& url) {
  const auto wrong = [&] {
    return fail(Code::kInvalid, fmt::format("URL \"{}\": expected http://HOST[:PORT] or https://HOST[:PORT]", url));
  };
  Endpoint peer;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    peer.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return wrong();
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#@ ") != rest.npos) return wrong();
  peer.port = peer.tls ? 443 : 80;
  std::string_view port;
  if (rest.starts_with('[')) {
    const size_t end = rest.find(']');
    if (end == rest.npos) return wrong();
    peer.host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!rest.empty() && rest[0] != ':') return wrong();
    if (!rest.empty()) port = rest.substr(1);
  } else {
    const size_t colon = rest.find(':');
    peer.host = rest.substr(0, colon);
    if (colon != rest.npos) port = rest.substr(colon + 1);
  }
  if (peer.host.empty()) return wrong();
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), peer.port);
    if (error != std::errc() || end != port.data() + port.size() || peer.port < 1 || peer.port > 65535) return wrong();
  }
  return peer;
}

Result<int> dial(const Endpoint& peer, Connection::Clock::time_point deadline, const Waker& waker) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(peer.port);
  if (const int error = getaddrinfo(peer.host.c_str(), port.c_str(), &hints, &found); error != 0)
    return fail(Code::kUnavailable, fmt::format("{}: {}", peer.host, gai_strerror(error)));
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  int last = EHOSTUNREACH;
  for (const addrinfo* address = found; address; address = address->ai_next) {
    const int fd = ::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      last = errno;
      continue;
    }
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 5);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 5);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 15'000);
    last = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (last == EINPROGRESS) {
      auto until = deadline;  // an address that does not answer leaves time for the next one
      if (address->ai_next) until = Connection::Clock::now() + (deadline - Connection::Clock::now()) / 2;
      last = finish_connect(fd, until, waker);
    }
    if (last == 0) return fd;
    close(fd);
    if (last == ECANCELED) return fail(Code::kCancelled, "cancelled");
  }
  const std::string message = fmt::format("connect to {}:{}: {}", peer.host, peer.port, error_text(last));
  return fail(last == ETIMEDOUT ? Code::kTimeout : Code::kUnavailable, message);
}

}  // namespace twinspan::net
