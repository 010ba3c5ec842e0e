#include <gtest/gtest.h>

#include "link_rig.hpp"

namespace twinspan::controllers::testing {
namespace {

using Names = std::vector<std::string>;

TEST(LinkController, AnAppliedLinkGetsEverythingItNeedsAndBecomesReady) {
  LinkRig rig;
  rig.settle();
  EXPECT_EQ(rig.names(kube::kPods), (Names{"orders-east-0", "orders-west-0", "orders-west-2-0"}));
  EXPECT_EQ(rig.names(kube::kSecrets),
            (Names{"orders-ca", "orders-east-tls", "orders-owner", "orders-west-2-tls", "orders-west-tls"}));
  EXPECT_EQ(rig.names(kube::kPersistentVolumeClaims),
            (Names{"orders-east-data", "orders-west-2-data", "orders-west-data"}));
  for (const auto& [resource, name] : {std::pair{kube::kServiceAccounts, "orders-worker"},
                                       {kube::kRoles, "orders-worker"},
                                       {kube::kRoleBindings, "orders-worker"},
                                       {kube::kPodDisruptionBudgets, "orders"},
                                       {kube::kLeases, "orders-primary"}})
    EXPECT_TRUE(rig.exists(resource, name)) << resource.kind;
  const Json status = rig.get(kube::kReplicationLinks, "orders")["status"];
  EXPECT_EQ(status["primary"], "east");
  EXPECT_EQ(status["replicas"], "2/2");
  EXPECT_EQ(status["lag"], "0.0s");
  EXPECT_EQ(status["assignment"]["primary"], "east");  // another's field, untouched
  EXPECT_TRUE(rig.eventually([&] {
    return rig.get(kube::kPods, "orders-east-0")["metadata"]["labels"].value("twinspan.dev/role", "") == "Primary";
  }));
}

TEST(LinkController, ASettledLinkIsNeverWrittenAgainNotEvenByANewOperator) {
  LinkRig rig;
  rig.settle();
  ASSERT_TRUE(rig.eventually(
      [&] { return rig.get(kube::kPods, "orders-west-0")["metadata"]["labels"].contains("twinspan.dev/role"); }));
  rig.kubelet = false;
  rig.stop_operator();
  const auto before = rig.versions();
  rig.start_operator();
  // Two changes pass through the new operator; when the second has arrived, the first look at everything is long over.
  for (const char* note : {"1", "2"}) {
    ASSERT_TRUE(rig.eventually([&] { return rig.one->reports.latest(rig.key("orders"), "west-2").has_value(); }));
    ASSERT_TRUE(rig.one->reports.await_refresh(rig.key("orders"), std::chrono::seconds(10), {})) << note;
    ASSERT_TRUE(rig.one->reconciler.reconcile(rig.key("orders"), {}));
  }
  EXPECT_EQ(rig.versions(), before);
}

TEST(LinkController, WhatIsDeletedOrChangedByOthersIsPutRight) {
  LinkRig rig;
  rig.settle();
  ASSERT_TRUE(rig.client->remove(kube::kSecrets, rig.key("orders-west-tls")));
  ASSERT_TRUE(rig.client->remove(kube::kPods, rig.key("orders-west-0")));
  ASSERT_TRUE(rig.client->remove(kube::kPodDisruptionBudgets, rig.key("orders")));
  ASSERT_TRUE(rig.client->merge_patch(kube::kRoles, rig.key("orders-worker"), {{"rules", Json::array()}}));
  EXPECT_TRUE(rig.eventually([&] {
    return rig.exists(kube::kSecrets, "orders-west-tls") && rig.exists(kube::kPods, "orders-west-0") &&
           rig.exists(kube::kPodDisruptionBudgets, "orders") &&
           rig.get(kube::kRoles, "orders-worker")["rules"].size() == 2;
  }));
  EXPECT_TRUE(rig.eventually([&] { return rig.condition("Ready") == "True Replicating"; }));
}

TEST(LinkController, ADeletedLinkLeavesNothing) {
  LinkRig rig;
  rig.settle();
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  ASSERT_TRUE(rig.eventually([&] { return !rig.exists(kube::kReplicationLinks, "orders"); }));
  EXPECT_TRUE(rig.eventually([&] {
    return rig.names(kube::kPods).empty() && rig.names(kube::kSecrets).empty() &&
           rig.names(kube::kPersistentVolumeClaims).empty() && rig.names(kube::kRoles).empty() &&
           rig.names(kube::kRoleBindings).empty() && rig.names(kube::kLeases).empty() &&
           rig.names(kube::kPodDisruptionBudgets).empty() && !rig.exists(kube::kServiceAccounts, "orders-worker");
  }));
}

TEST(LinkController, ADeletedLinkKeepsItsVolumesWhereItSaysSo) {
  LinkRig rig;
  rig.settle();
  ASSERT_TRUE(rig.client->merge_patch(kube::kReplicationLinks, rig.key("orders"),
                                      {{"metadata", {{"annotations", {{std::string(kKeepDataAnnotation), "true"}}}}}}));
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  ASSERT_TRUE(rig.eventually(
      [&] { return !rig.exists(kube::kReplicationLinks, "orders") && rig.names(kube::kSecrets).empty(); }));
  EXPECT_EQ(rig.names(kube::kPersistentVolumeClaims).size(), 3u);
}

TEST(LinkController, APersonsOwnerSecretIsUsedAndNeverTouched) {
  LinkRig rig;
  const Json secret = {{"apiVersion", "v1"},
                       {"kind", "Secret"},
                       {"metadata", {{"name", "orders-owner"}, {"namespace", "shop"}}},
                       {"data", {{"password", "c2VjcmV0"}}}};
  ASSERT_TRUE(rig.client->create(kube::kSecrets, secret));
  const std::string version = rig.get(kube::kSecrets, "orders-owner")["metadata"]["resourceVersion"];
  rig.settle();
  EXPECT_EQ(rig.get(kube::kSecrets, "orders-owner")["metadata"]["resourceVersion"], version);
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  ASSERT_TRUE(rig.eventually([&] { return !rig.exists(kube::kReplicationLinks, "orders"); }));
  EXPECT_EQ(rig.get(kube::kSecrets, "orders-owner")["metadata"]["resourceVersion"], version);
}

TEST(LinkController, TargetsComeAndGo) {
  LinkRig rig;
  rig.settle();
  rig.apply(rig.link({"west", "west-2", "north"}));
  ASSERT_TRUE(rig.eventually([&] { return rig.exists(kube::kPods, "orders-north-0"); }));
  {
    std::lock_guard lock(rig.mutex);
    rig.slots.insert("north");
  }
  ASSERT_TRUE(
      rig.eventually([&] { return rig.get(kube::kReplicationLinks, "orders")["status"]["replicas"] == "3/3"; }));
  rig.apply(rig.link());
  ASSERT_TRUE(rig.eventually(
      [&] { return !rig.exists(kube::kPods, "orders-north-0") && !rig.exists(kube::kSecrets, "orders-north-tls"); }));
  EXPECT_TRUE(rig.exists(kube::kPersistentVolumeClaims, "orders-north-data"));  // its slot is still there
  {
    std::lock_guard lock(rig.mutex);
    rig.slots.erase("north");
  }
  EXPECT_TRUE(rig.eventually([&] { return !rig.exists(kube::kPersistentVolumeClaims, "orders-north-data"); }));
  EXPECT_TRUE(
      rig.eventually([&] { return rig.get(kube::kReplicationLinks, "orders")["status"]["endpoints"].size() == 3; }));
}

TEST(LinkController, ATemplateChangeRollsReplicasFirstThePrimaryLast) {
  LinkRig rig;
  rig.settle();
  const auto uid = [&](const std::string& endpoint) {
    const Json pod = rig.get(kube::kPods, "orders-" + endpoint + "-0");
    return pod.is_null() ? std::string() : pod["metadata"]["uid"].get<std::string>();
  };
  std::map<std::string, std::string> before;
  for (const char* endpoint : {"east", "west", "west-2"}) before[endpoint] = uid(endpoint);
  Json changed = rig.link();
  for (Json* endpoint : {&changed["spec"]["source"], &changed["spec"]["targets"][0], &changed["spec"]["targets"][1]})
    (*endpoint)["postgres"]["managed"]["resources"] = {{"requests", {{"cpu", "100m"}}}};
  rig.apply(changed);
  Names order;
  ASSERT_TRUE(rig.eventually([&] {
    for (const auto& [endpoint, old] : before)
      if (const std::string now = uid(endpoint);
          !now.empty() && now != old && std::find(order.begin(), order.end(), endpoint) == order.end())
        order.push_back(endpoint);
    return order.size() == 3 && rig.condition("Reconciling") == "False Settled";
  }));
  EXPECT_EQ(order, (Names{"west", "west-2", "east"}));
}

TEST(LinkController, APausedLinkMovesNothingButItsStatus) {
  LinkRig rig;
  rig.settle();
  rig.change({{"paused", true}});
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Paused") == "True PausedBySpec"; }));
  ASSERT_TRUE(rig.client->remove(kube::kPodDisruptionBudgets, rig.key("orders")));
  rig.make_primary("west", 2);
  ASSERT_TRUE(
      rig.eventually([&] { return rig.get(kube::kReplicationLinks, "orders")["status"]["primary"] == "west"; }));
  EXPECT_FALSE(rig.exists(kube::kPodDisruptionBudgets, "orders"));
  rig.change({{"paused", false}});
  EXPECT_TRUE(rig.eventually(
      [&] { return rig.exists(kube::kPodDisruptionBudgets, "orders") && rig.condition("Paused") == "absent"; }));
}

// Whatever the API answers on the way, and however often, the end is the same.
class LinkControllerFaults : public ::testing::TestWithParam<const char*> {};

TEST_P(LinkControllerFaults, EndInTheDeclaredState) {
  LinkRig rig;
  const auto rule = sandbox::parse_fault(Json::parse(GetParam()));
  ASSERT_TRUE(rule) << rule.error().message;
  rig.api->inject(*rule);
  rig.settle();
  EXPECT_GT(rig.api->fault_hits(), 0u);
  rig.api->clear_faults();
  EXPECT_EQ(rig.names(kube::kSecrets).size(), 5u);
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  EXPECT_TRUE(
      rig.eventually([&] { return !rig.exists(kube::kReplicationLinks, "orders") && rig.names(kube::kPods).empty(); }));
}

INSTANTIATE_TEST_SUITE_P(
    Each, LinkControllerFaults,
    ::testing::Values(
        R"({"match": {"verb": "create", "resource": "secrets", "times": 3}, "do": {"status": 500}})",
        R"({"match": {"verb": "create", "resource": "pods", "times": 2}, "do": {"status": 429, "retryAfterSeconds": 1}})",
        R"({"match": {"verb": "create", "resource": "pods", "times": 2}, "do": {"writeThenFail": true}})",
        R"({"match": {"verb": "create", "resource": "secrets", "times": 2}, "do": {"writeThenFail": true}})",
        R"({"match": {"verb": "patch", "resource": "replicationlinks", "times": 3, "userAgent": "twinspan", "after": 1}, "do": {"status": 409}})",
        R"({"match": {"verb": "watch", "resource": "pods", "times": 3}, "do": {"cutWatch": true}})",
        R"({"match": {"verb": "watch", "resource": "secrets", "times": 3}, "do": {"reorder": true}})",
        R"({"match": {"verb": "create", "resource": "leases", "times": 2}, "do": {"status": 503}})"));

TEST(LinkController, AnApiServerAwayForAWhileLosesNothing) {
  LinkRig rig;
  rig.settle();
  rig.api->close_listener();
  ASSERT_TRUE(rig.api->open_listener());
  ASSERT_TRUE(rig.eventually([&] { return rig.client->remove(kube::kPods, rig.key("orders-west-0")).has_value(); }));
  EXPECT_TRUE(rig.eventually(
      [&] { return rig.exists(kube::kPods, "orders-west-0") && rig.condition("Ready") == "True Replicating"; },
      std::chrono::seconds(60)));
}

TEST(LinkController, AnotherObjectsNameIsNeverTakenOver) {
  LinkRig rig;
  Json pod = {{"apiVersion", "v1"},
              {"kind", "Pod"},
              {"metadata", {{"name", "orders-west-0"}, {"namespace", "shop"}}},
              {"spec", {{"containers", {{{"name", "c"}, {"image", "theirs"}}}}}}};
  ASSERT_TRUE(rig.client->create(kube::kPods, pod));
  rig.apply(rig.link());
  ASSERT_TRUE(rig.eventually([&] {
    bool told = false;
    EXPECT_TRUE(rig.client->list(kube::kCoreEvents, "shop", {},
                                 [&](Json&& event) { told = told || event.value("reason", "") == "Refused"; }));
    return told;
  }));
  EXPECT_EQ(rig.get(kube::kPods, "orders-west-0")["spec"]["containers"][0]["image"], "theirs");
}

}  // namespace
}  // namespace twinspan::controllers::testing
