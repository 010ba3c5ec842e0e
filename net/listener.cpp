#include "net/listener.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/log.hpp"

namespace twinspan::net {
namespace {

constexpr int kBacklog = 1024;  // a short one makes clients that come at once wait for a second (SYN again)
constexpr int kPauseMs = 50;    // while there are no descriptors left

// The first of `address`'s that can be listened at, or -1 with errno.
int listen_at(const addrinfo* found) {
  for (; found != nullptr; found = found->ai_next) {
    const int fd = socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol);
    if (fd < 0) continue;
    // A restart need not wait for old connections. Not SO_REUSEPORT, by which two programs would share a port unseen.
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, kBacklog) == 0) return fd;
    const int why = errno;
    close(fd);
    errno = why;
  }
  return -1;
}

int port_of(int fd) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  char port[NI_MAXSERV] = "";
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
      getnameinfo(reinterpret_cast<sockaddr*>(&own), size, nullptr, 0, port, sizeof port, NI_NUMERICSERV) != 0)
    return 0;
  return std::atoi(port);
}

}  // namespace

Status Listener::start(const std::string& address, int port, std::function<void(int fd)> accepted) {
  const auto failed = [&](const char* why) {
    return fail(Code::kUnavailable, fmt::format("listen on {}:{}: {}", address, port, why));
  };
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0)
    return failed(gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  fd_ = listen_at(found);
  if (fd_ < 0) return failed(std::strerror(errno));
  port_ = port_of(fd_);
  accepted_ = std::move(accepted);
  thread_.start([this](const std::stop_token& stop) { run(stop); });
  return {};
}

void Listener::stop() {
  if (!thread_.started()) return;
  thread_.request_stop();
  waker_.wake();
  thread_.stop();
  close(fd_);
}

void Listener::run(const std::stop_token& stop) {
  bool said = false;  // of a shortage that lasts
  while (!stop.stop_requested()) {
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      said = false;
      accepted_(fd);
      continue;
    }
    pollfd waits[] = {{waker_.fd(), POLLIN, 0}, {fd_, POLLIN, 0}};
    switch (errno) {
      case EAGAIN: poll(waits, 2, -1); break;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:  // whoever waits outside stays there until another has gone
        if (!said) log::warn("no connection can be accepted", {{"error", std::strerror(errno)}});
        said = true;
        poll(waits, 1, kPauseMs);
        break;
      default: break;  // of the connection that was to be accepted (accept(2)): it is gone
    }
  }
}

}  // namespace twinspan::net
