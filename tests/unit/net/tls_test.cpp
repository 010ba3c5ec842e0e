#include <gtest/gtest.h>

#include "authority.hpp"

namespace twinspan::net {
namespace {

using namespace std::chrono_literals;

OutgoingResponse who(const IncomingRequest& request) {
  OutgoingResponse out;
  out.body = "hello " + request.peer_common_name;
  return out;
}

Result<Response> ask(const Server& server, const ClientTls& tls, const std::string& host = "127.0.0.1") {
  return Client("https://" + host + ":" + std::to_string(server.port()), tls).send({});
}

class Tls : public testing::Test {
 protected:
  const Authority ours{"ours"}, theirs{"theirs"};
};

TEST_F(Tls, VerifiesTheAddressWhereTheHostIsOne) {
  Server server({.address = "127.0.0.1", .identity = ours.server({"localhost"}, {"127.0.0.1"})}, who);
  ASSERT_TRUE(server.start());
  const auto answer = ask(server, {.ca_pem = ours.ca.certificate_pem});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "hello ");
  EXPECT_TRUE(ask(server, {.ca_pem = ours.ca.certificate_pem}, "localhost"));
}

TEST_F(Tls, RefusesACertificateForAnotherName) {
  Server server({.address = "127.0.0.1", .identity = ours.server({"db-0"}, {"127.0.0.2"})}, who);
  ASSERT_TRUE(server.start());
  const auto by_address = ask(server, {.ca_pem = ours.ca.certificate_pem});
  ASSERT_FALSE(by_address);
  EXPECT_EQ(by_address.error().code, Code::kUnavailable);
  EXPECT_NE(by_address.error().message.find("IP address mismatch"), std::string::npos) << by_address.error().message;
  EXPECT_FALSE(ask(server, {.ca_pem = ours.ca.certificate_pem}, "localhost"));
  EXPECT_FALSE(ask(server, {.ca_pem = ours.ca.certificate_pem, .server_name = "db-1"}));
}

TEST_F(Tls, ServerNameReplacesTheHost) {
  Server server({.address = "127.0.0.1", .identity = ours.server({"db-0"})}, who);
  ASSERT_TRUE(server.start());
  const auto answer = ask(server, {.ca_pem = ours.ca.certificate_pem, .server_name = "db-0"});
  EXPECT_TRUE(answer) << answer.error().message;
}

TEST_F(Tls, RefusesAnUnknownAuthorityUnlessToldNotToVerify) {
  Server server({.address = "127.0.0.1", .identity = theirs.server({"localhost"}, {"127.0.0.1"})}, who);
  ASSERT_TRUE(server.start());
  EXPECT_FALSE(ask(server, {.ca_pem = ours.ca.certificate_pem}));
  EXPECT_FALSE(ask(server, {}));
  EXPECT_TRUE(ask(server, {.verify = false}));
  EXPECT_TRUE(ask(server, {.ca_pem = ours.ca.certificate_pem + theirs.ca.certificate_pem}));
}

TEST_F(Tls, RefusesAnExpiredCertificate) {
  pki::CertificateRequest request;
  request.common_name = "server";
  request.ip_addresses = {"127.0.0.1"};
  request.server = true;
  request.not_after = ours.now - 1min;
  Server server({.address = "127.0.0.1", .identity = ours.identity(request)}, who);
  ASSERT_TRUE(server.start());
  const auto answer = ask(server, {.ca_pem = ours.ca.certificate_pem});
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().message.find("expired"), std::string::npos) << answer.error().message;
}

TEST_F(Tls, KnowsItsClientByTheVerifiedCertificate) {
  Server server(
      {.address = "127.0.0.1", .identity = ours.server({}, {"127.0.0.1"}), .client_ca_pem = ours.ca.certificate_pem},
      who);
  ASSERT_TRUE(server.start());
  const auto named = ask(server, {.ca_pem = ours.ca.certificate_pem, .identity = ours.client("twinspan-operator")});
  ASSERT_TRUE(named) << named.error().message;
  EXPECT_EQ(named->body, "hello twinspan-operator");
  const auto anonymous = ask(server, {.ca_pem = ours.ca.certificate_pem});
  ASSERT_TRUE(anonymous) << anonymous.error().message;
  EXPECT_EQ(anonymous->body, "hello ");
  EXPECT_FALSE(ask(server, {.ca_pem = ours.ca.certificate_pem, .identity = theirs.client("twinspan-operator")}));
}

TEST_F(Tls, DemandsAClientCertificateWhereToldTo) {
  Server server({.address = "127.0.0.1",
                 .identity = ours.server({}, {"127.0.0.1"}),
                 .client_ca_pem = ours.ca.certificate_pem,
                 .require_client_certificate = true},
                who);
  ASSERT_TRUE(server.start());
  EXPECT_FALSE(ask(server, {.ca_pem = ours.ca.certificate_pem}));
  EXPECT_TRUE(ask(server, {.ca_pem = ours.ca.certificate_pem, .identity = ours.client("c")}));
}

TEST_F(Tls, ANewIdentityServesNewConnectionsAndOldOnesGoOn) {
  Server server({.address = "127.0.0.1", .identity = ours.server({"localhost"}, {"127.0.0.1"})}, who);
  ASSERT_TRUE(server.start());
  Client old("https://127.0.0.1:" + std::to_string(server.port()), {.ca_pem = ours.ca.certificate_pem});
  ASSERT_TRUE(old.send({}));
  server.replace_identity(theirs.server({"localhost"}, {"127.0.0.1"}));
  EXPECT_TRUE(old.send({}));
  EXPECT_FALSE(ask(server, {.ca_pem = ours.ca.certificate_pem}));
  EXPECT_TRUE(ask(server, {.ca_pem = theirs.ca.certificate_pem}));
  server.replace_identity({"nonsense", "nonsense"});  // logged; the last good one stays
  EXPECT_TRUE(ask(server, {.ca_pem = theirs.ca.certificate_pem}));
}

TEST_F(Tls, WrongPemTextIsInvalidInput) {
  const auto answer = Client("https://127.0.0.1:1", {.ca_pem = "no certificate"}).send({});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kInvalid);
  Server server({.address = "127.0.0.1", .identity = TlsIdentity{"a", "b"}}, who);
  const auto started = server.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, Code::kInvalid);
  Server mixed(
      {.address = "127.0.0.1", .identity = TlsIdentity{ours.server({"a"}).certificate_pem, theirs.client("b").key_pem}},
      who);
  EXPECT_FALSE(mixed.start());
}

TEST_F(Tls, ManyRequestsAndStreamsOverTls) {
  Server server({.address = "127.0.0.1", .identity = ours.server({}, {"127.0.0.1"})},
                [](const IncomingRequest& request) {
                  OutgoingResponse out;
                  if (request.path == "/stream") {
                    auto left = std::make_shared<int>(50);
                    out.stream = [left](const auto& write, const std::stop_token&) {
                      return write(std::string(100'000, 'x')) && --*left > 0;
                    };
                  }
                  out.body = request.body;
                  return out;
                });
  ASSERT_TRUE(server.start());
  Client client("https://127.0.0.1:" + std::to_string(server.port()), {.ca_pem = ours.ca.certificate_pem},
                {.connections = 2});
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          Request request;
          request.method = "POST";
          request.body = std::string(static_cast<size_t>(i) * 5000 + 1, 'a');
          const auto answer = client.send(request);
          if (!answer || answer->body != request.body) ++wrong;
        }
      });
    threads.emplace_back([&] {
      Request request;
      request.path = "/stream";
      size_t bytes = 0;
      const auto answer =
          client.stream(request, [&](std::string_view chunk) { return bytes += chunk.size(), true; }, {});
      if (!answer || bytes != 5'000'000) ++wrong;
    });
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace twinspan::net
