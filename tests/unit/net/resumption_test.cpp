// TLS sessions that are resumed: against a server of OpenSSL's own that gives tickets, which ours does not.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "authority.hpp"
#include "net/tls.hpp"

namespace twinspan::net {
namespace {

// Answers each request on a connection of its own, and counts the sessions that were resumed.
class ClosingServer {
 public:
  explicit ClosingServer(const TlsIdentity& identity, uint16_t port = 0)
      : context_(server_context(identity, "", false).value()) {
    give_tickets(true);
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const int yes = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 8) != 0) std::abort();
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] { serve(); });
  }
  ~ClosingServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  uint16_t port() const { return port_; }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  void give_tickets(bool yes) {
    SSL_CTX_clear_options(context_.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context_.get(), yes ? 2 : 0);
  }
  std::atomic<int> accepted{0}, resumed{0};

 private:
  void serve() {
    for (int peer; (peer = accept(fd_, nullptr, nullptr)) >= 0; close(peer)) {
      const SslSession session(SSL_new(context_.get()));
      SSL_set_fd(session.get(), peer);
      if (SSL_accept(session.get()) != 1) continue;
      ++accepted;
      resumed += SSL_session_reused(session.get());
      char request[4096];
      if (SSL_read(session.get(), request, sizeof request) <= 0) continue;
      static constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
      SSL_write(session.get(), kAnswer.data(), kAnswer.size());
      SSL_shutdown(session.get());
    }
  }

  SslContext context_;
  int fd_ = -1;
  uint16_t port_ = 0;
  std::jthread thread_;
};

class Resumed : public testing::Test {
 protected:
  void ask(Client& client, int times) {
    for (int i = 0; i < times; ++i) {
      const auto answer = client.send({});
      ASSERT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(answer->body, "ok");
    }
  }
  const Authority ours{"ours"};
  const TlsIdentity identity = ours.server({}, {"127.0.0.1"});
};

TEST_F(Resumed, EveryConnectionButTheFirstOfABulkClient) {
  ClosingServer server(identity);
  Client bulk(server.url(), {.ca_pem = ours.ca.certificate_pem}, {.bulk = true});
  ask(bulk, 5);
  EXPECT_EQ(server.accepted, 5);
  EXPECT_EQ(server.resumed, 4);
  Client other(server.url(), {.ca_pem = ours.ca.certificate_pem}, {.bulk = true});  // knows nothing of the first
  ask(other, 1);
  EXPECT_EQ(server.resumed, 4);
}

TEST_F(Resumed, NothingWhereItWasNotAskedForOrTheServerGivesNoTickets) {
  ClosingServer server(identity);
  Client usual(server.url(), {.ca_pem = ours.ca.certificate_pem});
  ask(usual, 3);
  EXPECT_EQ(server.resumed, 0);
  server.give_tickets(false);
  Client bulk(server.url(), {.ca_pem = ours.ca.certificate_pem}, {.bulk = true});
  ask(bulk, 3);
  EXPECT_EQ(server.resumed, 0);
}

TEST_F(Resumed, AServerThatWasReplacedIsVerifiedAnew) {
  auto server = std::make_unique<ClosingServer>(identity);
  Client bulk(server->url(), {.ca_pem = ours.ca.certificate_pem}, {.bulk = true});
  ask(bulk, 2);
  // It knows nothing of the other's tickets: the whole handshake is made, once.
  const uint16_t port = server->port();
  server.reset();
  server = std::make_unique<ClosingServer>(identity, port);
  ask(bulk, 3);
  EXPECT_EQ(server->accepted, 3);
  EXPECT_EQ(server->resumed, 2);
  // One that shows a certificate of another authority is refused, ticket or no ticket.
  server.reset();
  server = std::make_unique<ClosingServer>(Authority("stranger").server({}, {"127.0.0.1"}), port);
  EXPECT_FALSE(bulk.send({}));
  EXPECT_FALSE(bulk.send({}));
  EXPECT_EQ(server->resumed, 0);
}

}  // namespace
}  // namespace twinspan::net
