// A Kafka link against the embedded API, with a pod that this test makes in its StatefulSet's name and a worker that
// says what it wants.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "link_rig.hpp"

namespace twinspan::controllers::testing {
namespace {

Json kafka_link(const std::string& name, const std::string& from) {
  const auto side = [](const std::string& cluster) {
    return Json{{"name", cluster}, {"kafka", {{"brokers", {cluster + ".example:9092"}}}}};
  };
  return {{"apiVersion", "twinspan.dev/v1alpha1"},
          {"kind", "ReplicationLink"},
          {"metadata", {{"name", name}, {"namespace", "shop"}}},
          {"spec",
           {{"engine", "Kafka"},
            {"source", side(from)},
            {"targets", Json::array({side("us-east")})},
            {"kafka", {{"topics", {{"include", {"orders.*"}}}}}}}}};
}

MemberReport following() {
  MemberReport report;
  report.endpoint = kKafkaMember;
  report.instance = "i1";
  report.state = MemberState::kRunning;
  report.details = Json::parse(R"({
    "endpoints": [{"name": "us-west", "role": "Primary", "state": "Running"},
                  {"name": "us-east", "role": "Replica", "state": "Streaming", "lagSeconds": 0, "lagRecords": 0}],
    "kafka": {"topics": 1, "partitions": 3, "partitionsByState": {"Following": 3}}})");
  return report;
}

// As the StatefulSet controller would.
void make_the_pod(LinkRig& rig) {
  const Json set = rig.get(kube::kStatefulSets, "orders-kafka");
  const Json& wanted = set["spec"]["template"];
  Json pod = {{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", wanted["metadata"]}, {"spec", wanted["spec"]}};
  pod["metadata"]["name"] = "orders-kafka-0";
  pod["metadata"]["namespace"] = "shop";
  pod["metadata"]["ownerReferences"] = Json::array({{{"apiVersion", "apps/v1"},
                                                     {"kind", "StatefulSet"},
                                                     {"name", "orders-kafka"},
                                                     {"uid", set["metadata"]["uid"]},
                                                     {"controller", true}}});
  const auto made = rig.client->create(kube::kPods, pod);
  ASSERT_TRUE(made) << made.error().message;
  const Json status = {{"observedGeneration", set["metadata"].value("generation", 1)},
                       {"replicas", 1},
                       {"readyReplicas", 1},
                       {"updatedReplicas", 1}};
  const auto observed = rig.client->merge_patch(kube::kStatefulSets, LinkRig::key("orders-kafka"), {{"status", status}},
                                                kube::Subresource::kStatus);
  ASSERT_TRUE(observed) << observed.error().message;
}

TEST(KafkaLink, IsReadyByItsWorkersWordAndNamesWhatIsHalted) {
  LinkRig rig;
  rig.say(kKafkaMember, following());
  rig.apply(kafka_link("orders", "us-west"));
  ASSERT_TRUE(rig.eventually([&] { return rig.exists(kube::kStatefulSets, "orders-kafka"); }))
      << rig.get(kube::kReplicationLinks, "orders").dump(1);
  for (const auto& [resource, name] : {std::pair{kube::kServiceAccounts, "orders-worker"},
                                       {kube::kRoles, "orders-worker"},
                                       {kube::kRoleBindings, "orders-worker"},
                                       {kube::kPodDisruptionBudgets, "orders"},
                                       {kube::kSecrets, "orders-kafka-tls"}})
    EXPECT_TRUE(rig.eventually([&] { return rig.exists(resource, name); })) << resource.kind << " " << name;
  EXPECT_EQ(rig.names(kube::kLeases), (std::vector<std::string>{}));
  make_the_pod(rig);
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Ready") == "True Replicating"; }))
      << rig.get(kube::kReplicationLinks, "orders").dump(1);
  const Json status = rig.get(kube::kReplicationLinks, "orders")["status"];
  EXPECT_EQ(status["primary"], "us-west");
  EXPECT_EQ(status["kafka"]["partitions"], 3);
  EXPECT_EQ(status["endpoints"][1]["pod"], "orders-kafka-0");

  MemberReport halted = following();
  halted.details["kafka"]["partitionsByState"] = {{"Following", 2}, {"Gap", 1}};
  halted.details["kafka"]["troubled"] = {
      {{"topic", "orders"}, {"partition", 2}, {"state", "Gap"}, {"offset", 5}, {"message", "records were deleted"}}};
  rig.say(kKafkaMember, halted);
  ASSERT_TRUE(rig.eventually([&] {
    return rig.condition("PartitionsHalted") == "True PartitionsHalted" &&
           rig.condition("Ready") == "False PartitionsHalted" && rig.condition("Stalled") == "True PartitionsHalted";
  })) << rig.get(kube::kReplicationLinks, "orders").dump(1);
  rig.say(kKafkaMember, following());
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("Ready") == "True Replicating"; }));
  EXPECT_FALSE(rig.get(kube::kReplicationLinks, "orders")["status"]["kafka"]["partitionsByState"].contains("Gap"));

  rig.say(kKafkaMember, std::nullopt);
  // The rig asks so often that it has told of twenty silences long before the report is too old: others bring the link
  // up.
  int looks = 0;
  ASSERT_TRUE(rig.eventually([&] {
    const Json annotations = {{"looks", std::to_string(++looks)}};
    (void)rig.client->merge_patch(kube::kReplicationLinks, LinkRig::key("orders"),
                                  {{"metadata", {{"annotations", annotations}}}});
    return rig.condition("Ready") == "Unknown WorkerNotHeard";
  })) << rig.get(kube::kReplicationLinks, "orders").dump(1);
  EXPECT_EQ(rig.condition("PartitionsHalted"), "Unknown WorkerNotHeard");
}

TEST(KafkaLink, GroupsAreToldAndTakenBackWithTheSpec_KF6) {
  LinkRig rig;
  MemberReport report = following();
  Json troubled = Json::array();
  for (int i = 0; i < 25; ++i)
    troubled.push_back({{"group", "billing-" + std::to_string(i)}, {"state", "Moved"}, {"message", "it is at 5"}});
  report.details["kafka"]["groups"] = {{"synced", 3}, {"active", 25}, {"failed", 0}, {"troubled", troubled}};
  rig.say(kKafkaMember, report);
  Json link = kafka_link("orders", "us-west");
  link["spec"]["kafka"]["groups"] = {{"include", {"billing.*"}}, {"exclude", {".*-test"}}};
  rig.apply(link);
  ASSERT_TRUE(rig.eventually([&] { return rig.exists(kube::kStatefulSets, "orders-kafka"); }));
  make_the_pod(rig);
  ASSERT_TRUE(rig.eventually([&] {
    return rig.condition("GroupsInSync") == "False GroupsMoved" && rig.condition("Ready") == "True Replicating";
  })) << rig.get(kube::kReplicationLinks, "orders").dump(1);
  const Json groups = rig.get(kube::kReplicationLinks, "orders")["status"]["kafka"]["groups"];
  EXPECT_EQ(groups["synced"], 3);
  EXPECT_EQ(groups["troubled"].size(), 20u);

  const auto patched = rig.client->merge_patch(kube::kReplicationLinks, LinkRig::key("orders"),
                                               {{"spec", {{"kafka", {{"groups", nullptr}}}}}});
  ASSERT_TRUE(patched) << patched.error().message;
  ASSERT_TRUE(rig.eventually([&] { return rig.condition("GroupsInSync") == "absent"; }))
      << rig.get(kube::kReplicationLinks, "orders").dump(1);
  EXPECT_FALSE(rig.get(kube::kReplicationLinks, "orders")["status"]["kafka"].contains("groups"));
}

TEST(KafkaLink, ASecondOneThatWritesTheSameTopicsHasNoWorkerAndSaysWhose) {
  LinkRig rig;
  rig.apply(kafka_link("orders", "us-west"));
  ASSERT_TRUE(rig.eventually([&] { return rig.exists(kube::kStatefulSets, "orders-kafka"); }));
  rig.apply(kafka_link("z-second", "eu"));
  const auto stalled = [&] {
    const Json link = rig.get(kube::kReplicationLinks, "z-second");
    for (const Json& one : link.value("/status/conditions"_json_pointer, Json::array()))
      if (one["type"] == "Stalled" && one["status"] == "True") return one["message"].get<std::string>();
    return std::string();
  };
  ASSERT_TRUE(rig.eventually([&] { return stalled().find("shop/orders") != std::string::npos; }))
      << rig.get(kube::kReplicationLinks, "z-second").dump(1);
  EXPECT_FALSE(rig.exists(kube::kStatefulSets, "z-second-kafka"));
  EXPECT_TRUE(rig.exists(kube::kStatefulSets, "orders-kafka"));
}

}  // namespace
}  // namespace twinspan::controllers::testing
