#include "worker/postgres/backup/relay.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace twinspan::worker {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

sockaddr_in loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<uint16_t>(port));
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

int connect_to(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in where = loopback(port);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where), 0);
  return fd;
}

std::string read_to_end(int fd) {
  std::string out;
  char buffer[4096];
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<size_t>(got));
  return out;
}

// Answers each connection with all that it was sent, backwards, once the caller has no more to say.
class Backwards {
 public:
  Backwards() {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in any = loopback(0);
    socklen_t size = sizeof any;
    EXPECT_EQ(bind(listening_, reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_EQ(listen(listening_, 8), 0);
    getsockname(listening_, reinterpret_cast<sockaddr*>(&any), &size);
    port = ntohs(any.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        pollfd ready{listening_, POLLIN, 0};
        if (poll(&ready, 1, 50) <= 0) continue;
        const int fd = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
        const std::string said = read_to_end(fd);
        const std::string answer(said.rbegin(), said.rend());
        for (size_t at = 0; at < answer.size();) {
          const ssize_t sent = send(fd, answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
          if (sent <= 0) break;
          at += static_cast<size_t>(sent);
        }
        close(fd);
      }
    });
  }
  ~Backwards() {
    thread_.request_stop();
    thread_.join();
    close(listening_);
  }
  int port = 0;

 private:
  int listening_ = -1;
  std::jthread thread_;
};

TEST(Relay, HandsOnBothWaysAndEndsWhereTheyEnd) {
  const Backwards far;
  Relay relay("127.0.0.1", far.port);
  ASSERT_TRUE(relay.await(5s, {}));
  ASSERT_TRUE(relay.start());
  for (const size_t size : {size_t{0}, size_t{1}, size_t{3'000'000}}) {
    std::string text(size, 'a');
    if (size > 1) text.back() = 'z';
    const int fd = connect_to(relay.port());
    std::thread sends([&] {
      for (size_t at = 0; at < text.size();) at += static_cast<size_t>(write(fd, text.data() + at, text.size() - at));
      shutdown(fd, SHUT_WR);
    });
    const std::string answer = read_to_end(fd);
    sends.join();
    EXPECT_EQ(answer, std::string(text.rbegin(), text.rend())) << size;
    close(fd);
  }
}

TEST(Relay, WhereNobodyListensTheCallerIsHungUpOnAndAwaitGivesUp) {
  int port = 0;
  { port = Backwards().port; }
  Relay relay("127.0.0.1", port);
  const Status none = relay.await(300ms, {});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kUnavailable);
  ASSERT_TRUE(relay.start());
  const int fd = connect_to(relay.port());
  EXPECT_EQ(read_to_end(fd), "");
  close(fd);
}

TEST(Relay, ItsEndEndsItsConnections) {
  const Backwards far;
  auto relay = std::make_unique<Relay>("127.0.0.1", far.port);
  ASSERT_TRUE(relay->start());
  const int fd = connect_to(relay->port());
  EXPECT_EQ(write(fd, "x", 1), 1);
  relay.reset();
  (void)read_to_end(fd);  // ends, though nobody said the last word
  close(fd);
}

}  // namespace
}  // namespace twinspan::worker
