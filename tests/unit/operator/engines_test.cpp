#include "operator/engines.hpp"

#include <gtest/gtest.h>

#include "controllers/policy/failover_caches.hpp"

namespace twinspan {
namespace {

kube::Config nowhere() {
  kube::Config config;
  config.server = "https://127.0.0.1:1";
  return config;
}

TEST(Engines, EachWhoseLinksAreValidHasItsRows) {
  SystemClock clock;
  kube::Client client{nowhere()};  // never asked
  controllers::Cluster cluster{client, clock, {}};
  const controllers::FailoverCaches caches{client, cluster, {}};
  const controllers::WorkerReports reports({}, clock, make_probe_factory(clock, false));
  const auto links = make_link_engines({clock, {}});
  const auto movers = make_primary_movers({client, clock, cluster, caches, reports});
  const Status complete = check_complete(links, movers);
  EXPECT_TRUE(complete) << complete.error().message;
  EXPECT_EQ(movers.find(api::Engine::kKafka), nullptr) << "no policy may name its links";
  EXPECT_FALSE(check_complete(links, {})) << "others must have one";
  EXPECT_FALSE(check_complete({}, movers));
}

}  // namespace
}  // namespace twinspan
