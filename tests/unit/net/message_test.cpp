// What is read off a connection: well-formed messages however they are cut into packets, everything that could be read
// in two ways refused (RFC 9112, 5, 6.3, 7.1, 11.2), and whatever bytes come, an end.
#include "net/message.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <thread>

namespace twinspan::net {
namespace {

// All messages that `bytes` hold, one line each, then how it ended: "GET /|Host=a|body ." or "… !": malformed.
std::string read_all(const std::string& bytes, size_t split = 0, bool answers = false) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) return "no socket";
  fcntl(pair[0], F_SETFL, O_NONBLOCK);
  std::jthread writer([&] {
    for (const std::string_view part :
         {std::string_view(bytes).substr(0, split), std::string_view(bytes).substr(split)}) {
      for (size_t at = 0; at < part.size();) {
        const ssize_t sent = ::send(pair[1], part.data() + at, part.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) break;
        at += static_cast<size_t>(sent);
      }
      if (split > 0) std::this_thread::yield();
    }
    shutdown(pair[1], SHUT_WR);
  });
  const Waker waker;
  Connection connection(pair[0], nullptr, waker);
  connection.limit(Connection::Clock::now() + std::chrono::seconds(10), {});
  std::string out;
  while (true) {
    MessageHead head;
    if (!read_head(connection, head)) break;
    Framing framing;
    if (!framing_of(connection, head.headers, framing)) break;
    if (!answers && !framing.chunked && !framing.length) framing.length = 0;
    std::string body;
    bool ended = false;
    const bool whole = read_body(
        connection, framing, [&](std::string_view piece) { return body += piece, true; }, ended);
    out += head.start;
    for (const auto& [name, value] : head.headers) out += "|" + name + "=" + value;
    out += "|" + body + (whole ? "\n" : " cut\n");
    if (!whole || (answers && !framing.chunked && !framing.length)) break;
  }
  const bool clean = connection.end() == End::kNone || connection.end() == End::kClosed;
  shutdown(pair[0], SHUT_RDWR);
  writer.join();
  close(pair[0]);
  close(pair[1]);
  return out + (clean ? "." : "!");
}

const std::vector<std::string>& seeds() {
  static const std::vector<std::string> all = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "PUT /k HTTP/1.1\r\nContent-Length: 5\r\nX-A:\t b c \r\n\r\nhelloGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST /c HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n0A \r\n0123456789\r\n0\r\nT: "
      "v\r\n\r\n",
      "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 404 Not Found\r\nContent-Length: "
      "0\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
  };
  return all;
}

TEST(Message, IsReadWhole) {
  EXPECT_EQ(read_all(seeds()[0]), "GET / HTTP/1.1|Host=a|\n.");
  EXPECT_EQ(read_all(seeds()[1]), "PUT /k HTTP/1.1|Content-Length=5|X-A=b c|hello\nGET /2 HTTP/1.1|Host=a|\n.");
  EXPECT_EQ(read_all(seeds()[2]), "POST /c HTTP/1.1|transfer-encoding=Chunked|hello0123456789\n.");
  EXPECT_EQ(read_all("HTTP/1.1 200 OK\r\n\r\nto the close", 0, true), "HTTP/1.1 200 OK|to the close\n.");
  EXPECT_EQ(read_all("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"), "PUT / HTTP/1.1|Content-Length=9|half cut\n!");
}

TEST(Message, IsTheSameHoweverItIsCutIntoPackets) {
  for (const std::string& seed : seeds()) {
    const std::string whole = read_all(seed);
    for (size_t split = 1; split < seed.size(); ++split) ASSERT_EQ(read_all(seed, split), whole) << split;
  }
}

TEST(Message, WhatCouldBeReadInTwoWaysIsRefused) {
  const std::string body = "\r\n5\r\nhello\r\n0\r\n\r\n";
  for (const std::string& fields : {
           std::string("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
           std::string("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
           std::string("Content-Length: 5\r\nContent-Length: 6\r\n"),
           std::string("Content-Length: 5, 5\r\n"),
           std::string("Content-Length: +5\r\n"),
           std::string("Content-Length: -5\r\n"),
           std::string("Content-Length: 0x5\r\n"),
           std::string("Content-Length: 5 5\r\n"),
           std::string("Content-Length:\r\n"),
           std::string("Content-Length: 18446744073709551616\r\n"),
           std::string("Content-Length : 5\r\n"),
           std::string(" Content-Length: 5\r\n"),
           std::string("X: a\r\n Content-Length: 5\r\n"),
           std::string("X: a\r\n\tb\r\n"),
           std::string("Transfer-Encoding: gzip\r\n"),
           std::string("Transfer-Encoding: gzip, chunked\r\n"),
           std::string("Transfer-Encoding: chunked, gzip\r\n"),
           std::string("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
           std::string("Transfer-Encoding: xchunked\r\n"),
           std::string("Transfer-Encoding: chunked\v\r\n"),
           std::string("Transfer-Encoding\r\n"),
           std::string(": 5\r\n"),
           std::string("X: a\rContent-Length: 5\r\n"),
           std::string("X: a\0b\r\n", 8),
           std::string("X\0: a\r\n", 7),
           std::string("X: a\x7f\r\n"),
       })
    EXPECT_EQ(read_all("POST / HTTP/1.1\r\n" + fields + body), "!") << fields;
  EXPECT_EQ(read_all(std::string("GET /\0 HTTP/1.1\r\n\r\n", 20)), "!");
  EXPECT_EQ(read_all("GET /\r HTTP/1.1\r\n\r\n"), "!");
}

TEST(Message, ChunksAreNeverLongerThanTheySay) {
  const auto chunked = [](const std::string& body) {
    return read_all("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body + "GET /next HTTP/1.1\r\n\r\n");
  };
  const std::string head = "POST / HTTP/1.1|Transfer-Encoding=chunked|", next = "\nGET /next HTTP/1.1|\n.";
  EXPECT_EQ(chunked("3\r\nabc\r\n0\r\n\r\n"), head + "abc" + next);
  EXPECT_EQ(chunked("3\r\nabc\r\n000\r\nX: y\r\n\r\n"), head + "abc" + next);
  for (const char* body :
       {"3\r\nabcd\r\n0\r\n\r\n", "3\r\nabc0\r\n\r\n", "-3\r\nabc\r\n0\r\n\r\n", "0x3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n", "3 4\r\nabc\r\n0\r\n\r\n", "\r\n0\r\n\r\n", "g\r\n", "10000000000000000\r\nabc",
        "3;\x01\r\nabc\r\n0\r\n\r\n", "0\r\nno trailer\r\n\r\n"})
    EXPECT_TRUE(chunked(body).ends_with(" cut\n!")) << body;
}

TEST(Message, HeadsHaveAnEnd) {
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 1001; ++i) many += "X: y\r\n";
  EXPECT_EQ(read_all(many + "\r\n"), "!");
  EXPECT_EQ(read_all("GET /" + std::string(70000, 'x') + " HTTP/1.1\r\n\r\n"), "!");
  std::string large = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 6; ++i) large += "X: " + std::string(60000, 'y') + "\r\n";
  EXPECT_EQ(read_all(large + "\r\n"), "!");
  EXPECT_EQ(read_all("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + large.substr(16) + "\r\n").back(),
            '!');
}

// Seeds, spoiled: whatever is accepted is framed by exactly one of length and chunks, and is accepted again as it was
// understood.
TEST(Message, AnyBytesComeToAnEndAndAreUnderstoodOnce) {
  static const std::vector<std::string> pieces = {"\r\n",
                                                  "\n",
                                                  "\r",
                                                  " ",
                                                  "\t",
                                                  ":",
                                                  std::string(1, '\0'),
                                                  "0\r\n\r\n",
                                                  "5",
                                                  "chunked",
                                                  "\xff",
                                                  ";",
                                                  ",",
                                                  "-1",
                                                  "Content-Length: 3\r\n",
                                                  "Transfer-Encoding: chunked\r\n",
                                                  "HTTP/1.1 ",
                                                  "GET / HTTP/1.1\r\n\r\n"};
  std::mt19937 random(42);
  const auto pick = [&](size_t below) { return random() % below; };
  for (int round = 0; round < 1500; ++round) {
    std::string text = seeds()[pick(seeds().size())];
    for (size_t i = 0, count = 1 + pick(4); i < count; ++i) {
      const size_t at = pick(text.size() + 1);
      switch (pick(5)) {
        case 0: text.insert(at, pieces[pick(pieces.size())]); break;
        case 1: text.erase(at, 1 + pick(6)); break;
        case 2: text.insert(at, text.substr(pick(text.size() + 1), pick(20))); break;
        case 3:
          if (at < text.size()) text[at] = static_cast<char>(pick(256));
          break;
        default: text.resize(at);
      }
    }
    SCOPED_TRACE(testing::PrintToString(text));
    const std::string seen = read_all(text);
    if (pick(8) == 0 && !text.empty()) {
      EXPECT_EQ(read_all(text, 1 + pick(text.size())), seen);
    }
    for (const char* both : {"|Content-Length=", "|content-length="})
      for (size_t line = 0, end; (end = seen.find('\n', line)) != seen.npos; line = end + 1) {
        const std::string one = seen.substr(line, end - line);
        EXPECT_FALSE(one.find(both) != one.npos && one.find("|Transfer-Encoding=") != one.npos) << one;
      }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Message, StatusLinesAreExact) {
  EXPECT_EQ(status_of("HTTP/1.1 204 No Content"), 204);
  EXPECT_EQ(status_of("HTTP/1.0 200"), 200);
  for (const char* line : {"", "HTTP/1.1", "HTTP/2 200", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1  200",
                           "HTTP/1.1 -20 x", "HTTP/1.1 +20 x", "HTTP/1.1 20x OK", "GET / HTTP/1.1"})
    EXPECT_EQ(status_of(line), 0) << line;
}

}  // namespace
}  // namespace twinspan::net
