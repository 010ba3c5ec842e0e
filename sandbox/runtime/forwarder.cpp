#include "sandbox/runtime/forwarder.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "core/log.hpp"

namespace twinspan::sandbox {
namespace {

constexpr size_t kBufferBytes = 64 * 1024;
constexpr int kRoundsAtOnce = 16;  // of one connection before the others get their turn
constexpr uint64_t kWakeId = 0, kListenId = 1, kFirstConnectionId = 2;

std::optional<sockaddr_in> address_of(const std::string& address, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<uint16_t>(port));
  if (inet_pton(AF_INET, address.c_str(), &out.sin_addr) != 1) return std::nullopt;
  return out;
}

void set_nodelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

// A close that the peer sees as a reset, as it would see a dead backend without a forwarder between.
void reset_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(fd);
}

enum class Progress { kBlocked, kMore, kDone, kBroken };

struct Flow {  // bytes of one direction
  std::vector<char> buffer = std::vector<char>(kBufferBytes);
  size_t begin = 0, end = 0;
  bool source_ended = false, sink_ended = false;

  Progress pump(int from, int to) {
    for (int round = 0; round < kRoundsAtOnce; ++round) {
      bool moved = false;
      if (!source_ended && end < buffer.size()) {
        const ssize_t got = read(from, buffer.data() + end, buffer.size() - end);
        if (got > 0) end += static_cast<size_t>(got);
        if (got == 0) source_ended = true;
        if (got < 0 && errno != EAGAIN && errno != EINTR) return Progress::kBroken;
        moved = got >= 0;
      }
      if (begin < end) {
        const ssize_t put = send(to, buffer.data() + begin, end - begin, MSG_NOSIGNAL);
        if (put > 0) begin += static_cast<size_t>(put);
        if (put < 0 && errno != EAGAIN && errno != EINTR) return Progress::kBroken;
        moved = moved || put > 0;
      }
      if (begin == end) begin = end = 0;
      if (source_ended && begin == end && !sink_ended) {
        shutdown(to, SHUT_WR);
        sink_ended = true;
      }
      if (sink_ended) return Progress::kDone;
      if (!moved) return Progress::kBlocked;
    }
    return Progress::kMore;
  }
};

struct Connection {
  int client = -1, server = -1;
  bool connecting = true;
  Backend backend;
  Flow up, down;
};

}  // namespace

struct Forwarder::Impl {
  Impl(std::string where, int number) : address(std::move(where)), port(number) {
    epoll = epoll_create1(EPOLL_CLOEXEC);
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch(wake, kWakeId, EPOLLIN);
    thread = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  ~Impl() {
    thread.request_stop();
    eventfd_write(wake, 1);
    thread.join();
    for (auto& [id, connection] : connections) reset(connection);
    if (listener >= 0) close(listener);
    close(wake);
    close(epoll);
  }

  void watch(int fd, uint64_t id, uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }

  Status listen_locked() {
    if (listener >= 0) return {};
    const auto where = address_of(address, port);
    if (!where) return fail(Code::kInvalid, fmt::format("address {}: an IPv4 address was expected", address));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&*where), sizeof *where) != 0 || listen(fd, 128) != 0) {
      const int error = errno;
      close(fd);
      return fail(Code::kUnavailable, fmt::format("listen on {}:{}: {}", address, port, std::strerror(error)));
    }
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
    port = ntohs(bound.sin_port);
    listener = fd;
    watch(listener, kListenId, EPOLLIN);
    return {};
  }

  void accept_all() {
    while (true) {
      std::lock_guard lock(mutex);
      if (listener < 0) return;
      const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client < 0) return;
      if (backends.empty()) {
        reset_close(client);
        continue;
      }
      const Backend& backend = backends[turn++ % backends.size()];
      const auto where = address_of(backend.address, backend.port);
      const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      if (!where ||
          (connect(server, reinterpret_cast<const sockaddr*>(&*where), sizeof *where) != 0 && errno != EINPROGRESS)) {
        if (server >= 0) close(server);
        reset_close(client);
        continue;
      }
      set_nodelay(client);
      set_nodelay(server);
      const uint64_t id = next_id++;
      Connection& connection = connections[id];
      connection.client = client;
      connection.server = server;
      connection.backend = backend;
      constexpr uint32_t kEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
      watch(client, id, kEvents);
      watch(server, id, kEvents);
    }
  }

  void reset(const Connection& connection) const {
    reset_close(connection.client);
    reset_close(connection.server);
  }

  // True where the connection wants another turn at once.
  bool serve(uint64_t id) {
    std::lock_guard lock(mutex);
    const auto found = connections.find(id);
    if (found == connections.end()) return false;
    Connection& connection = found->second;
    if (connection.connecting) {
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(connection.server, SOL_SOCKET, SO_ERROR, &error, &size);
      sockaddr_in peer{};
      socklen_t peer_size = sizeof peer;
      const bool connected = getpeername(connection.server, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0;
      if (error == 0 && !connected) return false;
      if (error != 0) {
        reset(connection);
        connections.erase(found);
        return false;
      }
      connection.connecting = false;
    }
    const Progress up = connection.up.pump(connection.client, connection.server);
    const Progress down = connection.down.pump(connection.server, connection.client);
    if (up == Progress::kBroken || down == Progress::kBroken) {
      reset(connection);
      connections.erase(found);
      return false;
    }
    if (up == Progress::kDone && down == Progress::kDone) {
      close(connection.client);
      close(connection.server);
      connections.erase(found);
      return false;
    }
    return up == Progress::kMore || down == Progress::kMore;
  }

  void run(const std::stop_token& stop) {
    std::set<uint64_t> again;
    std::array<epoll_event, 64> events{};
    while (!stop.stop_requested()) {
      const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), again.empty() ? -1 : 0);
      std::set<uint64_t> turn_of = std::exchange(again, {});
      for (int i = 0; i < count; ++i) {
        const uint64_t id = events[static_cast<size_t>(i)].data.u64;
        if (id == kWakeId) {
          eventfd_t ignored = 0;
          eventfd_read(wake, &ignored);
        } else if (id == kListenId) {
          accept_all();
        } else {
          turn_of.insert(id);
        }
      }
      for (const uint64_t id : turn_of)
        if (serve(id)) again.insert(id);
    }
  }

  mutable std::mutex mutex;
  std::string address;
  int port;
  int epoll = -1, wake = -1, listener = -1;
  std::vector<Backend> backends;
  size_t turn = 0;
  uint64_t next_id = kFirstConnectionId;
  std::map<uint64_t, Connection> connections;
  std::jthread thread;
};

Forwarder::Forwarder(std::string address, int port) : impl_(std::make_unique<Impl>(std::move(address), port)) {}
Forwarder::~Forwarder() = default;

Status Forwarder::set_backends(std::vector<Backend> backends) {
  std::lock_guard lock(impl_->mutex);
  impl_->backends = std::move(backends);
  if (!impl_->backends.empty()) return impl_->listen_locked();
  if (impl_->listener >= 0) close(std::exchange(impl_->listener, -1));
  return {};
}

void Forwarder::close_connections_to(const Backend& backend) {
  std::lock_guard lock(impl_->mutex);
  std::erase_if(impl_->connections, [&](auto& entry) {
    if (entry.second.backend != backend) return false;
    impl_->reset(entry.second);
    return true;
  });
}

size_t Forwarder::connections() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->connections.size();
}

int Forwarder::port() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->port;
}

}  // namespace twinspan::sandbox
