#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controllers/postgres/routing.hpp"

namespace twinspan::controllers {
namespace {

api::FailoverPolicy policy() {
  api::FailoverPolicy made;
  made.metadata.name = "orders";
  made.metadata.ns = "shop";
  made.metadata.uid = "policy-uid";
  made.spec.link_ref.name = "orders";
  api::PolicyService rw;
  rw.name = "orders-rw";
  rw.selects = api::Selects::kPrimary;
  made.spec.services = {rw};
  return made;
}

// With a second Service beside it, alike but for the name.
api::FailoverPolicy policy_and(const std::string& name) {
  api::FailoverPolicy made = policy();
  made.spec.services.push_back(made.spec.services[0]);
  made.spec.services.back().name = name;
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

api::PolicyService with_template(const char* text) {
  api::PolicyService service = policy().spec.services[0];
  service.template_ = api::parse_service_template(Json::parse(text)).value();
  return service;
}

TEST(Routing, ATemplateAddsBelowWhatIsOursAndChangesNothingOfTheFlip) {
  const api::FailoverPolicy object = policy();
  const api::PolicyService service = with_template(R"({
    "type": "LoadBalancer", "labels": {"team": "shop", "twinspan.dev/link": "other"},
    "annotations": {"example.com/pool": "db"}, "loadBalancerClass": "example.com/internal",
    "loadBalancerSourceRanges": ["10.0.0.0/8"], "externalTrafficPolicy": "Local"})");
  const Json plain = render_primary_service(object, object.spec.services[0], "east");
  const Json added = render_primary_service(object, service, "east");
  EXPECT_EQ(added["metadata"]["labels"]["twinspan.dev/link"], "orders");
  EXPECT_EQ(added["metadata"]["labels"]["team"], "shop");
  EXPECT_EQ(added["metadata"]["annotations"]["example.com/pool"], "db");
  Json spec = plain["spec"];
  spec.update(Json::parse(R"({"type": "LoadBalancer", "loadBalancerClass": "example.com/internal",
                              "loadBalancerSourceRanges": ["10.0.0.0/8"], "externalTrafficPolicy": "Local"})"));
  EXPECT_EQ(added["spec"], spec);
  EXPECT_FALSE(plain["metadata"].contains("annotations")) << "as earlier versions wrote it";
  Json west = render_primary_service(object, service, "west");
  west["spec"]["selector"]["twinspan.dev/endpoint"] = "east";
  EXPECT_EQ(west, added) << "the selector alone tells them apart";
}

TEST(Routing, ATemplateIsWrittenOnceAndAgainWhereItChangesOrGoes) {
  const api::FailoverPolicy object = policy();
  const std::vector<const char*> texts{"{}",
                                       R"({"labels": {"team": "shop"}})",
                                       R"({"annotations": {"team": "shop"}})",
                                       R"({"type": "LoadBalancer"})",
                                       R"({"type": "NodePort"})",
                                       R"({"type": "LoadBalancer", "loadBalancerClass": "a"})",
                                       R"({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]})",
                                       R"({"type": "LoadBalancer", "externalTrafficPolicy": "Local"})"};
  std::vector<api::PolicyService> services{object.spec.services[0]};
  for (const char* text : texts) services.push_back(with_template(text));
  for (size_t was = 0; was < services.size(); ++was)
    for (size_t now = 0; now < services.size(); ++now) {
      Json stored = render_primary_service(object, services[was], "east");
      // What the API server and cloud controllers add is nobody's concern.
      stored["metadata"]["annotations"]["example.com/id"] = "7";
      stored["metadata"]["labels"]["example.com/zone"] = "a";
      stored["spec"]["ports"][0]["nodePort"] = 30123;
      stored["spec"]["healthCheckNodePort"] = 30124;
      EXPECT_EQ(has_template(facts_of(stored), services[now]), was == now) << was << " " << now;
    }
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

// Neither where it points nor whether anybody stands behind it is the policy's business then.
TEST(Routing, SomebodyElsesServiceIsNamedAndDecidesNothing) {
  api::FailoverPolicy object = policy_and("shop-db");
  const api::PolicyService second = object.spec.services[1];
  const ServiceFacts ours = facts_of(render_primary_service(object, object.spec.services[0], "east"));
  const std::vector<SliceFacts> slices{SliceFacts{"orders", "orders-rw", {"orders-east-0"}}};
  Json legacy = render_primary_service(object, second, "west");
  legacy["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm";
  for (const bool cached : {true, false}) {
    std::map<std::string, ServiceFacts> services{{"orders-rw", ours}};
    std::vector<KnownForeign> known;
    if (cached)
      services["shop-db"] = facts_of(legacy);
    else
      known = {{{"Service", "shop-db"}, false}};
    const RoutingSeen seen = read_routing(object, services, {{"orders-rw", slices}}, "orders-east-0", known);
    EXPECT_EQ(seen.routing, Routing::kTo);
    EXPECT_EQ(seen.routed_to, "east");
    EXPECT_TRUE(seen.endpoints_ready);
    EXPECT_EQ(seen.foreign, (std::vector<Foreign>{{"Service", "shop-db"}}));
    EXPECT_FALSE(seen.services[1].ready);
  }
  object.spec.services.erase(object.spec.services.begin());
  EXPECT_FALSE(read_routing(object, {}, {}, "", {{{"Service", "shop-db"}, true}}).any)
      << "nothing is left to be routed";
}

TEST(Routing, WhatAnEarlierPolicyLeftIsWrittenAnew) {
  const api::FailoverPolicy object = policy();
  api::FailoverPolicy earlier = object;
  earlier.metadata.uid = "earlier-uid";
  const ServiceFacts left = facts_of(render_primary_service(earlier, object.spec.services[0], "east"));
  EXPECT_EQ(read_routing(object, {{"orders-rw", left}}, {}, "orders-east-0").routing, Routing::kUnknown);
}

TEST(Routing, AMissingServiceIsUnknownSoThatItIsWritten) {
  EXPECT_EQ(read_routing(policy(), {}, {}, "orders-east-0").routing, Routing::kUnknown);
}

// One that a quota refuses would keep every switchover waiting, and no failover would ever be over.
TEST(Routing, ARefusedServiceKeepsNoOtherFromBeingWhereClientsAreSent) {
  api::FailoverPolicy object = policy_and("orders-lb");
  api::PolicyService& second = object.spec.services[1];
  const ServiceFacts ours = facts_of(render_primary_service(object, object.spec.services[0], "east"));
  std::map<std::string, ServiceFacts> services{{"orders-rw", ours}};
  const RefusedObjects refused{{{"Service", "orders-lb"}, "exceeded quota"}};
  EXPECT_EQ(read_routing(object, services, {}, "orders-east-0").routing, Routing::kUnknown);
  EXPECT_EQ(read_routing(object, services, {}, "orders-east-0", {}, refused).routing, Routing::kTo);
  // Refused as a whole, turned alone: with the port of before it leads where its selector says.
  second.port = 6432;
  ServiceFacts turned = ours;
  services["orders-lb"] = turned;
  EXPECT_EQ(read_routing(object, services, {}, "orders-east-0").routing, Routing::kUnknown);
  EXPECT_EQ(read_routing(object, services, {}, "orders-east-0", {}, refused).routed_to, "east");
  services["orders-lb"] = facts_of(render_primary_service(object, second, "west"));
  EXPECT_EQ(read_routing(object, services, {}, "orders-east-0", {}, refused).routing, Routing::kUnknown);
}

// A second change within a second reaches traffic late: the flip must be the first.
TEST(Routing, ReadersRestWhileThePrimaryMovesButNotForEver) {
  EXPECT_TRUE(readers_may_change(false, std::chrono::milliseconds(0)));
  EXPECT_FALSE(readers_may_change(true, std::chrono::milliseconds(0)));
  EXPECT_FALSE(readers_may_change(true, std::chrono::milliseconds(4999)));
  EXPECT_TRUE(readers_may_change(true, std::chrono::milliseconds(5000)));
}

TEST(Routing, ReadersGoWhereItIsKnownAndNothingChangesWhereNobodyAsked) {
  using std::chrono::milliseconds;
  for (const int failures : {0, 1})
    for (const milliseconds silent : {milliseconds(0), milliseconds(1999), milliseconds(2000), milliseconds(60000)})
      for (const bool heard : {false, true})
        for (const Role role : {Role::kReplica, Role::kPrimary})
          for (const bool accepts : {false, true})
            for (const std::optional<double> lag : {std::optional<double>(), std::optional(5.0), std::optional(5.1)})
              for (const std::optional<double> bound : {std::optional<double>(), std::optional(5.0)}) {
                MemberSeen member;
                member.failures = failures;
                member.silent_for = silent;
                if (heard) {
                  member.report.emplace();
                  member.report->role = role;
                  member.report->accepts_reads = accepts;
                  member.report->lag_seconds = lag;
                }
                const bool within = !bound || (lag && *lag <= *bound);
                std::optional<bool> expected = role == Role::kReplica && accepts && within;
                if (failures > 0)
                  expected = false;
                else if (!heard || silent >= milliseconds(2000))
                  expected.reset();
                EXPECT_EQ(may_be_read(member, bound), expected);
              }
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
