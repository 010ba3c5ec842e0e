#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controllers/failover/routing.hpp"

namespace twinspan::controllers {
namespace {

api::FailoverPolicy policy() {
  api::FailoverPolicy made;
  made.metadata.name = "orders";
  made.metadata.ns = "shop";
  made.spec.link_ref.name = "orders";
  api::PolicyService rw;
  rw.name = "orders-rw";
  rw.selects = api::Selects::kPrimary;
  made.spec.services = {rw};
  return made;
}

ServiceFacts facts_of(const Json& service) {
  const auto facts = decode_service(service);
  EXPECT_TRUE(facts);
  return facts.value_or(ServiceFacts{});
}

TEST(Routing, WhatIsRenderedReadsBackAsWhereItPoints) {
  const api::FailoverPolicy object = policy();
  for (const char* to : {"", "east", "west-2"})
    EXPECT_EQ(points_to(facts_of(render_primary_service(object, object.spec.services[0], to)), "orders"), to);
}

TEST(Routing, ASelectorThatIsNotOursAlonePointsNowhereKnown) {
  const api::FailoverPolicy object = policy();
  Json service = render_primary_service(object, object.spec.services[0], "east");
  service["spec"]["selector"]["app"] = "theirs";
  EXPECT_FALSE(points_to(facts_of(service), "orders"));
  service = render_primary_service(object, object.spec.services[0], "east");
  service["spec"]["publishNotReadyAddresses"] = false;
  EXPECT_FALSE(points_to(facts_of(service), "orders")) << "kubelet's readiness would decide then";
}

TEST(Routing, IsReadyOnlyWhenTheSlicesShowThePrimaryAndNobodyElse) {
  const api::FailoverPolicy object = policy();
  const ServiceFacts east = facts_of(render_primary_service(object, object.spec.services[0], "east"));
  using Pods = std::vector<std::string>;
  for (const auto& [pods, ready] : std::vector<std::pair<Pods, bool>>{{{}, false},
                                                                      {{"orders-east-0"}, true},
                                                                      {{"orders-west-0"}, false},
                                                                      {{"orders-east-0", "orders-west-0"}, false}}) {
    const RoutingSeen seen = read_routing(object, {{"orders-rw", east}},
                                          {{"orders-rw", {SliceFacts{"orders", "orders-rw", pods}}}}, "orders-east-0");
    EXPECT_EQ(seen.endpoints_ready, ready);
    EXPECT_EQ(seen.routed_to, "east");
  }
}

TEST(Routing, AMissingServiceIsUnknownSoThatItIsWritten) {
  EXPECT_EQ(read_routing(policy(), {}, {}, "orders-east-0").routing, Routing::kUnknown);
}

// A second change within a second reaches traffic late: the flip must be the first.
TEST(Routing, ReadersRestWhileThePrimaryMovesButNotForEver) {
  EXPECT_TRUE(readers_may_change(false, std::chrono::milliseconds(0)));
  EXPECT_FALSE(readers_may_change(true, std::chrono::milliseconds(0)));
  EXPECT_FALSE(readers_may_change(true, std::chrono::milliseconds(4999)));
  EXPECT_TRUE(readers_may_change(true, std::chrono::milliseconds(5000)));
}

TEST(Routing, AnEndpointThatIsNotReadyReceivesNothing) {
  const Json slice = Json::parse(
      R"({"metadata": {"labels": {"kubernetes.io/service-name": "orders-rw", "twinspan.dev/link": "orders"}},
    "endpoints": [{"conditions": {"ready": false}, "targetRef": {"name": "orders-east-0"}},
                  {"conditions": {}, "targetRef": {"name": "orders-west-0"}}]})");
  const auto facts = decode_slice(slice);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->pods, std::vector<std::string>{"orders-west-0"});
  EXPECT_TRUE(decode_slice(Json::parse(R"({"metadata": {}, "endpoints": null})")));
}

}  // namespace
}  // namespace twinspan::controllers
