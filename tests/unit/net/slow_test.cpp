// Peers that take their time keep nobody else waiting: a probe that is not answered restarts a database.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authority.hpp"
#include "net/http.hpp"

namespace twinspan::net {
namespace {

using namespace std::chrono_literals;

constexpr int kSlow = 40;

// Connections that send `begin` and then nothing, and read nothing.
class SlowPeers {
 public:
  SlowPeers(int port, const std::string& begin, int count = kSlow, const char* from = "127.0.0.1") {
    for (int i = 0; i < count; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in own{};
      own.sin_family = AF_INET;
      own.sin_addr.s_addr = inet_addr(from);
      EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own), 0);
      const int small = 4096;
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      send(fd, begin.data(), begin.size(), MSG_NOSIGNAL);  // one too many may be closed already
      descriptors_.push_back(fd);
    }
    std::this_thread::sleep_for(100ms);  // until the server waits for them
  }
  ~SlowPeers() {
    for (const int fd : descriptors_) close(fd);
  }

 private:
  std::vector<int> descriptors_;
};

OutgoingResponse large_or_small(const IncomingRequest& request) {
  static const std::string kLarge(16 << 20, 'x');  // more than any socket holds; never copied
  OutgoingResponse out = plain_text(200, request.path == "/large" ? "" : "small");
  if (request.path == "/large") out.body_view = kLarge;
  return out;
}

void expect_answered(Client& client) {
  Request request;
  request.path = "/small";
  request.timeout = 8s;  // less than the server waits for anybody
  const auto answer = client.send(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "small");
}

TEST(Slow, RequestsAndReadersOfAnyKindKeepNobodyWaiting) {
  for (const char* begin :
       {"G", "GET /small HTTP/1.1\r\nHost: a\r\n", "POST /small HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf",
        "POST /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    SCOPED_TRACE(begin);
    Server server({.address = "127.0.0.1", .threads = 2}, large_or_small);
    ASSERT_TRUE(server.start());
    const SlowPeers peers(server.port(), begin);
    Client client("http://127.0.0.1:" + std::to_string(server.port()), {});
    expect_answered(client);
  }
}

TEST(Slow, OneAddressDoesNotTakeEveryPlace) {
  Server server({.address = "127.0.0.1", .threads = 2, .connections_of_one_address_most = 32}, large_or_small);
  ASSERT_TRUE(server.start());
  Client client("http://127.0.0.1:" + std::to_string(server.port()), {});
  {
    const SlowPeers peers(server.port(), "GET /sm", 300, "127.0.0.2");
    expect_answered(client);
  }
  // Places are given back.
  const auto until = std::chrono::steady_clock::now() + 8s;
  Client again("http://127.0.0.1:" + std::to_string(server.port()), {});
  const SlowPeers own(server.port(), "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 20);
  expect_answered(again);
  EXPECT_LT(std::chrono::steady_clock::now(), until);
}

TEST(Slow, HandshakesKeepNobodyWaiting) {
  const Authority ours("ours");
  Server server({.address = "127.0.0.1", .identity = ours.server({"localhost"}, {"127.0.0.1"}), .threads = 2},
                large_or_small);
  ASSERT_TRUE(server.start());
  const SlowPeers peers(server.port(), "\x16\x03\x01\x02");  // a ClientHello begins so
  Client client("https://127.0.0.1:" + std::to_string(server.port()), {.ca_pem = ours.ca.certificate_pem});
  expect_answered(client);
}

TEST(Slow, NoMoreHandlersRunAtOnceThanWereAskedFor) {
  std::atomic<int> running{0}, most{0};
  Server server({.address = "127.0.0.1", .threads = 2}, [&](const IncomingRequest&) {
    const int now = ++running;
    for (int known = most; known < now && !most.compare_exchange_weak(known, now);) {
    }
    std::this_thread::sleep_for(5ms);
    --running;
    return plain_text(200, "small");
  });
  ASSERT_TRUE(server.start());
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 16; ++i)
      clients.emplace_back([&] {
        Client client("http://127.0.0.1:" + std::to_string(server.port()), {});
        for (int k = 0; k < 5; ++k) expect_answered(client);
      });
  }
  EXPECT_EQ(most, 2);
}

}  // namespace
}  // namespace twinspan::net
