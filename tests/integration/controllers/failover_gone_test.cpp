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

}  // namespace
}  // namespace twinspan::controllers::testing
