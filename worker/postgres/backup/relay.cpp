#include "worker/postgres/backup/relay.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "core/wait.hpp"
#include "net/stream.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;

constexpr int kLookAround = 200;  // milliseconds
constexpr milliseconds kConnect{3000};

struct Descriptor {
  const int fd;
  ~Descriptor() { close(fd); }
};

Result<net::Stream> connect_to(const std::string& address, int port, const std::stop_token& stop) {
  return net::Stream::open(address, port, std::nullopt, kConnect, stop);
}

// False: that side is gone.
bool write_all(int fd, const char* bytes, size_t size, const std::stop_token& stop) {
  while (size > 0 && !stop.stop_requested()) {
    const ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    if (sent > 0) {
      bytes += sent;
      size -= static_cast<size_t>(sent);
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return false;
    pollfd ready{fd, POLLOUT, 0};
    poll(&ready, 1, kLookAround);
  }
  return size == 0;
}

// One turn of one direction. False: nothing comes from there any more, which the other side was told.
bool copy_some(int from, int to, const std::stop_token& stop) {
  char buffer[65536];
  const ssize_t got = recv(from, buffer, sizeof buffer, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got > 0 && write_all(to, buffer, static_cast<size_t>(got), stop)) return true;
  shutdown(to, SHUT_WR);
  return false;
}

void hand_on(int near, const std::string& address, int port, const std::stop_token& stop) {
  const Descriptor one{near};
  const auto other = connect_to(address, port, stop);
  if (!other) return;
  bool from_near = true, from_far = true;
  while ((from_near || from_far) && !stop.stop_requested()) {
    pollfd ready[] = {{from_near ? one.fd : -1, POLLIN, 0}, {from_far ? other->fd() : -1, POLLIN, 0}};
    if (poll(ready, 2, kLookAround) <= 0) continue;
    if (ready[0].revents != 0) from_near = copy_some(one.fd, other->fd(), stop);
    if (ready[1].revents != 0) from_far = copy_some(other->fd(), one.fd, stop);
  }
}

int listen_at(const sockaddr* address, socklen_t size) {
  const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  if (address->sa_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd, address, size) == 0 && listen(fd, 16) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

Relay::Relay(std::string address, int port) : address_(std::move(address)), target_(port) {}

Relay::~Relay() {
  thread_.stop();
  for (RoleThread& one : connections_) one.request_stop();
  connections_.clear();
  for (const int fd : {four_, six_})
    if (fd >= 0) close(fd);
}

Status Relay::await(milliseconds patience, const std::stop_token& stop) const {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!connect_to(address_, target_, stop)) {
    if (std::chrono::steady_clock::now() > deadline)
      return fail(Code::kUnavailable,
                  fmt::format("pgbackrest server of the primary does not answer at {} port {}", address_, target_));
    if (!wait_for(milliseconds(kLookAround), stop)) return fail(Code::kCancelled, "stopped");
  }
  return {};
}

// "localhost" is either of the two; a machine may have only the first.
Status Relay::start() {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  four_ = listen_at(reinterpret_cast<const sockaddr*>(&four), sizeof four);
  socklen_t size = sizeof four;
  if (four_ < 0 || getsockname(four_, reinterpret_cast<sockaddr*>(&four), &size) != 0)
    return fail(Code::kInternal, fmt::format("listen at the loopback: {}", std::strerror(errno)));
  port_ = ntohs(four.sin_port);
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_loopback;
  six.sin6_port = four.sin_port;
  six_ = listen_at(reinterpret_cast<const sockaddr*>(&six), sizeof six);
  thread_.start([this](const std::stop_token& stop) { accept_all(stop); });
  return {};
}

void Relay::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd ready[] = {{four_, POLLIN, 0}, {six_, POLLIN, 0}};
    if (poll(ready, 2, kLookAround) <= 0) continue;
    for (const pollfd& one : ready) {
      if (one.revents == 0) continue;
      const int near = accept4(one.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (near < 0) continue;
      connections_.emplace_back(RoleName("backup-relayed"),
                                [this, near](const std::stop_token& ends) { hand_on(near, address_, target_, ends); });
    }
  }
}

}  // namespace twinspan::worker
