// The failover controller where what it looks after went away behind its back.
#include <gtest/gtest.h>

#include "api/accepted.hpp"
#include "controllers/policy/policy_reconciler.hpp"
#include "link_rig.hpp"

namespace twinspan::controllers::testing {
namespace {

Json policy() {
  return {{"apiVersion", "twinspan.dev/v1alpha1"},
          {"kind", "FailoverPolicy"},
          {"metadata", {{"name", "orders"}, {"namespace", "shop"}}},
          {"spec", {{"linkRef", {{"name", "orders"}}}}}};
}

class FailoverGone : public ::testing::Test {
 protected:
  FailoverGone()
      : cluster(*rig.client, rig.clock, {}),
        caches(*rig.client, cluster, {}),
        events(*rig.client, rig.clock, "twinspan-operator", "test"),
        reports({}, rig.clock),
        movers(make_primary_movers({*rig.client, rig.clock, cluster, caches, reports})),
        reconciler(*rig.client, rig.clock, cluster, caches, reports, events, movers) {}

  // From here on the caches learn of nothing any more, as where the definitions are deleted and lists answer 404.
  void stand_still() {
    cluster.start();
    caches.start();
    ASSERT_TRUE(rig.eventually([&] { return cluster.synced() && caches.synced(); }));
    cluster.stop();
    caches.stop();
    rig.stop_operator();
  }
  void expect_quiet() {
    const auto done = reconciler.reconcile(LinkRig::key("orders"), {});
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_FALSE(done->delay);
  }

  LinkRig rig;
  Cluster cluster;
  FailoverCaches caches;
  kube::EventRecorder events;
  WorkerReports reports;
  PrimaryMovers movers;
  PolicyReconciler reconciler;
};

TEST_F(FailoverGone, ALinkThatIsGoneIsNotTriedAgain) {
  rig.settle();
  ASSERT_TRUE(rig.client->create(kube::kFailoverPolicies, policy()));
  stand_still();
  ASSERT_TRUE(rig.client->remove(kube::kFailoverPolicies, rig.key("orders")));
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  expect_quiet();
}

TEST_F(FailoverGone, APolicyThatIsGoneAndNamedNoLinkIsNotTriedAgain) {
  ASSERT_TRUE(rig.client->create(kube::kFailoverPolicies, policy()));
  stand_still();
  ASSERT_TRUE(rig.client->remove(kube::kFailoverPolicies, rig.key("orders")));
  expect_quiet();
}

// What a newer version wrote may mean anything.
TEST_F(FailoverGone, NothingIsDecidedByAnAssignmentThatCannotBeRead) {
  rig.settle();
  ASSERT_TRUE(rig.client->merge_patch(kube::kReplicationLinks, rig.key("orders"),
                                      {{"status", {{"assignment", {{"cause", "Drained"}}}}}},
                                      kube::Subresource::kStatus));
  stand_still();
  const Json before = rig.get(kube::kReplicationLinks, "orders");
  const auto done = reconciler.reconcile(LinkRig::key("orders"), {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kInvalid);
  const auto holdup = cluster.holdups.find(LinkRig::key("orders"));
  ASSERT_TRUE(holdup);
  EXPECT_EQ(holdup->reason, "StatusUnreadable");
  EXPECT_TRUE(holdup->needs_person);
  EXPECT_EQ(rig.get(kube::kReplicationLinks, "orders"), before);
}

// Of an S3 link, whose one ConfigMap a quota refuses: said once, tried on and on, and made once it may be.
TEST_F(FailoverGone, APolicyOfWhichAllIsRefusedSaysSoOnceAndIsNotReady) {
  const auto place = [](const std::string& name) {
    return Json{{"name", name},
                {"s3",
                 {{"endpoint", "https://" + name + ".example"},
                  {"region", name},
                  {"bucket", "a-" + name},
                  {"credentialsSecretRef", {{"name", "spaces"}}}}}};
  };
  const Json spec = {{"engine", "S3"}, {"source", place("sgp")}, {"targets", Json::array({place("nyc")})}};
  const auto made =
      rig.client->create(kube::kReplicationLinks, {{"apiVersion", "twinspan.dev/v1alpha1"},
                                                   {"kind", "ReplicationLink"},
                                                   {"metadata", {{"name", "orders"}, {"namespace", "shop"}}},
                                                   {"spec", spec}});
  ASSERT_TRUE(made) << made.error().message;
  const auto parsed = api::parse_link_spec(member_of(*made, "spec"));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto accepted = rig.client->merge_patch(
      kube::kReplicationLinks, rig.key("orders"),
      {{"status",
        {{"accepted", api::to_json(api::accept(*parsed, 1))},
         {"assignment", {{"epoch", 1}, {"primary", "sgp"}, {"previous", ""}, {"cause", "Initial"}}}}}},
      kube::Subresource::kStatus);
  ASSERT_TRUE(accepted) << accepted.error().message;
  rig.stop_operator();
  Json wanted = policy();
  wanted["spec"]["configMaps"] = Json::array({{{"name", "where"}}});
  ASSERT_TRUE(rig.client->create(kube::kFailoverPolicies, wanted));
  rig.api->inject(*sandbox::parse_fault(
      {{"match", {{"verb", "create"}, {"resource", "configmaps"}, {"times", -1}}}, {"do", {{"deny", true}}}}));
  cluster.start();
  caches.start();
  ASSERT_TRUE(rig.eventually([&] { return cluster.synced() && caches.synced(); }));
  const auto look = [&] {
    (void)reconciler.reconcile(LinkRig::key("orders"), {});
    return rig.get(kube::kFailoverPolicies, "orders");
  };
  const auto reason = [](const Json& one, const std::string& type) {
    for (const Json& condition : member_of(member_of(one, "status"), "conditions"))
      if (condition["type"] == type) return text_of(condition, "status") + " " + text_of(condition, "reason");
    return std::string();
  };
  EXPECT_TRUE(rig.eventually([&] { return reason(look(), "Stalled") == "True ObjectRefused"; })) << look().dump(1);
  std::set<std::string> versions, ready;
  const auto hits = rig.api->fault_hits();
  for (int i = 0; i < 20; ++i) {
    const Json one = look();
    versions.insert(text_of(one["metadata"], "resourceVersion"));
    ready.insert(reason(one, "Ready"));
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  EXPECT_LE(versions.size(), 2u) << "the status does not come and go";
  for (const std::string& one : ready) EXPECT_TRUE(one.starts_with("False")) << one;
  EXPECT_GT(rig.api->fault_hits(), hits) << "it is tried on";
  rig.api->clear_faults();
  EXPECT_TRUE(rig.eventually([&] {
    (void)look();
    return rig.exists(kube::kConfigMaps, "where");
  }));
  EXPECT_TRUE(rig.eventually([&] { return reason(look(), "Stalled") != "True ObjectRefused"; }));
  cluster.stop();
  caches.stop();
}

}  // namespace
}  // namespace twinspan::controllers::testing
