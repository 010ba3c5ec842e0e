// What is asked of the API server while somebody waits for a verdict.
#include "webhooks/neighbours.hpp"

#include <gtest/gtest.h>

#include <future>

#include "core/clock.hpp"
#include "net/http.hpp"

namespace twinspan::webhooks {
namespace {

// The API server gives up, and lets the object in unjudged, after webhook.timeoutSeconds: 5.
TEST(FreshLink, IsNotWaitedForLongerThanTheReviewsPatience) {
  std::promise<void> over;
  const std::shared_future<void> waits = over.get_future().share();
  net::Server api({}, [&](const net::IncomingRequest&) {
    waits.wait();
    return net::plain_text(503, "at last\n");
  });
  ASSERT_TRUE(api.start());
  kube::Config config;
  config.server = "http://127.0.0.1:" + std::to_string(api.port());
  config.request_timeout = std::chrono::seconds(60);
  kube::Client client(config);
  const SystemClock clock;
  controllers::Cluster cluster(client, clock, {});
  controllers::FailoverCaches caches(client, cluster, {});
  const Neighbours neighbours(client.config(), cluster, caches);
  const BootTime began = clock.boot_now();
  const auto link = neighbours.fresh_link({"shop", "orders"}, {});
  const auto took = clock.boot_now() - began;
  over.set_value();
  EXPECT_FALSE(link);
  EXPECT_LT(took, std::chrono::seconds(10));
  api.stop();
}

}  // namespace
}  // namespace twinspan::webhooks
