#include "operator/link_metrics.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

class LinkMetrics : public ::testing::Test {
 protected:
  void policy(const Json& status) {
    cluster.wrote(
        kube::kFailoverPolicies,
        {{"apiVersion", "twinspan.dev/v1alpha1"},
         {"kind", "FailoverPolicy"},
         {"metadata",
          {{"name", "p"}, {"namespace", "shop"}, {"uid", "u"}, {"resourceVersion", std::to_string(++version)}}},
         {"spec", {{"linkRef", {{"name", "orders"}}}}},
         {"status", status}});
  }
  std::string text(bool links = true) { return all_metrics_text(cluster, links); }
  bool says(const std::string& line) { return text().find(line + "\n") != std::string::npos; }

  SystemClock clock;
  static kube::Config nowhere() {
    kube::Config config;
    config.server = "https://127.0.0.1:1";
    return config;
  }
  kube::Client client{nowhere()};  // never asked
  controllers::Cluster cluster{client, clock, {}};
  int version = 0;
};

constexpr const char* kLabels = R"({namespace="shop",policy="p",link="orders"})";

TEST_F(LinkMetrics, FailoverPossibleIsAbsentWhileItIsNotKnown) {
  const std::string name = std::string("twinspan_failover_possible") + kLabels;
  policy({{"possible", "True"}});
  EXPECT_TRUE(says(name + " 1")) << text();
  policy({{"possible", "False"}});
  EXPECT_TRUE(says(name + " 0")) << text();
  policy({{"possible", "Unknown"}});
  EXPECT_EQ(text().find(name), std::string::npos);
  EXPECT_TRUE(says(std::string("twinspan_failover_running") + kLabels + " 0"));
}

TEST_F(LinkMetrics, SeriesOfLinksAreLeftOutOnRequest) {
  policy({{"possible", "True"}});
  EXPECT_EQ(text(false).find("twinspan_failover_"), std::string::npos);
  EXPECT_NE(text(false).find("twinspan_build_info"), std::string::npos);
}

}  // namespace
}  // namespace twinspan
