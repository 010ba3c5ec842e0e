// When the server listens.
#include "webhooks/webhooks.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/clock.hpp"
#include "core/wait.hpp"
#include "net/http.hpp"
#include "pki/authority.hpp"
#include "webhooks/certificates.hpp"

namespace twinspan::webhooks {
namespace {

namespace fs = std::filesystem;

class WebhooksListen : public testing::Test {
 protected:
  WebhooksListen() {
    std::string name = fs::temp_directory_path() / "twinspan-webhook-XXXXXX";
    config_.certificate.directory = mkdtemp(name.data());
    config_.host = "127.0.0.1";
  }
  ~WebhooksListen() override { fs::remove_all(config_.certificate.directory); }

  // As cert-manager's Secret lies there.
  void put_certificate() {
    const WallTime now = clock_.wall_now();
    const auto identity = serving_certificate(*pki::make_authority("webhook", now), "webhook", "twinspan", "shop", now);
    ASSERT_TRUE(identity);
    std::ofstream(config_.certificate.directory + "/tls.crt") << identity->certificate_pem;
    std::ofstream(config_.certificate.directory + "/tls.key") << identity->key_pem;
  }
  bool listens_within(const Webhooks& webhooks, std::chrono::seconds patience) const {
    const BootTime until = clock_.boot_now() + patience;
    while (webhooks.port() == 0 && clock_.boot_now() < until) wait_for(std::chrono::milliseconds(20), {});
    return webhooks.port() != 0;
  }
  static kube::Config nobody() {
    kube::Config out;
    out.server = "http://127.0.0.1:1";
    return out;
  }
  std::unique_ptr<Webhooks> start() {
    auto out = std::make_unique<Webhooks>(config_, client_, clock_, cluster_, caches_);
    out->start();
    return out;
  }

  const SystemClock clock_;
  WebhookConfig config_;
  kube::Client client_{nobody()};
  controllers::Cluster cluster_{client_, clock_, {}};
  controllers::FailoverCaches caches_{client_, cluster_, {}};
};

TEST_F(WebhooksListen, OnceATakenPortIsFree) {
  put_certificate();
  net::Server other({.address = "127.0.0.1"}, [](const auto&) { return net::plain_text(200, "mine\n"); });
  ASSERT_TRUE(other.start());
  config_.port = other.port();
  const auto webhooks = start();
  EXPECT_FALSE(listens_within(*webhooks, std::chrono::seconds(1)));
  other.stop();
  EXPECT_TRUE(listens_within(*webhooks, std::chrono::seconds(10)));
}

// What is stored can't be read before it is converted: that waits for no cache.
TEST_F(WebhooksListen, AndConvertsBeforeTheCachesAreFilled) {
  put_certificate();
  config_.port = 0;
  const auto webhooks = start();
  ASSERT_TRUE(listens_within(*webhooks, std::chrono::seconds(10)));
  net::Client client("https://127.0.0.1:" + std::to_string(webhooks->port()), {.verify = false});
  net::Request request;
  request.method = "POST";
  request.body = R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u","objects":[],
                     "desiredAPIVersion":"twinspan.dev/v1alpha1"}})";
  for (const auto& [path, status] : {std::pair{"/convert", 200}, {"/validate", 503}, {"/other", 404}}) {
    request.path = path;
    const auto answer = client.send(request);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, status) << path;
  }
}

TEST_F(WebhooksListen, OnceALateCertificateIsThere) {
  config_.port = 0;
  const auto webhooks = start();
  EXPECT_FALSE(listens_within(*webhooks, std::chrono::seconds(1)));
  put_certificate();
  EXPECT_TRUE(listens_within(*webhooks, std::chrono::seconds(10)));
}

}  // namespace
}  // namespace twinspan::webhooks
