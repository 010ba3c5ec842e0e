// Our server and client with another's: cpp-httplib reads what we write, and writes what we read, by its public API.
#include <gtest/gtest.h>
#include <httplib.h>

#include <thread>

#include "authority.hpp"

namespace twinspan::net {
namespace {

OutgoingResponse echo(const IncomingRequest& request) {
  OutgoingResponse out;
  if (request.path == "/empty") {
    out.status = 204;
  } else if (request.path == "/stream") {
    out.stream = [left = 3](const auto& write, const std::stop_token&) mutable {
      return write("piece " + std::to_string(left) + ";") && --left > 0;
    };
  } else {
    const auto said = request.query.find("say");
    out.body = request.method + " " + (said == request.query.end() ? request.body : said->second);
    out.headers = {{"X-Name", request.header("X-Name")}};
    out.content_type = "text/plain";
  }
  return out;
}

void converses(httplib::Client& client) {
  client.set_keep_alive(true);
  for (int round = 0; round < 3; ++round) {  // on one connection
    const auto got = client.Get("/?say=a%20b%26c", {{"X-Name", "w"}});
    ASSERT_TRUE(got) << to_string(got.error());
    EXPECT_EQ(got->body, "GET a b&c");
    EXPECT_EQ(got->get_header_value("x-name"), "w");
    const auto head = client.Head("/");
    ASSERT_TRUE(head) << to_string(head.error());
    EXPECT_EQ(head->body, "");
    const auto empty = client.Get("/empty");
    ASSERT_TRUE(empty) << to_string(empty.error());
    EXPECT_EQ(empty->status, 204);
    const auto stream = client.Get("/stream");
    ASSERT_TRUE(stream) << to_string(stream.error());
    EXPECT_EQ(stream->body, "piece 3;piece 2;piece 1;");
  }
  const std::string large(3 << 20, 'x');
  const auto put = client.Put("/", large, "text/plain");
  ASSERT_TRUE(put) << to_string(put.error());
  EXPECT_EQ(put->body.size(), large.size() + 4);
  size_t sent = 0;
  const auto chunked = client.Post(
      "/",
      [&](size_t, httplib::DataSink& sink) {
        sink.write("0123456789", 10);
        if (++sent == 5) sink.done();
        return true;
      },
      "text/plain");
  ASSERT_TRUE(chunked) << to_string(chunked.error());
  EXPECT_EQ(chunked->body.size(), 55u);
}

TEST(Foreign, AnotherClientIsServed) {
  Server server({.address = "127.0.0.1"}, echo);
  ASSERT_TRUE(server.start());
  httplib::Client client("127.0.0.1", server.port());
  converses(client);
}

TEST(Foreign, AnotherClientIsServedOverTls) {
  const Authority ours("ours");
  Server server({.address = "127.0.0.1", .identity = ours.server({}, {"127.0.0.1"})}, echo);
  ASSERT_TRUE(server.start());
  httplib::Client client("https://127.0.0.1:" + std::to_string(server.port()));
  client.enable_server_certificate_verification(false);  // that is our client's to test; here it is about messages
  converses(client);
}

TEST(Foreign, AnotherServerIsUnderstood) {
  httplib::Server server;
  server.Get("/whole", [](const httplib::Request& request, httplib::Response& out) {
    out.set_content("for " + request.get_param_value("who"), "text/plain");
  });
  server.Get("/pieces", [](const httplib::Request&, httplib::Response& out) {
    out.set_chunked_content_provider("text/plain", [](size_t offset, httplib::DataSink& sink) {
      if (offset < 30) return sink.write("0123456789", 10);
      sink.done();
      return true;
    });
  });
  server.Put("/put", [](const httplib::Request& request, httplib::Response& out) {
    out.status = 201;
    out.set_header("X-Length", std::to_string(request.body.size()));
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&] { server.listen_after_bind(); });
  {
    Client client("http://127.0.0.1:" + std::to_string(port), {});
    for (int round = 0; round < 8; ++round) {  // it closes connections after five requests
      Request whole;
      whole.path = "/whole?who=" + percent_encode("a b&c");
      const auto got = client.send(whole);
      ASSERT_TRUE(got) << got.error().message;
      EXPECT_EQ(got->body, "for a b&c");
      Request pieces;
      pieces.path = "/pieces";
      const auto chunked = client.send(pieces);
      ASSERT_TRUE(chunked) << chunked.error().message;
      EXPECT_EQ(chunked->body, "012345678901234567890123456789");
    }
    Request put;
    put.method = "PUT";
    put.path = "/put";
    put.body = std::string(1 << 20, 'x');
    const auto made = client.send(put);
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_EQ(made->status, 201);
    EXPECT_EQ(made->header("X-Length"), std::to_string(1 << 20));
    Request missing;
    missing.path = "/nothing";
    const auto none = client.send(missing);
    ASSERT_TRUE(none) << none.error().message;
    EXPECT_EQ(none->status, 404);
  }
  server.stop();
  serving.join();
}

}  // namespace
}  // namespace twinspan::net
