#include "controllers/kafka/kafka_plan.hpp"

#include <gtest/gtest.h>

#include "golden.hpp"
#include "kafka_world.hpp"

namespace twinspan::controllers::testing {
namespace {

Lines planned(const KafkaSeen& seen) { return lines(plan_kafka(seen, kafka_render_config())); }

TEST(KafkaRender, EverythingOfItsOwn) {
  const KafkaSeen seen = kafka_world();
  expect_golden("kafka_objects", Json::array({render_kafka_set(seen.link(), kafka_render_config()),
                                              render_kafka_role(seen.link()), render_set_budget(seen.link())}));
}

TEST(KafkaRender, SecretsAreFilesNeverArgumentsNorVariables) {
  const KafkaSeen seen = kafka_world();
  const Json set = render_kafka_set(seen.link(), kafka_render_config());
  const Json& pod = set["spec"]["template"]["spec"];
  EXPECT_EQ(pod["containers"][0]["args"].dump().find("east-user"), std::string::npos);
  EXPECT_EQ(pod["containers"][0]["env"].dump().find("secret"), std::string::npos);
  std::vector<std::string> files;
  for (const Json& source : pod["volumes"][2]["projected"]["sources"]) {
    EXPECT_EQ(source["secret"]["optional"], true);
    for (const Json& item : source["secret"]["items"])
      files.push_back(source["secret"]["name"].get<std::string>() + ": " + item["path"].get<std::string>());
  }
  EXPECT_EQ(files,
            (Lines{"west-ca: us-west/ca/ca.crt", "west-client: us-west/tls/tls.crt", "west-client: us-west/tls/tls.key",
                   "east-user: us-east/sasl/username", "east-user: us-east/sasl/password"}));
}

TEST(KafkaRender, ALinkWithoutSecretsMountsNone) {
  Json json = kafka_link_json();
  json["spec"]["source"]["kafka"].erase("tls");
  json["spec"]["targets"][0]["kafka"].erase("sasl");
  const Json set = render_kafka_set(*decode_link(json), kafka_render_config());
  EXPECT_EQ(set["spec"]["template"]["spec"]["volumes"].size(), 2u);
}

TEST(KafkaRender, TheRoleReadsItsOwnLinkAndPodAndNothingElse) {
  const Json role = render_kafka_role(kafka_world().link());
  ASSERT_EQ(role["rules"].size(), 2u) << role;
  EXPECT_EQ(role["rules"][0]["resourceNames"], Json::array({"orders"}));
  EXPECT_EQ(role["rules"][1]["resourceNames"], Json::array({"orders-kafka-0"}));
  EXPECT_EQ(role.dump().find("create"), std::string::npos);
}

TEST(KafkaRender, TheNetworkPolicyLetsItReachTheBrokersPorts) {
  NetworkRules rules;
  rules.operators = Json::array({{{"podSelector", Json::object()}}});
  const std::string egress = render_kafka_network_policy(kafka_world().link(), rules)["spec"]["egress"].dump();
  for (const char* port : {"9092", "9093", "9094", "6443"}) EXPECT_NE(egress.find(port), std::string::npos) << port;
}

TEST(KafkaPlan, NothingToDoWhereEverythingIsAsItShouldBe) {
  const LinkPlan plan = plan_kafka(kafka_world(), kafka_render_config());
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.waits_for, WaitFor::kNothing);
}

TEST(KafkaPlan, ANewLinkGetsCertificatesThenItsWorker) {
  KafkaSeen seen = kafka_world();
  seen.set = nullptr;
  seen.common.account = seen.common.role = seen.common.binding = seen.common.budget = nullptr;
  seen.common.ca = nullptr;
  seen.common.endpoints.front().pod = nullptr;
  seen.common.endpoints.front().tls = nullptr;
  EXPECT_EQ(planned(seen),
            (Lines{"Apply ServiceAccount orders-worker", "Apply Role orders-worker", "Apply RoleBinding orders-worker",
                   "Apply PodDisruptionBudget orders", "MakeAuthority"}));
  seen = kafka_world();
  seen.set = nullptr;
  seen.common.endpoints.front().tls = nullptr;
  EXPECT_EQ(planned(seen), (Lines{"IssueCertificates kafka", "Apply StatefulSet orders-kafka"}));
}

TEST(KafkaPlan, TheWorkerFollowsTheSpecAndTheImage) {
  for (const auto& [pointer, value] : {std::pair{"/spec/targets/0/kafka/sasl/secretRef/name", Json("other")},
                                       {"/spec/kafka/resources/requests/cpu", Json("1")},
                                       {"/spec/kafka/image", Json("mine:2")}}) {
    KafkaSeen seen = kafka_world();
    Json json = kafka_link_json();
    json[Json::json_pointer(pointer)] = value;
    seen.common.link = std::make_shared<CachedLink>(*decode_link(json));
    EXPECT_EQ(planned(seen), (Lines{"Apply StatefulSet orders-kafka"})) << pointer;
  }
  // What the worker reads for itself replaces no pod.
  KafkaSeen seen = kafka_world();
  Json json = kafka_link_json();
  json["spec"]["kafka"]["throttle"] = {{"bytesPerSecond", 5000}};
  json["spec"]["kafka"]["topics"]["include"].push_back("payments");
  seen.common.link = std::make_shared<CachedLink>(*decode_link(json));
  EXPECT_EQ(planned(seen), Lines{});
  RenderConfig newer = kafka_render_config();
  newer.s3_worker_image = "registry.example/twinspan-operator:1.1";
  newer.origin = "1.1";
  EXPECT_EQ(lines(plan_kafka(kafka_world(), newer)), (Lines{"Apply StatefulSet orders-kafka"}));
  EXPECT_TRUE(kafka_roll_state(kafka_world(), newer).old_left);
  KafkaSeen waiting = kafka_world();
  waiting.common.turn = {false, "others first", std::chrono::seconds(7)};
  const LinkPlan later = plan_kafka(waiting, newer);
  EXPECT_EQ(lines(later), Lines{});
  EXPECT_EQ(later.waits_for, WaitFor::kTurn);
}

TEST(KafkaPlan, APausedLinkIsLeftAloneAndADeletedOneToItsOwnerReferences) {
  Json json = kafka_link_json();
  json["spec"]["paused"] = true;
  KafkaSeen seen = kafka_world(json);
  seen.set = nullptr;
  EXPECT_EQ(planned(seen), Lines{});
  json = kafka_link_json();
  json["metadata"]["deletionTimestamp"] = "2026-11-21T09:59:00Z";
  EXPECT_EQ(planned(kafka_world(json)), Lines{});
}

TEST(KafkaPlan, AnotherLinksPodIsNeverTakenOver) {
  KafkaSeen seen = kafka_world();
  auto pod = std::make_shared<Pod>(*seen.worker().pod);
  pod->link = "or";
  pod->endpoint = "ders-kafka";
  seen.common.endpoints.front().pod = pod;
  seen.set = nullptr;
  seen.set_foreign_aside();
  const LinkPlan plan = plan_kafka(seen, kafka_render_config());
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.foreign, (std::vector<Foreign>{{"Pod", "orders-kafka-0"}}));
}

TEST(KafkaPlan, ThePodOfItsOwnStatefulSetIsItsOwn) {
  KafkaSeen seen = kafka_world();
  auto pod = std::make_shared<Pod>(*seen.worker().pod);
  pod->owner.clear();
  pod->controller = "StatefulSet/orders-kafka";
  seen.common.endpoints.front().pod = pod;
  seen.set_foreign_aside();
  EXPECT_TRUE(seen.worker().pod);
  EXPECT_EQ(planned(seen), Lines{});
}

TEST(KafkaPlan, ALinkWhosePlaceIsTakenHasNoWorkerAndSaysSo) {
  KafkaSeen seen = kafka_world();
  seen.place_taken = "another writes there";
  const LinkPlan plan = plan_kafka(seen, kafka_render_config());
  ASSERT_EQ(plan.steps.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Remove>(plan.steps.front().effect));
  EXPECT_TRUE(plan.next_check);
  seen.set = nullptr;
  EXPECT_EQ(planned(seen), Lines{}) << "and none begins";
}

}  // namespace
}  // namespace twinspan::controllers::testing
