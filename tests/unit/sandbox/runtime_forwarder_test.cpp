// The forwarder against real sockets.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "sandbox/runtime/forwarder.hpp"

namespace twinspan::sandbox {
namespace {

constexpr const char* kAddress = "127.0.0.1";

sockaddr_in address(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, kAddress, &out.sin_addr);
  return out;
}

// Answers every line with its own name before it; one thread per connection.
class NamedServer {
 public:
  explicit NamedServer(std::string name) : name_(std::move(name)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where = address(0);
    socklen_t size = sizeof where;
    bind(listener_, reinterpret_cast<sockaddr*>(&where), size);
    listen(listener_, 16);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &size);
    port_ = ntohs(where.sin_port);
    acceptor_ = std::jthread([this] {
      while (true) {
        const int client = accept(listener_, nullptr, nullptr);
        if (client < 0) return;
        std::lock_guard lock(mutex_);
        clients_.push_back(client);
        workers_.emplace_back([this, client] { serve(client); });
      }
    });
  }
  ~NamedServer() {
    shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    close(listener_);
    for (const int client : clients_) shutdown(client, SHUT_RDWR);
    workers_.clear();
    for (const int client : clients_) close(client);
  }
  Backend backend() const { return {kAddress, port_}; }

 private:
  void serve(int client) const {
    std::array<char, 4096> buffer{};
    bool first = true;
    for (ssize_t got = read(client, buffer.data(), buffer.size()); got > 0;
         got = read(client, buffer.data(), buffer.size())) {
      std::string answer =
          (std::exchange(first, false) ? name_ + ":" : "") + std::string(buffer.data(), static_cast<size_t>(got));
      send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    shutdown(client, SHUT_WR);
  }
  std::string name_;
  int listener_ = -1, port_ = 0;
  std::mutex mutex_;
  std::vector<int> clients_;
  std::vector<std::jthread> workers_;
  std::jthread acceptor_;
};

class Caller {
 public:
  explicit Caller(int port) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{5, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const sockaddr_in where = address(port);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
    error_ = connected_ ? 0 : errno;
  }
  ~Caller() { close(fd_); }
  bool connected() const { return connected_; }
  int error() const { return error_; }
  std::string ask(const std::string& text) const {
    send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    std::array<char, 4096> buffer{};
    const ssize_t got = read(fd_, buffer.data(), buffer.size());
    return got < 0 ? "error" : std::string(buffer.data(), static_cast<size_t>(got));
  }
  std::string finish() const {  // half-close, then everything until the end
    shutdown(fd_, SHUT_WR);
    std::string all;
    std::array<char, 65536> buffer{};
    for (ssize_t got = read(fd_, buffer.data(), buffer.size()); got > 0; got = read(fd_, buffer.data(), buffer.size()))
      all.append(buffer.data(), static_cast<size_t>(got));
    return all;
  }
  int fd() const { return fd_; }

 private:
  int fd_ = -1, error_ = 0;
  bool connected_ = false;
};

TEST(Forwarder, NewConnectionsFollowBackendsWhileOldOnesStay) {
  NamedServer east("east"), west("west");
  Forwarder forwarder(kAddress, 0);
  ASSERT_TRUE(forwarder.set_backends({east.backend()}));
  Caller old(forwarder.port());
  ASSERT_EQ(old.ask("a"), "east:a");
  ASSERT_TRUE(forwarder.set_backends({west.backend()}));
  EXPECT_EQ(Caller(forwarder.port()).ask("b"), "west:b");
  EXPECT_EQ(old.ask("c"), "c") << "a connection once made stays where it is";
  forwarder.close_connections_to(east.backend());
  EXPECT_THAT(old.ask("d"), testing::AnyOf("error", "")) << "unless it is closed on request";
}

TEST(Forwarder, RefusesWithoutBackendsAndListensAgainOnTheSamePort) {
  NamedServer east("east");
  Forwarder forwarder(kAddress, 0);
  ASSERT_TRUE(forwarder.set_backends({east.backend()}));
  const int port = forwarder.port();
  ASSERT_TRUE(forwarder.set_backends({}));
  EXPECT_EQ(Caller(port).error(), ECONNREFUSED);
  ASSERT_TRUE(forwarder.set_backends({east.backend()}));
  EXPECT_EQ(forwarder.port(), port);
  EXPECT_EQ(Caller(port).ask("x"), "east:x");
}

TEST(Forwarder, TakesBackendsInTurn) {
  NamedServer east("east"), west("west");
  Forwarder forwarder(kAddress, 0);
  ASSERT_TRUE(forwarder.set_backends({east.backend(), west.backend()}));
  std::map<std::string, int> seen;
  for (int i = 0; i < 10; ++i) seen[Caller(forwarder.port()).ask("x")] += 1;
  EXPECT_EQ(seen, (std::map<std::string, int>{{"east:x", 5}, {"west:x", 5}}));
}

TEST(Forwarder, PassesRefusalOnAsReset) {
  int dead_port = 0;
  {
    NamedServer gone("gone");
    dead_port = gone.backend().port;
  }
  Forwarder forwarder(kAddress, 0);
  ASSERT_TRUE(forwarder.set_backends({{kAddress, dead_port}}));
  Caller caller(forwarder.port());
  if (!caller.connected()) return;
  EXPECT_THAT(caller.ask("x"), testing::AnyOf("error", ""));
}

TEST(Forwarder, CarriesMuchDataBothWaysAndHalfClose) {
  NamedServer east("e");
  Forwarder forwarder(kAddress, 0);
  ASSERT_TRUE(forwarder.set_backends({east.backend()}));
  Caller caller(forwarder.port());
  const std::string much(8 << 20, 'x');
  std::jthread sender([&] {
    size_t sent = 0;
    while (sent < much.size()) {
      const ssize_t put = send(caller.fd(), much.data() + sent, much.size() - sent, MSG_NOSIGNAL);
      if (put <= 0) return;
      sent += static_cast<size_t>(put);
    }
    shutdown(caller.fd(), SHUT_WR);
  });
  std::string all;
  std::array<char, 65536> buffer{};
  for (ssize_t got = read(caller.fd(), buffer.data(), buffer.size()); got > 0;
       got = read(caller.fd(), buffer.data(), buffer.size()))
    all.append(buffer.data(), static_cast<size_t>(got));
  EXPECT_EQ(all.size(), much.size() + 2);
  sender.join();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (forwarder.connections() > 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(forwarder.connections(), 0U);
}

}  // namespace
}  // namespace twinspan::sandbox
