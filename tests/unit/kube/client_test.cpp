#include "kube/client.hpp"

#include <fstream>

#include "core/wait.hpp"
#include "fake_api.hpp"
#include "kube/api_error.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube::testing {
namespace {

class ClientTest : public ::testing::Test {
 protected:
  FakeApi api;
  Client client{api.config()};
  static int64_t elapsed(std::chrono::steady_clock::time_point since) {
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - since).count();
  }
};

TEST(ApiError, CodesFollowStatusAndReason) {
  const std::vector<std::tuple<int, std::string, Code>> table = {{400, "BadRequest", Code::kInvalid},
                                                                 {401, "Unauthorized", Code::kDenied},
                                                                 {403, "Forbidden", Code::kDenied},
                                                                 {404, "NotFound", Code::kNotFound},
                                                                 {409, "AlreadyExists", Code::kAlreadyExists},
                                                                 {409, "Conflict", Code::kConflict},
                                                                 {410, "Expired", Code::kGone},
                                                                 {410, "Gone", Code::kGone},
                                                                 {422, "Invalid", Code::kInvalid},
                                                                 {429, "TooManyRequests", Code::kThrottled},
                                                                 {500, "InternalError", Code::kUnavailable},
                                                                 {503, "ServiceUnavailable", Code::kUnavailable},
                                                                 {504, "Timeout", Code::kTimeout}};
  for (const auto& [status, reason, code] : table) {
    net::Response response;
    response.status = status;
    response.body = Json{{"kind", "Status"}, {"reason", reason}, {"message", "because"}}.dump();
    const Error error = error_of(response);
    EXPECT_EQ(error.code, code) << status << " " << reason;
    EXPECT_EQ(error.message, "because");
    EXPECT_EQ(error.retryable, code == Code::kThrottled || code == Code::kUnavailable || code == Code::kTimeout ||
                                   code == Code::kConflict);
  }
  net::Response plain;
  plain.status = 502;
  plain.body = "bad gateway\n";
  EXPECT_EQ(error_of(plain).message, "HTTP status 502: bad gateway");
}

TEST(ApiError, NamesTheFieldsAtFaultOnce) {
  const Json causes = {{{"field", "spec.size"}, {"message", "must be larger"}},
                       {{"field", "spec.color"}, {"message", "unknown"}}};
  Json status = {{"kind", "Status"},
                 {"code", 422},
                 {"reason", "Invalid"},
                 {"message", "refused"},
                 {"details", {{"causes", causes}}}};
  EXPECT_EQ(error_of_status(status).message, "refused (spec.size: must be larger; spec.color: unknown)");
  status["message"] = "w is invalid: spec.size: must be larger";
  EXPECT_EQ(error_of_status(status).message, "w is invalid: spec.size: must be larger (spec.color: unknown)");
}

// What was judged is not what the API server sees: judged anew, which is no error.
TEST(ApiError, OfWhatIsAnotherByNowOrNotSeenYetIsAConflict) {
  EXPECT_EQ(error_of_status(Json::parse(R"({"code":422,"reason":"Invalid","message":"a is invalid","details":{"causes":[
      {"reason":"FieldValueInvalid","field":"metadata.uid","message":"field is immutable"}]}})"))
                .code,
            Code::kConflict);
  EXPECT_EQ(error_of_status(Json::parse(R"({"code":403,"reason":"Forbidden","message":
      "pods \"p\" is forbidden: error looking up service account shop/w: serviceaccount \"w\" not found"})"))
                .code,
            Code::kConflict);
  EXPECT_EQ(error_of_status(Json::parse(R"({"code":403,"reason":"Forbidden","message":"pods is forbidden"})")).code,
            Code::kDenied);
}

TEST_F(ClientTest, ListsGatherPagesAndNameTheKind) {
  for (int i = 0; i < 5; ++i) api.put("configmaps", "ns", "c" + std::to_string(i));
  std::vector<std::string> names;
  const auto version = client.list(kConfigMaps, "ns", {.page = 2}, [&](Json&& item) {
    EXPECT_EQ(item["kind"], "ConfigMap");
    EXPECT_EQ(item["apiVersion"], "v1");
    names.push_back(item["metadata"]["name"]);
  });
  ASSERT_TRUE(version);
  EXPECT_EQ(names, (std::vector<std::string>{"c0", "c1", "c2", "c3", "c4"}));
  EXPECT_EQ(api.count("list"), 3u);
}

TEST_F(ClientTest, SelectorsArriveAsTheyWereWritten) {
  ASSERT_TRUE(client.list(kConfigMaps, "ns", {.label_selector = "a in (b,c),!d&e", .field_selector = "metadata.name=x"},
                          [](Json&&) {}));
  const auto request = api.received().back();
  EXPECT_EQ(request.query.find("labelSelector")->second, "a in (b,c),!d&e");
  EXPECT_EQ(request.query.find("fieldSelector")->second, "metadata.name=x");
}

TEST_F(ClientTest, WaitsAsLongAsTheServerAsks) {
  api.put("configmaps", "ns", "a");
  for (const int status : {429, 503}) {
    api.fail_next("get", {.status = status, .retry_after = "1"});
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(client.get(kConfigMaps, {"ns", "a"}));
    EXPECT_GE(elapsed(start), 1000);
  }
  EXPECT_EQ(api.count("get"), 4u);
}

TEST_F(ClientTest, AnsweredThrottlingWithoutRetryAfterIsTheCallersMatter) {
  api.fail_next("get", {.status = 429});
  const auto answer = client.get(kConfigMaps, {"ns", "a"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kThrottled);
  EXPECT_EQ(api.count("get"), 1u);
}

TEST_F(ClientTest, NoCallOutlivesItsTimeOut) {
  Config config = api.config();
  config.request_timeout = seconds(8);
  Client hasty(config);
  api.fail_next("get", {.status = 429, .retry_after = "5"}, 20);
  const auto start = std::chrono::steady_clock::now();
  const auto answer = hasty.get(kConfigMaps, {"ns", "a"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kThrottled);
  EXPECT_LE(api.count("get"), 2u) << "a third try would begin after 10 s";
  EXPECT_LT(elapsed(start), 10000);  // as often as it is told to wait, it would take 100 s
}

TEST_F(ClientTest, WaitingForRetryAfterEndsWithTheStopToken) {
  Config config = api.config();
  config.request_timeout = seconds(120);
  Client patient(config);
  api.fail_next("get", {.status = 429, .retry_after = "60"});
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(eventually([&] { return api.count("get") == 1; }));
    stop.request_stop();
  });
  const auto start = std::chrono::steady_clock::now();
  const auto answer = patient.get(kConfigMaps, {"ns", "a"}, stop.get_token());
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kCancelled);
  EXPECT_LT(elapsed(start), 10000);
}

TEST_F(ClientTest, WritesAreNotRepeatedWhereTheirFateIsUnknown) {
  api.put("configmaps", "ns", "a");
  api.fail_next("PATCH", {.cut = true});
  const auto answer = client.merge_patch(kConfigMaps, {"ns", "a"}, {{"data", {{"x", "1"}}}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kUnavailable);
  EXPECT_EQ(api.count("PATCH"), 1u);
}

TEST_F(ClientTest, VerbsCarryTheirContentTypesAndOptions) {
  api.put("configmaps", "ns", "a");
  const Json object = {{"metadata", {{"name", "a"}, {"namespace", "ns"}}}};
  ASSERT_TRUE(client.merge_patch(kConfigMaps, {"ns", "a"}, object, Subresource::kStatus));
  EXPECT_EQ(api.received().back().path, "/api/v1/namespaces/ns/configmaps/a/status");
  EXPECT_EQ(api.received().back().header("Content-Type"), "application/merge-patch+json");
  ASSERT_TRUE(client.apply(kConfigMaps, object, "me"));
  EXPECT_EQ(api.received().back().header("Content-Type"), "application/apply-patch+yaml");
  EXPECT_EQ(api.received().back().query.find("fieldManager")->second, "me");
  EXPECT_EQ(api.received().back().query.find("force")->second, "true");
  ASSERT_TRUE(client.remove(kConfigMaps, {"ns", "a"},
                            {.uid = "u", .resource_version = "5", .grace_seconds = 0, .propagation = "Foreground"}));
  const Json options = Json::parse(api.received().back().body);
  EXPECT_EQ(options["preconditions"], Json({{"uid", "u"}, {"resourceVersion", "5"}}));
  EXPECT_EQ(options["gracePeriodSeconds"], 0);
  EXPECT_EQ(options["propagationPolicy"], "Foreground");
}

TEST_F(ClientTest, AWatchGivesEventsAndEndsWithTheServersError) {
  const std::string from = api.put("configmaps", "ns", "a");
  api.put("configmaps", "ns", "b");
  api.erase("configmaps", "ns", "a");
  std::vector<std::pair<WatchType, std::string>> seen;
  const auto ended = client.watch(kConfigMaps, "ns", {.resource_version = from},
                                  [&](WatchType type, Json&& object) {
                                    seen.emplace_back(type, object["metadata"]["name"]);
                                    if (seen.size() == 2) api.expire_watches();
                                  },
                                  {});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kGone);
  EXPECT_EQ(seen,
            (std::vector<std::pair<WatchType, std::string>>{{WatchType::kAdded, "b"}, {WatchType::kDeleted, "a"}}));
}

TEST_F(ClientTest, AWatchThatIsNeverAnsweredTimesOut) {
  std::stop_source over;
  api.intercept = [&](const net::IncomingRequest&) -> std::optional<net::OutgoingResponse> {
    wait_for(seconds(30), over.get_token());
    return std::nullopt;
  };
  Config config = api.config();
  config.request_timeout = milliseconds(200);
  const auto ended = Client(config).watch(kConfigMaps, "ns", {.timeout = seconds(300)}, [](WatchType, Json&&) {}, {});
  over.request_stop();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Code::kTimeout);
}

TEST_F(ClientTest, AnOpenWatchMayBeSilentForLongerThanARequestMayTake) {
  Config config = api.config();
  config.request_timeout = milliseconds(200);
  Client hasty(config);
  std::atomic<bool> open{false};
  std::jthread writer([&] {
    EXPECT_TRUE(eventually([&] { return open.load(); }));
    wait_for(milliseconds(500), {});
    api.put("configmaps", "ns", "late");
  });
  int events = 0;
  std::stop_source stop;
  const auto ended = hasty.watch(
      kConfigMaps, "ns", {.timeout = seconds(300), .on_open = [&] { open = true; }},
      [&](WatchType, Json&&) {
        ++events;
        stop.request_stop();
      },
      stop.get_token());
  EXPECT_EQ(events, 1);
  EXPECT_EQ(ended.error().code, Code::kCancelled);
}

TEST_F(ClientTest, CountsRequestsUnderTheNamesOfClientGo) {
  (void)client.get(kConfigMaps, {"ns", "none"});
  const std::string text = metrics_text();
  const std::string host = client.config().server.substr(7);
  EXPECT_NE(text.find("rest_client_requests_total{code=\"404\",host=\"" + host + "\",method=\"GET\"} 1"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("rest_client_request_duration_seconds_count"), std::string::npos);
  EXPECT_NE(text.find("process_resident_memory_bytes"), std::string::npos);
}

TEST_F(ClientTest, KeepsToItsOwnLimit) {
  Config config = api.config();
  config.requests_per_second = 20;
  Client slow(config);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 30; ++i) (void)slow.get(kConfigMaps, {"ns", "a"});
  EXPECT_GE(elapsed(start), 400);  // a burst of 20 at once, the other ten at 50 ms each
  EXPECT_LT(elapsed(start), 10000);
}

class Credentials : public ClientTest {
 protected:
  void SetUp() override {
    folder = ::testing::TempDir() + "credentials-" + std::to_string(getpid());
    ASSERT_EQ(std::system(("mkdir -p " + folder).c_str()), 0);
    api.intercept = [this](const net::IncomingRequest& request) -> std::optional<net::OutgoingResponse> {
      std::lock_guard lock(mutex);
      if (request.header("Authorization") == "Bearer " + accepted) return std::nullopt;
      net::OutgoingResponse out;
      out.status = 401;
      return out;
    };
    api.put("configmaps", "ns", "a");
  }
  void TearDown() override { (void)std::system(("rm -rf " + folder).c_str()); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder + "/" + name) << text; }
  void accept(const std::string& token) {
    std::lock_guard lock(mutex);
    accepted = token;
  }
  std::string read(const std::string& name) {
    std::ifstream file(folder + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string folder, accepted = "one";
  std::mutex mutex;
};

TEST_F(Credentials, ARotatedTokenFileIsReadAgain) {
  Config config = api.config();
  write("token", "one\n");
  config.token_file = folder + "/token";
  Client rotating(config);
  EXPECT_TRUE(rotating.get(kConfigMaps, {"ns", "a"}));
  write("token", "two\n");
  accept("two");
  EXPECT_TRUE(rotating.get(kConfigMaps, {"ns", "a"}));  // refused once, read again
  accept("three");
  const auto denied = rotating.get(kConfigMaps, {"ns", "a"});
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().code, Code::kDenied);
}

TEST_F(Credentials, APluginRunsOnceUntilItsCredentialExpires) {
  write("plugin", "#!/bin/sh\necho \"$1 $EXTRA\" >>" + folder + "/calls\ncat " + folder + "/answer\n");
  ASSERT_EQ(std::system(("chmod +x " + folder + "/plugin").c_str()), 0);
  const auto answer = [&](const std::string& token, WallTime until) {
    write("answer", Json{{"apiVersion", "client.authentication.k8s.io/v1"},
                         {"kind", "ExecCredential"},
                         {"status", {{"token", token}, {"expirationTimestamp", to_rfc3339(until)}}}}
                        .dump());
  };
  const WallTime now = SystemClock().wall_now();
  Config config = api.config();
  config.exec = {.command = folder + "/plugin",
                 .api_version = "client.authentication.k8s.io/v1",
                 .args = {"get"},
                 .env = {{"EXTRA", "more"}}};
  Client plugged(config);
  answer("one", now + std::chrono::hours(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(plugged.get(kConfigMaps, {"ns", "a"}));
  EXPECT_EQ(read("calls"), "get more\n");
  accept("two");  // the server refuses the cached one: the plugin runs again
  answer("two", now - std::chrono::hours(1));
  EXPECT_TRUE(plugged.get(kConfigMaps, {"ns", "a"}));
  EXPECT_EQ(read("calls"), "get more\nget more\n");
  EXPECT_TRUE(plugged.get(kConfigMaps, {"ns", "a"}));  // it came expired
  EXPECT_EQ(read("calls"), "get more\nget more\nget more\n");
}

TEST_F(Credentials, APluginThatFailsIsDenied) {
  write("plugin", "#!/bin/sh\nexit 3\n");
  ASSERT_EQ(std::system(("chmod +x " + folder + "/plugin").c_str()), 0);
  Config config = api.config();
  for (const std::string& command : {folder + "/plugin", folder + "/missing", std::string("/bin/echo")}) {
    config.exec = {.command = command, .api_version = "client.authentication.k8s.io/v1", .args = {}, .env = {}};
    const auto answer = Client(config).get(kConfigMaps, {"ns", "a"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Code::kDenied) << answer.error().message;
    EXPECT_NE(answer.error().message.find(command), std::string::npos);
  }
}

}  // namespace
}  // namespace twinspan::kube::testing
