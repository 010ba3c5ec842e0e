#include "worker/postgres/custom_queries.hpp"

#include <gtest/gtest.h>

#include "worker/postgres/metrics.hpp"

namespace twinspan::worker {
namespace {

using api::AskedInstances;
using std::chrono::seconds;

TEST(CustomQueries, AreAskedByWhomTheSpecSays) {
  for (const bool writable : {false, true})
    for (const auto process : {ProcessState::kStopped, ProcessState::kReplicaRunning, ProcessState::kPrimaryRunning}) {
      const bool primary = process == ProcessState::kPrimaryRunning && writable;
      const bool replica = process == ProcessState::kReplicaRunning;
      EXPECT_EQ(is_asked(AskedInstances::kPrimary, process, writable), primary);
      EXPECT_EQ(is_asked(AskedInstances::kReplicas, process, writable), replica);
      EXPECT_EQ(is_asked(AskedInstances::kAny, process, writable), primary || replica);
    }
}

TEST(CustomQueries, OneThatIsSlowTakesAFifthOfTheTimeAtMost) {
  api::CustomQuery query;
  query.interval_seconds = 30;
  EXPECT_EQ(rest_of(query, seconds(0)), seconds(30));
  EXPECT_EQ(rest_of(query, seconds(6)), seconds(24));
  EXPECT_EQ(rest_of(query, seconds(10)), seconds(40));
  EXPECT_EQ(rest_of(query, seconds(60)), seconds(240));
}

api::CustomQuery query(const std::string& name) {
  api::CustomQuery one;
  one.name = name;
  one.labels = {"state"};
  one.values = {{"n", api::MetricType::kGauge, "Orders\nby state."}, {"seen", api::MetricType::kCounter, std::nullopt}};
  return one;
}

TEST(CustomQueries, BecomeMetricsAndOneThatFailsHasNoValues) {
  const Metrics metrics({"orders", "shop", "west"});
  const std::string text = metrics.text(
      {}, {},
      {{query("orders"), {{{"open"}, {3, 7}}, {{"say \"no\""}, {std::nullopt, 8}}}, ""}, {query("broken"), {}, "no"}});
  const auto has = [&](const std::string& line) { return text.find(line) != std::string::npos; };
  const std::string labels = "endpoint=\"west\",link=\"orders\",namespace=\"shop\",";
  EXPECT_TRUE(has("# HELP twinspan_custom_orders_n Orders by state.\n# TYPE twinspan_custom_orders_n gauge\n")) << text;
  EXPECT_TRUE(has("# TYPE twinspan_custom_orders_seen counter\n"));
  EXPECT_TRUE(has("twinspan_custom_orders_n{" + labels + "state=\"open\"} 3\n")) << text;
  EXPECT_TRUE(has("twinspan_custom_orders_seen{" + labels + "state=\"open\"} 7\n"));
  EXPECT_TRUE(has("twinspan_custom_orders_seen{" + labels + "state=\"say \\\"no\\\"\"} 8\n"));
  EXPECT_FALSE(has("twinspan_custom_orders_n{" + labels + "state=\"say")) << "NULL has no series";
  EXPECT_FALSE(has("twinspan_custom_broken_n"));
  EXPECT_TRUE(has("twinspan_custom_query_failed{" + labels + "query=\"orders\"} 0\n"));
  EXPECT_TRUE(has("twinspan_custom_query_failed{" + labels + "query=\"broken\"} 1\n"));
  EXPECT_EQ(metrics.text().find("twinspan_custom"), std::string::npos);
}

}  // namespace
}  // namespace twinspan::worker
