#include <gtest/gtest.h>

#include "link_rig.hpp"
#include "tests/places.hpp"

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

// Else what a later rendering leaves out would stay: an apply removes what its manager applied, not what it created.
TEST(LinkController, WhatIsCreatedBelongsToWhoeverAppliesItLater) {
  LinkRig rig;
  rig.settle();
  for (const auto& [resource, name] : {std::pair{kube::kServiceAccounts, "orders-worker"},
                                       {kube::kRoles, "orders-worker"},
                                       {kube::kRoleBindings, "orders-worker"},
                                       {kube::kPodDisruptionBudgets, "orders"}}) {
    const Json owners = rig.get(resource, name)["metadata"]["managedFields"];
    ASSERT_FALSE(owners.empty()) << resource.kind;
    for (const Json& owner : owners) {
      EXPECT_EQ(owner["manager"], "twinspan") << resource.kind;
      EXPECT_EQ(owner["operation"], "Apply") << resource.kind;
    }
  }
}

TEST(LinkController, ASettledLinkIsNeverWrittenAgainNotEvenByANewOperator) {
  LinkRig rig;
  rig.settle();
  // Its last steps are of no interest to the status: every pod's label.
  ASSERT_TRUE(rig.eventually([&] {
    for (const char* pod : {"orders-east-0", "orders-west-0", "orders-west-2-0"})
      if (!rig.get(kube::kPods, pod)["metadata"]["labels"].contains("twinspan.dev/role")) return false;
    return true;
  }));
  rig.kubelet = false;
  rig.stop_operator();
  const auto before = rig.versions();
  rig.start_operator();
  // Two changes pass through the new operator; when the second has arrived, the first look at everything is long over.
  for (const char* note : {"1", "2"}) {
    ASSERT_TRUE(rig.eventually([&] { return rig.one->reports.latest(rig.key("orders"), "west-2").has_value(); }));
    ASSERT_TRUE(rig.one->reports.await_refresh(rig.key("orders"), std::chrono::seconds(60), {})) << note;
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

bool left_with(LinkRig& rig, const Names& secrets, const Names& claims) {
  return rig.eventually([&] {
    return !rig.exists(kube::kReplicationLinks, "orders") && rig.names(kube::kPods).empty() &&
           rig.names(kube::kRoles).empty() && rig.names(kube::kRoleBindings).empty() &&
           rig.names(kube::kLeases).empty() && rig.names(kube::kPodDisruptionBudgets).empty() &&
           !rig.exists(kube::kServiceAccounts, "orders-worker") && rig.names(kube::kSecrets) == secrets &&
           rig.names(kube::kPersistentVolumeClaims) == claims;
  });
}
const Names kAllClaims{"orders-east-data", "orders-west-2-data", "orders-west-data"};

TEST(LinkController, ADeletedLinkLeavesItsDataAndNothingElse) {
  LinkRig rig;
  rig.settle();
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  EXPECT_TRUE(left_with(rig, {"orders-owner"}, kAllClaims));
}

TEST(LinkController, ADeletedLinkLeavesNothingWhereItSaysSo) {
  LinkRig rig;
  rig.settle();
  rig.change({{"deletionPolicy", "Delete"}});
  ASSERT_TRUE(rig.eventually([&] {
    return rig.get(kube::kPersistentVolumeClaims, "orders-west-data")["metadata"].contains("ownerReferences") &&
           rig.get(kube::kSecrets, "orders-owner")["metadata"].contains("ownerReferences");
  }));
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  EXPECT_TRUE(left_with(rig, {}, {}));
}

// helm uninstall first, then the link, then the namespace: nobody has to be there for it.
TEST(LinkController, ALinkIsDeletedWithoutAnOperatorAndItsNamespaceToo) {
  LinkRig rig;
  rig.settle();
  rig.stop_operator();
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  EXPECT_TRUE(left_with(rig, {"orders-owner"}, kAllClaims));
  ASSERT_TRUE(rig.client->remove(kube::kNamespaces, {"", "shop"}));
  EXPECT_TRUE(rig.eventually([&] { return !rig.client->get(kube::kNamespaces, {"", "shop"}); }));
}

// Or the definitions first, under an operator that looks on; and they may come back.
TEST(LinkController, ALinkGoesWithItsDefinitionAndAnotherIsMadeOnceThatIsBack) {
  LinkRig rig;
  rig.settle();
  for (const char* kind : {"backups", "backupschedules", "failoverpolicies", "replicationlinks", "restores"})
    ASSERT_TRUE(rig.client->remove(kube::kCustomResourceDefinitions, {"", kind + std::string(".twinspan.dev")}));
  EXPECT_TRUE(left_with(rig, {"orders-owner"}, kAllClaims));
  const Status back = rig.api->install_crds(test::in_source("/crds"));
  ASSERT_TRUE(back) << back.error().message;
  rig.settle();
}

TEST(LinkController, ANamespaceEndsWhileTheOperatorLooksOn) {
  LinkRig rig;
  rig.settle();
  ASSERT_TRUE(rig.client->remove(kube::kNamespaces, {"", "shop"}));
  EXPECT_TRUE(rig.eventually([&] { return !rig.client->get(kube::kNamespaces, {"", "shop"}); }));
}

TEST(LinkController, AnAppliedAgainLinkFindsItsVolumesAndItsPassword) {
  LinkRig rig;
  rig.settle();
  const Json password = rig.get(kube::kSecrets, "orders-owner")["data"]["password"];
  const auto uid = [&](const char* claim) {
    return rig.get(kube::kPersistentVolumeClaims, claim)["metadata"]["uid"].get<std::string>();
  };
  const std::string before = uid("orders-west-data");
  const std::string first_link = rig.get(kube::kReplicationLinks, "orders")["metadata"]["uid"];
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  rig.settle();  // at once, while the first one's objects are still being collected
  ASSERT_TRUE(rig.eventually([&] { return rig.names(kube::kPods).size() == 3; }));
  EXPECT_EQ(rig.get(kube::kSecrets, "orders-owner")["data"]["password"], password);
  EXPECT_EQ(uid("orders-west-data"), before);
  // For whom they were made is what tells that there may be data in them.
  EXPECT_EQ(rig.get(kube::kPersistentVolumeClaims, "orders-west-data")["metadata"]["annotations"].value(
                std::string(kLinkUidAnnotation), ""),
            first_link);
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

// It is a person's still, but what it lacks is written into it.
TEST(LinkController, AHandedOverOwnerSecretGetsWhatClientsConnectWith) {
  LinkRig rig;
  const Json secret = {{"apiVersion", "v1"},
                       {"kind", "Secret"},
                       {"metadata",
                        {{"name", "orders-owner"},
                         {"namespace", "shop"},
                         {"annotations", {{std::string(kHandOverAnnotation), "orders"}}}}},
                       {"data", {{"username", "bWU="}, {"password", "c2VjcmV0"}, {"port", "MQ=="}}}};
  ASSERT_TRUE(rig.client->create(kube::kSecrets, secret));
  rig.settle();
  ASSERT_TRUE(rig.eventually([&] { return rig.get(kube::kSecrets, "orders-owner")["data"].contains("ca.crt"); }));
  const Json there = rig.get(kube::kSecrets, "orders-owner");
  EXPECT_EQ(there["data"]["dbname"], "YXBw");
  EXPECT_EQ(there["data"]["port"], "MQ==") << "a key of a person's";
  EXPECT_EQ(there["data"]["username"], "bWU=");
  EXPECT_EQ(there["metadata"]["annotations"][std::string(kConnectionAnnotation)], "ca.crt,dbname");
  EXPECT_FALSE(there["metadata"].contains("ownerReferences"));
  EXPECT_FALSE(there["metadata"]["labels"].contains(std::string(kManagedByLabel)));
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  ASSERT_TRUE(rig.eventually([&] { return !rig.exists(kube::kReplicationLinks, "orders"); }));
  EXPECT_TRUE(rig.exists(kube::kSecrets, "orders-owner"));
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
  EXPECT_TRUE(rig.exists(kube::kPersistentVolumeClaims, "orders-north-data"));  // deletionPolicy is Retain
  rig.change({{"deletionPolicy", "Delete"}});
  ASSERT_TRUE(rig.eventually([&] {
    return rig.get(kube::kPersistentVolumeClaims, "orders-west-data")["metadata"].contains("ownerReferences");
  }));
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
    // Read from the last to the first: whose turn came before was there then, however slow this look is.
    std::map<std::string, std::string> now;
    for (const char* endpoint : {"east", "west-2", "west"}) now[endpoint] = uid(endpoint);
    for (const char* endpoint : {"west", "west-2", "east"})
      if (!now[endpoint].empty() && now[endpoint] != before[endpoint] &&
          std::find(order.begin(), order.end(), endpoint) == order.end())
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
  EXPECT_TRUE(rig.eventually([&] { return rig.names(kube::kSecrets).size() == 5; }))
      << Json(rig.names(kube::kSecrets)).dump();
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
  // Its port may be that of an outgoing connection for a moment.
  ASSERT_TRUE(rig.eventually([&] { return rig.api->open_listener().has_value(); }));
  ASSERT_TRUE(rig.eventually([&] { return rig.client->remove(kube::kPods, rig.key("orders-west-0")).has_value(); }));
  EXPECT_TRUE(rig.eventually(
      [&] { return rig.exists(kube::kPods, "orders-west-0") && rig.condition("Ready") == "True Replicating"; },
      std::chrono::seconds(60)));
}

// One of each kind that a link makes, made by somebody else beforehand. A pod is looked for once its claim is there:
// those two are of different endpoints.
std::vector<std::pair<kube::Resource, Json>> others_objects() {
  const auto object = [](const char* version, const char* kind, const char* name, Json rest = Json::object()) {
    rest["apiVersion"] = version;
    rest["kind"] = kind;
    rest["metadata"] = {{"name", name}, {"namespace", "shop"}, {"labels", {{"app", "legacy"}}}};
    return rest;
  };
  return {
      {kube::kPods,
       object("v1", "Pod", "orders-west-2-0", {{"spec", {{"containers", {{{"name", "c"}, {"image", "theirs"}}}}}}})},
      {kube::kSecrets, object("v1", "Secret", "orders-west-tls")},
      {kube::kPersistentVolumeClaims,
       object("v1", "PersistentVolumeClaim", "orders-west-data",
              {{"spec", {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}})},
      {kube::kPodDisruptionBudgets,
       object("policy/v1", "PodDisruptionBudget", "orders", {{"spec", {{"minAvailable", 1}}}})},
  };
}

TEST(LinkController, OthersObjectsOfAnyKindAreLeftAloneNamedAndLeftBehind) {
  LinkRig rig;
  for (const auto& [resource, object] : others_objects()) ASSERT_TRUE(rig.client->create(resource, object));
  std::map<std::string, Json> before;
  for (const auto& [resource, object] : others_objects()) {
    const std::string name = object["metadata"]["name"];
    before[std::string(resource.kind)] = rig.get(resource, name);
  }
  rig.kubelet = false;
  rig.apply(rig.link());
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Stalled") == "True ForeignObject"; }));
  // Everything else is made: what fails is not the end of the plan.
  ASSERT_TRUE(rig.eventually([&] { return rig.exists(kube::kPods, "orders-east-0"); }));
  ASSERT_TRUE(rig.eventually([&] {
    const std::string said = rig.get(kube::kReplicationLinks, "orders")["status"]["conditions"].dump();
    for (const auto& [resource, object] : others_objects())
      if (said.find(std::string(resource.kind) + " " + object["metadata"]["name"].get<std::string>()) ==
          std::string::npos)
        return false;
    return true;
  }));
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  ASSERT_TRUE(rig.eventually(
      [&] { return !rig.exists(kube::kPods, "orders-east-0") && !rig.exists(kube::kRoles, "orders-worker"); }));
  for (const auto& [resource, object] : others_objects()) {
    const std::string name = object["metadata"]["name"];
    EXPECT_EQ(rig.get(resource, name), before[std::string(resource.kind)]) << resource.kind;
  }
}

TEST(LinkController, WhatAPersonHandsOverIsUsedAndStaysTheirs) {
  LinkRig rig;
  for (const auto& [resource, object] : others_objects()) {
    Json theirs = object;
    theirs["metadata"]["annotations"] = {{std::string(kHandOverAnnotation), "orders"}};
    theirs["metadata"]["labels"][std::string(kManagedByLabel)] = "Helm";
    if (resource.kind != kube::kPods.kind) {
      ASSERT_TRUE(rig.client->create(resource, theirs));
    }
  }
  rig.settle();
  EXPECT_EQ(rig.condition("Stalled"), "False NotStalled");
  const Json budget = rig.get(kube::kPodDisruptionBudgets, "orders");
  EXPECT_EQ(budget["spec"]["minAvailable"], 2);
  EXPECT_EQ(budget["metadata"]["labels"][std::string(kManagedByLabel)], "Helm");
  EXPECT_TRUE(rig.get(kube::kSecrets, "orders-west-tls")["data"].contains("tls.crt"));
  ASSERT_TRUE(rig.client->remove(kube::kReplicationLinks, rig.key("orders")));
  ASSERT_TRUE(rig.eventually([&] { return rig.names(kube::kPods).empty() && rig.names(kube::kRoles).empty(); }));
  for (const auto& [resource, object] : others_objects()) {
    const std::string name = object["metadata"]["name"];
    EXPECT_EQ(rig.exists(resource, name), resource.kind != kube::kPods.kind) << resource.kind;
  }
}

// Between the look at the caches and the write: they don't know of it yet, the API server does.
TEST(LinkController, AnObjectThatComesIntoBeingWhileItIsWrittenIsNotTakenOver) {
  LinkRig rig;
  rig.settle();
  ASSERT_TRUE(rig.client->remove(kube::kPodDisruptionBudgets, rig.key("orders")));
  (void)rig.client->create(kube::kPodDisruptionBudgets, others_objects()[3].second);
  // Whoever came first has it; if it was the person, it stays as it is.
  rig.eventually([&] { return rig.exists(kube::kPodDisruptionBudgets, "orders"); });
  const Json there = rig.get(kube::kPodDisruptionBudgets, "orders");
  if (there["metadata"]["labels"].contains("app")) {
    EXPECT_FALSE(there["metadata"].contains("ownerReferences"));
    EXPECT_TRUE(rig.eventually([&] { return rig.condition("Ready") == "False ForeignObject"; }));
    EXPECT_EQ(rig.get(kube::kPodDisruptionBudgets, "orders"), there);
    ASSERT_TRUE(rig.client->remove(kube::kPodDisruptionBudgets, rig.key("orders")));
  }
  EXPECT_TRUE(rig.eventually([&] { return rig.condition("Ready") == "True Replicating"; }));
}

// By a quota, a policy of the namespace, a PriorityClass that does not exist: only the cluster knows.
TEST(LinkController, PodsThatAreRefusedAreToldWithTheirPlacesAndMadeOnceTheyMayBe) {
  LinkRig rig;
  rig.api->inject(*sandbox::parse_fault(
      {{"match", {{"verb", "create"}, {"resource", "pods"}, {"times", -1}}}, {"do", {{"deny", true}}}}));
  rig.apply(LinkRig::link());
  const auto told = [&](const std::string& words) {
    return rig.get(kube::kReplicationLinks, "orders")["status"]["conditions"].dump().find(words) != std::string::npos;
  };
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Stalled") == "True ObjectRefused"; }));
  EXPECT_TRUE(rig.eventually([&] { return told("spec.source.postgres.managed: Pod orders-east-0 was refused: "); }));
  EXPECT_TRUE(told("spec.targets[1].postgres.managed: Pod orders-west-2-0 was refused: "))
      << "one that is refused keeps no other from being tried";
  rig.api->clear_faults();
  ASSERT_TRUE(rig.eventually([&] { return rig.exists(kube::kPods, "orders-west-2-0"); }));
  rig.make_primary("east", 1);
  EXPECT_TRUE(rig.eventually(
      [&] { return rig.condition("Ready") == "True Replicating" && rig.condition("Stalled") == "False NotStalled"; }));
}

// Nobody hurries to mend a quota, or a rule against an annotation, while the databases run: a pod that ends meanwhile
// is made again all the same.
TEST(LinkController, WhatIsRefusedKeepsNoPodFromBeingMadeAgain) {
  const auto with_target = [](LinkRig& rig) {
    rig.change({{"targets", rig.link({"west", "west-2", "west-3"})["spec"]["targets"]}});
  };
  struct Refusal {
    kube::Resource resource;
    std::function<void(LinkRig&)> cause;  // that the operator writes it
    std::string object;
  };
  const std::vector<Refusal> all = {
      {kube::kServiceAccounts,
       [](LinkRig& rig) {
         rig.change({{"postgres", {{"serviceAccount", {{"annotations", {{"cloud.example/role", "x"}}}}}}}});
       },
       "ServiceAccount orders-worker"},
      {kube::kPodDisruptionBudgets,
       [](LinkRig& rig) { EXPECT_TRUE(rig.client->remove(kube::kPodDisruptionBudgets, rig.key("orders"))); },
       "PodDisruptionBudget orders"},
      {kube::kPersistentVolumeClaims,  // its owner follows
       [](LinkRig& rig) {
         rig.change({{"deletionPolicy", "Delete"}});
       },
       "PersistentVolumeClaim orders-east-data"},
      {kube::kConfigMaps,
       [](LinkRig& rig) {
         for (const std::string& map : rig.names(kube::kConfigMaps))
           EXPECT_TRUE(rig.client->remove(kube::kConfigMaps, rig.key(map)));
       },
       "ConfigMap orders-ca"},
      {kube::kPersistentVolumeClaims, with_target, "PersistentVolumeClaim orders-west-3-data"},
      {kube::kSecrets, with_target, "Secret orders-west-3-tls"}};
  for (const auto& [resource, cause, object] : all) {
    SCOPED_TRACE(object);
    LinkRig rig;
    rig.settle();
    for (const char* verb : {"create", "patch"})
      rig.api->inject(*sandbox::parse_fault(
          {{"match",
            {{"verb", verb}, {"resource", resource.plural}, {"userAgent", "twinspan-operator"}, {"times", -1}}},
           {"do", {{"deny", true}}}}));
    cause(rig);
    EXPECT_TRUE(rig.eventually([&] {
      return rig.condition("Stalled") == "True ObjectRefused" && rig.condition("Ready").starts_with("False") &&
             rig.get(kube::kReplicationLinks, "orders")["status"]["conditions"].dump().find(object + " was refused") !=
                 std::string::npos;
    })) << rig.get(kube::kReplicationLinks, "orders")["status"]["conditions"].dump(1);
    const Json before = rig.get(kube::kPods, "orders-west-0")["metadata"]["uid"];
    ASSERT_TRUE(rig.client->remove(kube::kPods, rig.key("orders-west-0")));
    EXPECT_TRUE(rig.eventually([&] {
      const Json pod = rig.get(kube::kPods, "orders-west-0");
      return !pod.is_null() && pod["metadata"]["uid"] != before;
    }));
    rig.api->clear_faults();
    EXPECT_TRUE(rig.eventually([&] { return rig.condition("Stalled") == "False NotStalled"; }));
  }
}

// What a new pod would need may be just that.
TEST(LinkController, WhatRunsIsNotReplacedWhileAnObjectIsRefused) {
  LinkRig rig;
  rig.settle();
  const auto uids = [&] {
    std::vector<std::string> out;
    for (const char* pod : {"orders-east-0", "orders-west-0", "orders-west-2-0"})
      out.push_back(text_of(member_of(rig.get(kube::kPods, pod), "metadata"), "uid"));
    return out;
  };
  const auto before = uids();
  rig.api->inject(*sandbox::parse_fault(
      {{"match",
        {{"verb", "patch"}, {"resource", "serviceaccounts"}, {"userAgent", "twinspan-operator"}, {"times", -1}}},
       {"do", {{"deny", true}}}}));
  rig.change({{"postgres",
               {{"serviceAccount", {{"annotations", {{"cloud.example/role", "x"}}}}},
                {"managed", {{"podTemplate", {{"labels", {{"team", "shop"}}}}}}}}}});
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Stalled") == "True ObjectRefused"; }));
  EXPECT_FALSE(rig.eventually([&] { return uids() != before; }, std::chrono::seconds(3)));
  rig.api->clear_faults();
  EXPECT_TRUE(rig.eventually([&] {
    const auto now = uids();
    for (size_t i = 0; i < now.size(); ++i)
      if (now[i].empty() || now[i] == before[i]) return false;
    return rig.condition("Stalled") == "False NotStalled";
  }));
}

TEST(LinkController, ANamedOwnerSecretIsAwaitedHoweverLateItsWriterComes) {
  LinkRig rig;
  Json link = rig.link();
  link["spec"]["postgres"] = {{"ownerSecretRef", {{"name", "shop-db"}}}};
  rig.apply(link);
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Stalled") == "True OwnerSecretMissing"; }));
  EXPECT_FALSE(rig.exists(kube::kSecrets, "shop-db"));
  EXPECT_TRUE(rig.names(kube::kPods).empty());
  Json secret = {{"apiVersion", "v1"},
                 {"kind", "Secret"},
                 {"metadata", {{"name", "shop-db"}, {"namespace", "shop"}}},
                 {"data", {{"username", "YXBw"}}}};
  ASSERT_TRUE(rig.client->create(kube::kSecrets, secret));
  ASSERT_TRUE(rig.eventually([&] {
    return rig.get(kube::kReplicationLinks, "orders")["status"]["conditions"].dump().find(
               "lacks username or "
               "password") != std::string::npos;
  }));
  ASSERT_TRUE(rig.client->merge_patch(kube::kSecrets, rig.key("shop-db"), {{"data", {{"password", "cHcx"}}}}));
  ASSERT_TRUE(rig.eventually([&] { return rig.exists(kube::kPods, "orders-west-2-0"); }));
  const std::string version = rig.get(kube::kSecrets, "shop-db")["metadata"]["resourceVersion"];
  rig.make_primary("east", 1);
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Ready") == "True Replicating"; }));
  EXPECT_EQ(rig.get(kube::kSecrets, "shop-db")["metadata"]["resourceVersion"], version);
}

}  // namespace
}  // namespace twinspan::controllers::testing
