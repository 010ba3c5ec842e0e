// What the client does when the server or the way to it fails. The stub fails on request.
#include <filesystem>

#include "integration/s3/world.hpp"
#include "pki/certificate.hpp"

namespace twinspan::s3::testing {
namespace {

using s3_stub::Fault;
using s3_stub::FaultKind;
using s3_stub::Stub;

class S3Faults : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server.start());
    server.create_bucket("b");
    server.add("b", "k", "0123456789");
    config.endpoint = server.endpoint();
    config.bucket = "b";
    config.backoff_base = std::chrono::milliseconds(1);
    config.backoff_max = std::chrono::milliseconds(10);
    config.timeout = std::chrono::seconds(10);
    renew();
  }
  void renew() { client = std::make_unique<Client>(config, source, system_clock()); }
  Result<std::string> read(const GetRequest& request) { return body_of(*client, request); }

  Stub server{{}};
  ClientConfig config;
  std::shared_ptr<CredentialSource> source = std::make_shared<StaticCredentials>(Credentials{"test", "test-secret"});
  std::unique_ptr<Client> client;
};

TEST_F(S3Faults, PassingTroubleIsBorne) {
  for (const FaultKind kind : {FaultKind::kInternal, FaultKind::kUnavailable, FaultKind::kSlowDown, FaultKind::kCut}) {
    server.inject({.kind = kind, .count = 4});
    EXPECT_TRUE(client->put({.key = "p"}, "x", {})) << static_cast<int>(kind);
    server.inject({.kind = kind, .count = 4});
    EXPECT_EQ(read({.key = "k"}).value_or(""), "0123456789") << static_cast<int>(kind);
  }
}

TEST_F(S3Faults, LastingTroubleIsToldAfterAllTries) {
  for (const auto& [kind, code] : {std::pair(FaultKind::kInternal, Code::kUnavailable),
                                   {FaultKind::kSlowDown, Code::kThrottled},
                                   {FaultKind::kCut, Code::kUnavailable}}) {
    server.inject({.kind = kind, .count = 1000});
    const int64_t before = server.requests("PUT");
    EXPECT_EQ(code_of(client->put({.key = "p"}, "x", {})), code);
    EXPECT_EQ(server.requests("PUT") - before, config.tries);
    server.clear_faults();
  }
}

TEST_F(S3Faults, TroubleIsKnownWhileCallsStillTry) {
  EXPECT_FALSE(client->troubled());
  server.inject({.kind = FaultKind::kSlowDown, .count = 1, .retry_after_seconds = 30});
  std::stop_source stop;
  std::jthread caller([&] { (void)client->head("k", stop.get_token()); });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!client->troubled() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(client->troubled());
  stop.request_stop();
  caller.join();
  EXPECT_TRUE(client->head("k", {}));
  EXPECT_FALSE(client->troubled());
}

TEST_F(S3Faults, RetryAfterIsHonoured) {
  server.inject({.kind = FaultKind::kSlowDown, .count = 1, .retry_after_seconds = 1});
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(client->head("k", {}));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(990));
}

TEST_F(S3Faults, WhatIsRefusedForGoodIsNotRepeated) {
  const int64_t before = server.requests("GET");
  EXPECT_EQ(code_of(read({.key = "absent"})), Code::kNotFound);
  EXPECT_EQ(server.requests("GET") - before, 1);
}

TEST_F(S3Faults, AStopEndsTheWaitBetweenTries) {
  server.inject({.kind = FaultKind::kSlowDown, .count = 1000, .retry_after_seconds = 30});
  std::stop_source stop;
  std::jthread stopper([&] {
    while (server.requests("HEAD") == 0) std::this_thread::yield();
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of(client->head("k", stop.get_token())), Code::kCancelled);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));  // less than it was told to wait
}

TEST_F(S3Faults, ABodyCutShortIsUnavailableAndNotRepeated) {
  server.inject({.kind = FaultKind::kCutBody, .method = "GET"});
  std::string seen;
  const auto out = client->get({.key = "k"},
                               [&](std::string_view piece) {
                                 seen += piece;
                                 return true;
                               },
                               {});
  EXPECT_EQ(code_of(out), Code::kUnavailable);
  EXPECT_EQ(seen, "01234");
}

TEST_F(S3Faults, AListingCutShortIsNeverTakenForWhole) {
  for (int i = 0; i < 2000; ++i) server.add("b", "n" + std::to_string(i), "x");
  server.inject({.kind = FaultKind::kCutBody, .count = 2, .query = "list-type"});
  const auto page = client->list({}, {});  // repeated: nobody has seen any of it
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->objects.size(), 1000u);
  EXPECT_NE(page->next, "");
  server.inject({.kind = FaultKind::kCutBody, .count = 1000, .query = "list-type"});
  EXPECT_EQ(code_of(client->list({}, {})), Code::kUnavailable);
}

TEST_F(S3Faults, AReaderThatHasEnoughEndsTheCall) {
  EXPECT_EQ(code_of(client->get({.key = "k"}, [](std::string_view) { return false; }, {})), Code::kCancelled);
  EXPECT_TRUE(client->head("k", {}));
}

TEST_F(S3Faults, ErrorsAfterTheStatusAreErrors) {
  server.inject({.kind = FaultKind::kLateError, .count = 2, .method = "PUT"});
  EXPECT_TRUE(client->copy("b", "k", "", {.key = "copied"}, {}));
  server.inject({.kind = FaultKind::kLateError, .count = 1000, .method = "PUT"});
  EXPECT_EQ(code_of(client->copy("b", "k", "", {.key = "other"}, {})), Code::kUnavailable);
}

TEST_F(S3Faults, ACompletedUploadWhoseAnswerWasLostIsComplete) {
  const auto id = client->create_upload({.key = "big"}, {});
  ASSERT_TRUE(id);
  const auto part = client->upload_part({"big", *id}, 1, "content", {});
  ASSERT_TRUE(part);
  server.inject({.kind = FaultKind::kCutAfter, .method = "POST"});
  const auto done = client->complete_upload({"big", *id}, {*part}, {});
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(client->head("big", {})->object.etag, done->etag);
}

TEST_F(S3Faults, AnUploadWhoseAnswerWasLostIsNotCreatedTwice) {
  server.inject({.kind = FaultKind::kCutAfter, .method = "POST"});
  EXPECT_EQ(code_of(client->create_upload({.key = "big"}, {})), Code::kUnavailable);
  EXPECT_EQ(server.uploads("b"), 1u);  // whoever asked knows that there may be one
  server.inject({.kind = FaultKind::kSlowDown, .count = 2, .method = "POST"});
  EXPECT_TRUE(client->create_upload({.key = "big"}, {}));
}

TEST_F(S3Faults, TheServersClockCounts) {
  for (const int minutes : {-20, 300}) {
    server.set_clock_offset(std::chrono::minutes(minutes));
    EXPECT_TRUE(client->put({.key = "p"}, "x", {})) << minutes;
    renew();
    EXPECT_TRUE(client->head("k", {})) << minutes;
  }
}

// Counts how often it is asked anew, and has the next credentials from then on.
class Rotating final : public CredentialSource {
 public:
  Result<Credentials> get(bool refused, std::stop_token) override {
    if (refused) ++asked_anew;
    return asked_anew > 0 ? next : Credentials{"test", "test-secret"};
  }
  Credentials next{"second", "second-secret"};
  std::atomic<int> asked_anew{0};
};

TEST_F(S3Faults, RotatedCredentialsAreReadAnewOnce) {
  const auto rotating = std::make_shared<Rotating>();
  source = rotating;
  renew();
  EXPECT_TRUE(client->head("k", {}));
  EXPECT_EQ(rotating->asked_anew, 0);
  server.set_credentials({"second", "second-secret"});
  EXPECT_TRUE(client->head("k", {}));
  EXPECT_TRUE(client->list({}, {}));
  EXPECT_EQ(rotating->asked_anew, 1);
}

TEST_F(S3Faults, RefusedCredentialsWithoutOthersAreDenied) {
  const auto rotating = std::make_shared<Rotating>();
  rotating->next = {"test", "test-secret"};
  source = rotating;
  renew();
  server.set_credentials({"second", "second-secret"});
  EXPECT_EQ(code_of(client->list({}, {})), Code::kDenied);
  EXPECT_EQ(rotating->asked_anew, 1);
}

TEST_F(S3Faults, SessionTokensAreSent) {
  server.set_credentials({"test", "test-secret", "token"});
  EXPECT_EQ(code_of(client->list({}, {})), Code::kDenied);
  source = std::make_shared<StaticCredentials>(Credentials{"test", "test-secret", "token"});
  renew();
  EXPECT_TRUE(client->list({}, {}));
}

TEST_F(S3Faults, VirtualHostsCarryTheBucket) {
  config.path_style = false;
  config.dial = config.endpoint;
  std::string host, path;
  net::Server other({.address = "127.0.0.1"}, [&](const net::IncomingRequest& request) {
    host = request.header("Host");
    path = request.target;
    net::OutgoingResponse out;
    out.headers = {{"ETag", "\"e\""}};
    return out;
  });
  ASSERT_TRUE(other.start());
  config.endpoint = "http://s3.example:80";
  config.dial = "http://127.0.0.1:" + std::to_string(other.port());
  renew();
  EXPECT_TRUE(client->put({.key = "a b"}, "x", {}));
  EXPECT_EQ(host, "b.s3.example");
  EXPECT_EQ(path, "/a%20b");
}

TEST_F(S3Faults, AServerThatPassesRangesOverIsNotBelieved) {
  net::Server other({.address = "127.0.0.1"}, [&](const net::IncomingRequest&) {
    net::OutgoingResponse out;
    out.body = "0123456789";
    return out;
  });
  ASSERT_TRUE(other.start());
  config.endpoint = "http://127.0.0.1:" + std::to_string(other.port());
  renew();
  std::string seen;
  const auto out = client->get({.key = "k", .range = ByteRange{5, 2}},
                               [&](std::string_view piece) {
                                 seen += piece;
                                 return true;
                               },
                               {});
  EXPECT_EQ(code_of(out), Code::kInvalid);
  EXPECT_EQ(seen, "");
}

// Buckets with Object Lock: every body has a digest, those that only pass through get none, and go by memory then.
TEST_F(S3Faults, ABucketThatWantsDigestsGetsThem) {
  const WallTime now = system_clock().wall_now();
  const auto ca = pki::make_ca("ca", now - std::chrono::hours(1), now + std::chrono::hours(24)).value();
  pki::CertificateRequest asked;
  asked.common_name = "127.0.0.1";
  asked.ip_addresses = {"127.0.0.1"};
  asked.not_before = now - std::chrono::hours(1);
  asked.not_after = now + std::chrono::hours(1);
  asked.server = true;
  const auto own = pki::issue(ca, asked).value();
  for (const bool tls : {false, true}) {
    s3_stub::StubOptions options;
    options.wants_digests = true;
    if (tls) options.server.identity = {own.certificate_pem, own.key_pem};
    Stub strict{options};
    ASSERT_TRUE(strict.start());
    strict.create_bucket("b");
    config.endpoint = strict.endpoint();
    config.ca_pem = tls ? ca.certificate_pem : "";
    renew();
    EXPECT_TRUE(client->put({.key = "k"}, "body", {}));
    EXPECT_TRUE(client->put({.key = "empty"}, "", {}));
    const auto id = client->create_upload({.key = "parts"}, {});
    ASSERT_TRUE(id);
    EXPECT_TRUE(client->upload_part({"parts", *id}, 1, "part", {}));
    EXPECT_EQ(client->streams(), tls);
    if (!tls) continue;
    const BodySource passing{4, [](const auto& write) -> Status {
                               write("part");
                               return {};
                             }};
    EXPECT_EQ(code_of(client->stream_part({"parts", *id}, 2, passing, {})), Code::kUnavailable) << "to be tried again";
    EXPECT_FALSE(client->streams());
  }
}

TEST_F(S3Faults, ALongListingOfUploadsAndPartsIsReadWhole) {
  for (int i = 0; i < 1100; ++i) ASSERT_TRUE(client->create_upload({.key = "u" + std::to_string(i)}, {}));
  EXPECT_EQ(client->list_uploads("", {})->size(), 1100u);
  const Upload upload = (*client->list_uploads("u7", {}))[0];
  for (int i = 1; i <= 1050; ++i) ASSERT_TRUE(client->upload_part(upload, i, "x", {}));
  EXPECT_EQ(client->list_parts(upload, {})->size(), 1050u);
}

}  // namespace
}  // namespace twinspan::s3::testing
