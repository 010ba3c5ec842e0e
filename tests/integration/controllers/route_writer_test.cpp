// What a policy's template adds to a Service comes and goes by the same write that turns it, and holds up no turn.
#include "controllers/policy/route_writer.hpp"

#include "controllers/policy/accepted_policy.hpp"
#include "controllers/postgres/routing.hpp"
#include "controllers/s3/bucket_routing.hpp"
#include "link_rig.hpp"

namespace twinspan::controllers::testing {
namespace {

class Routes : public ::testing::Test {
 protected:
  Routes()
      : cluster(*rig.client, rig.clock, {}), caches(*rig.client, cluster, {}), writer(*rig.client, caches, rig.clock) {
    rig.stop_operator();
    cluster.start();
    caches.start();
    EXPECT_TRUE(rig.eventually([&] { return cluster.synced() && caches.synced(); }));
    const auto made =
        rig.client->create(kube::kFailoverPolicies, {{"apiVersion", "twinspan.dev/v1alpha1"},
                                                     {"kind", "FailoverPolicy"},
                                                     {"metadata", {{"name", "orders"}, {"namespace", "shop"}}},
                                                     {"spec", {{"linkRef", {{"name", "orders"}}}}}});
    EXPECT_TRUE(made);
    policy = api::parse_failover_policy(*made).value();
    policy.spec.services.emplace_back().name = "orders-rw";
  }
  ~Routes() override {
    caches.stop();
    cluster.stop();
  }

  Status write(const std::string& to, const char* added = nullptr) {
    api::PolicyService& service = policy.spec.services[0];
    service.template_.reset();
    if (added) service.template_ = api::parse_service_template(Json::parse(added)).value();
    return writer.write(policy, {render_primary_service(policy, service, to), to}, {});
  }
  Json now() const { return rig.get(kube::kServices, "orders-rw"); }
  std::string endpoint() const { return now()["spec"]["selector"]["twinspan.dev/endpoint"]; }
  std::string refused_words() const { return words_of(policy, writer.refused(policy)); }
  bool in_force() const { return has_template(*caches.service(rig.key("orders-rw")), policy.spec.services[0]); }

  LinkRig rig;
  Cluster cluster;
  FailoverCaches caches;
  RouteWriter writer;
  api::FailoverPolicy policy;
};

constexpr const char* kNodePort =
    R"({"type": "NodePort", "labels": {"team": "shop"}, "annotations": {"example.com/pool": "db"}})";

TEST_F(Routes, WhatATemplateAddsGoesWithItAndWhatOthersAddStays) {
  ASSERT_TRUE(write("east"));
  EXPECT_TRUE(in_force());
  ASSERT_TRUE(write("east", kNodePort));
  EXPECT_TRUE(in_force());
  EXPECT_EQ(now()["spec"]["type"], "NodePort");
  EXPECT_EQ(now()["metadata"]["labels"]["team"], "shop");
  kube::Config persons = rig.api->config();
  persons.user_agent = "kubectl-edit";
  ASSERT_TRUE(kube::Client(persons).merge_patch(
      kube::kServices, rig.key("orders-rw"),
      {{"metadata", {{"annotations", {{"example.com/id", "7"}}}, {"labels", {{"zone", "a"}}}}}}));
  ASSERT_TRUE(write("west", kNodePort));
  EXPECT_EQ(endpoint(), "west");
  EXPECT_EQ(now()["spec"]["type"], "NodePort");
  ASSERT_TRUE(write("west", R"({"labels": {"tier": "db"}})"));
  EXPECT_TRUE(in_force());
  EXPECT_EQ(now()["spec"]["type"], "ClusterIP");
  EXPECT_FALSE(now()["metadata"]["labels"].contains("team"));
  EXPECT_EQ(now()["metadata"]["labels"]["tier"], "db");
  ASSERT_TRUE(write("west"));
  EXPECT_TRUE(in_force());
  EXPECT_EQ(now()["metadata"]["annotations"], (Json{{"example.com/id", "7"}}));
  EXPECT_EQ(now()["metadata"]["labels"]["zone"], "a");
  EXPECT_FALSE(now()["metadata"]["labels"].contains("tier"));
}

TEST_F(Routes, ATemplateThatIsRefusedHoldsUpNoTurn) {
  ASSERT_TRUE(write("east"));
  const auto refuse_once = [&] {
    rig.api->inject(*sandbox::parse_fault(
        {{"match", {{"verb", "patch"}, {"resource", "services"}, {"times", 1}}}, {"do", {{"deny", true}}}}));
  };
  refuse_once();
  const Status refused = write("west", kNodePort);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDenied);
  EXPECT_EQ(endpoint(), "west");
  EXPECT_EQ(now()["spec"]["type"], "ClusterIP");
  EXPECT_FALSE(in_force()) << "it is tried again";
  EXPECT_TRUE(refused_words().starts_with("spec.services[0]: Service orders-rw was refused: ")) << refused_words();
  // Where it points already, nothing is written beside what is refused.
  const std::string version = now()["metadata"]["resourceVersion"];
  refuse_once();
  EXPECT_FALSE(write("west", kNodePort));
  EXPECT_EQ(now()["metadata"]["resourceVersion"], version);
  ASSERT_TRUE(write("west", kNodePort));
  EXPECT_TRUE(in_force());
  EXPECT_EQ(refused_words(), "");
}

TEST_F(Routes, ANameThatIsRefusedAsAWholeStillFollows) {
  api::PolicyService alias;
  alias.name = "alias";
  alias.external_names = {{"east", "east.example"}, {"west", "west.example"}};
  policy.spec.services.push_back(alias);
  const auto point = [&](const std::string& to) {
    return writer.write(policy, {render_bucket_service(policy, policy.spec.services.back(), to), to}, {});
  };
  ASSERT_TRUE(point("east"));
  ASSERT_TRUE(rig.eventually([&] { return caches.service(rig.key("alias")).has_value(); }));
  rig.api->inject(
      *sandbox::parse_fault({{"match", {{"verb", "patch"}, {"resource", "services"}, {"name", "alias"}, {"times", 1}}},
                             {"do", {{"deny", true}}}}));
  EXPECT_FALSE(point("west"));
  EXPECT_EQ(rig.get(kube::kServices, "alias")["spec"]["externalName"], "west.example");
}

// What is wanted as it is by now was given up: nothing is refused any more, whoever did not write it.
TEST_F(Routes, WhatIsNotWantedAnyMoreIsNotRefused) {
  ASSERT_TRUE(write("east"));
  rig.api->inject(*sandbox::parse_fault(
      {{"match", {{"verb", "patch"}, {"resource", "services"}, {"times", 1}}}, {"do", {{"deny", true}}}}));
  ASSERT_FALSE(write("east", kNodePort));
  const Route same{render_primary_service(policy, policy.spec.services[0], "east"), "east"};
  EXPECT_FALSE(writer.forget_all_but(policy, {same})) << "it is still tried";
  EXPECT_NE(refused_words(), "");
  EXPECT_TRUE(writer.forget_all_but(policy, {}));
  EXPECT_EQ(refused_words(), "");
  EXPECT_FALSE(writer.forget_all_but(policy, {}));
}

TEST_F(Routes, APersonsServiceKeepsItsTypeUnlessTheTemplateNamesAnother) {
  ASSERT_TRUE(rig.client->create(
      kube::kServices,
      {{"apiVersion", "v1"},
       {"kind", "Service"},
       {"metadata",
        {{"name", "orders-rw"},
         {"namespace", "shop"},
         {"labels", {{"twinspan.dev/link", "orders"}}},
         {"annotations", {{"twinspan.dev/hand-over", "orders"}}}}},
       {"spec", {{"type", "LoadBalancer"}, {"ports", Json::array({{{"name", "postgres"}, {"port", 5432}}})}}}}));
  ASSERT_TRUE(rig.eventually([&] { return caches.service(rig.key("orders-rw")).has_value(); }));
  ASSERT_TRUE(write("east", R"({"annotations": {"example.com/pool": "db"}})"));
  EXPECT_TRUE(in_force());
  EXPECT_EQ(now()["spec"]["type"], "LoadBalancer");
  EXPECT_EQ(now()["metadata"]["annotations"]["example.com/pool"], "db");
  ASSERT_TRUE(write("east", kNodePort));
  EXPECT_EQ(now()["spec"]["type"], "NodePort");
}

}  // namespace
}  // namespace twinspan::controllers::testing
