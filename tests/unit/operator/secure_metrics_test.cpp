// Who gets /metrics over TLS, and that nobody gets it otherwise.
#include "operator/secure_metrics.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/wait.hpp"
#include "operator/probe_server.hpp"
#include "pki/authority.hpp"
#include "webhooks/certificates.hpp"

namespace twinspan {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""s, std::chrono_literals::operator""ms;

TEST(BearerToken, IsTakenFromItsSchemeAlone) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"Bearer abc", "abc"}, {"bearer abc", "abc"}, {"BEARER  abc", "abc"}, {"Bearer ", ""},   {"Bearer", ""}, {"", ""},
      {"abc", ""},           {"Basic abc", ""},     {"Bearerabc", ""},      {"Bearer    ", ""}};
  for (const auto& [header, token] : table) {
    net::IncomingRequest request;
    request.headers.emplace_back("authorization", header);
    EXPECT_EQ(bearer_token(request), token) << header;
  }
  EXPECT_EQ(bearer_token({}), "");
}

TEST(MetricsAreAnswered, ToTheAllowedAlone) {
  const auto status = [](const Result<kube::Access>& access) {
    bool reached = false;
    const auto response = answer_by(access, [&] {
      reached = true;
      return net::plain_text(200, "figures");
    });
    EXPECT_EQ(reached, response.status == 200);
    EXPECT_EQ(response.body.find("figures") != std::string::npos, response.status == 200);
    return response.status;
  };
  EXPECT_EQ(status(kube::Access::kAllowed), 200);
  EXPECT_EQ(status(kube::Access::kUnknown), 401);
  EXPECT_EQ(status(kube::Access::kForbidden), 403);
  for (const Code code : {Code::kUnavailable, Code::kTimeout, Code::kDenied, Code::kNotFound, Code::kCancelled})
    EXPECT_EQ(status(fail(code, "secret words")), 503);
}

// The cluster's API as far as reviews go: the token "good" is somebody's, and they may.
class SecureMetricsServe : public testing::Test {
 protected:
  SecureMetricsServe() : api_({.address = "127.0.0.1"}, [this](const auto& request) { return review(request); }) {
    std::string name = fs::temp_directory_path() / "twinspan-metrics-XXXXXX";
    options_.metrics_certificate_dir = mkdtemp(name.data());
    options_.metrics_secure = true;
    options_.metrics = {"127.0.0.1", 0};
    const WallTime now = clock_.wall_now();
    const auto authority = *pki::make_authority("metrics", now);
    ca_pem_ = authority.bundle_pem();
    const auto identity = *webhooks::serving_certificate(authority, "metrics", "twinspan-metrics", "twinspan", now);
    std::ofstream(options_.metrics_certificate_dir + "/tls.crt") << identity.certificate_pem;
    std::ofstream(options_.metrics_certificate_dir + "/tls.key") << identity.key_pem;
    EXPECT_TRUE(api_.start());
    kube::Config config;
    config.server = "http://127.0.0.1:" + std::to_string(api_.port());
    client_ = std::make_unique<kube::Client>(config);
    metrics_ = std::make_unique<SecureMetrics>(options_, *client_, clock_, [](const net::IncomingRequest& request) {
      return metrics_answer(request, [](bool links) { return links ? "all\n" : "few\n"; });
    });
    metrics_->start();
    while (metrics_->port() == 0) wait_for(5ms, {});
  }
  ~SecureMetricsServe() override {
    metrics_->stop();
    fs::remove_all(options_.metrics_certificate_dir);
  }

  static net::OutgoingResponse review(const net::IncomingRequest& request) {
    Json body = Json::parse(request.body);
    if (request.path.ends_with("tokenreviews"))
      body["status"] = body["spec"]["token"] == "good"
                           ? Json{{"authenticated", true}, {"user", {{"username", "prometheus"}}}}
                           : Json{{"error", "invalid bearer token"}};
    else
      body["status"] = {{"allowed", body["spec"]["user"] == "prometheus"}};
    net::OutgoingResponse out;
    out.status = 201;
    out.body = body.dump();
    return out;
  }
  Result<net::Response> get(const std::string& token, const std::string& path = "/metrics") const {
    net::Client client("https://127.0.0.1:" + std::to_string(metrics_->port()),
                       {.ca_pem = ca_pem_, .server_name = "twinspan-metrics.twinspan.svc"});
    net::Request request;
    request.path = path;
    if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
    return client.send(request);
  }

  const SystemClock clock_;
  Options options_;
  std::string ca_pem_;
  net::Server api_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<SecureMetrics> metrics_;
};

TEST_F(SecureMetricsServe, WhoeverShowsATokenThatIsAllowed) {
  const auto all = get("good"), few = get("good", "/metrics?links=none");
  ASSERT_TRUE(all && few);
  EXPECT_EQ(all->body, "all\n");
  EXPECT_EQ(few->body, "few\n");
  EXPECT_EQ(get("")->status, 401);
  EXPECT_EQ(get("")->header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(get("bad")->status, 401);
}

TEST_F(SecureMetricsServe, NobodyWithoutTls) {
  net::Client plain("http://127.0.0.1:" + std::to_string(metrics_->port()), {});
  net::Request request;
  request.path = "/metrics";
  request.headers.emplace_back("Authorization", "Bearer good");
  const auto answer = plain.send(request);
  EXPECT_FALSE(answer) << answer->body;
}

TEST_F(SecureMetricsServe, NobodyNewWhileTheApiIsAway) {
  EXPECT_EQ(get("good")->status, 200);
  api_.stop();
  EXPECT_EQ(get("good")->status, 200);  // remembered
  const auto other = get("other");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->status, 503);
  EXPECT_EQ(other->body.find("other"), std::string::npos);
}

}  // namespace
}  // namespace twinspan
