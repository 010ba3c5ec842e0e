#include "controllers/kafka/kafka_status.hpp"

#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "controllers/link/link_status.hpp"
#include "kafka_world.hpp"

namespace twinspan::controllers::testing {
namespace {

api::LinkStatus status_of(const KafkaSeen& seen) {
  return next_kafka_status(seen, plan_kafka(seen, kafka_render_config()));
}

// "True Replicating"
std::string condition(const api::LinkStatus& status, const char* type) {
  const api::Condition* found = api::find_condition(status.conditions, type);
  return found ? std::string(to_string(found->status)) + " " + found->reason : "";
}
std::string message(const api::LinkStatus& status, const char* type) {
  const api::Condition* found = api::find_condition(status.conditions, type);
  return found ? found->message : "";
}

void be_silent(KafkaSeen& seen) {
  MemberView& view = seen.common.endpoints.front().member;
  view.failures = 9;
  view.age = std::chrono::seconds(30);
  view.error = "connection refused";
}

// As it was written before.
void remember(KafkaSeen& seen, const api::LinkStatus& status) {
  auto link = std::make_shared<CachedLink>(seen.link());
  link->status = status;
  seen.common.link = link;
}

Json gap(const char* topic, int partition) {
  return {{"topic", topic},
          {"partition", partition},
          {"state", "Gap"},
          {"offset", 17},
          {"message", "records were deleted"}};
}

TEST(KafkaStatus, ShowsWhatTheWorkerSays) {
  const api::LinkStatus status = status_of(kafka_world());
  EXPECT_EQ(condition(status, "Ready"), "True Replicating");
  EXPECT_EQ(condition(status, "Reconciling"), "False Settled");
  EXPECT_EQ(condition(status, "Stalled"), "False NotStalled");
  EXPECT_EQ(condition(status, "LagWithinThreshold"), "True LagWithinThreshold");
  EXPECT_EQ(condition(status, "PartitionsHalted"), "False NoneHalted");
  EXPECT_EQ(status.primary, "us-west");
  EXPECT_EQ(status.replicas, "1/1");
  EXPECT_EQ(status.lag, "0.4s");
  ASSERT_EQ(status.endpoints.size(), 2u);
  EXPECT_EQ(status.endpoints[0].role, "Primary");
  EXPECT_EQ(status.endpoints[1].role, "Replica");
  EXPECT_EQ(status.endpoints[1].upstream, "us-west");
  EXPECT_EQ(status.endpoints[1].lag_records, 12);
  EXPECT_EQ(status.endpoints[1].pod, "orders-kafka-0");
  EXPECT_EQ(status.kafka->partitions, 6);
}

TEST(KafkaStatus, LagIsJudgedBy60SecondsWhereTheSpecSaysNothingAndByRecordsWhereItSaysSo) {
  for (const auto& [lag, records, threshold, expected] :
       {std::tuple{59.0, Json(12), Json::object(), "True LagWithinThreshold"},
        {61.0, Json(12), Json::object(), "False LagOverThreshold"},
        {61.0, Json(12), Json{{"seconds", 90}}, "True LagWithinThreshold"},
        {1.0, Json(12), Json{{"records", 11}}, "False LagOverThreshold"},
        {1.0, Json(12), Json{{"records", 12}}, "True LagWithinThreshold"},
        {1.0, Json(), Json{{"records", 12}}, "Unknown LagNotMeasured"}}) {
    Json json = kafka_link_json();
    json["spec"]["lagThreshold"] = threshold;
    KafkaSeen seen = kafka_world(json);
    kafka_details(seen)["endpoints"][1]["lagSeconds"] = lag;
    kafka_details(seen)["endpoints"][1]["lagRecords"] = records;
    EXPECT_EQ(condition(status_of(seen), "LagWithinThreshold"), expected) << lag << threshold;
  }
  KafkaSeen seen = kafka_world();
  kafka_details(seen)["endpoints"][1].erase("lagSeconds");
  EXPECT_EQ(condition(status_of(seen), "LagWithinThreshold"), "Unknown LagNotMeasured");
  EXPECT_EQ(status_of(seen).lag, std::nullopt);
}

TEST(KafkaStatus, AHaltedPartitionIsNamedAndTheLinkIsNotReady) {
  KafkaSeen seen = kafka_world();
  kafka_details(seen)["kafka"]["partitionsByState"] = {{"Following", 5}, {"Gap", 1}};
  kafka_details(seen)["kafka"]["troubled"] = {gap("orders", 4)};
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "PartitionsHalted"), "True PartitionsHalted");
  EXPECT_EQ(message(status, "PartitionsHalted"),
            "1 partition or topic is not carried on: orders/4: Gap at offset 17, records were deleted");
  EXPECT_EQ(condition(status, "Ready"), "False PartitionsHalted");
  EXPECT_EQ(condition(status, "Stalled"), "True PartitionsHalted");
  EXPECT_EQ(condition(status, "Reconciling"), "False Stalled");
  EXPECT_EQ(urgency_of(status_of(kafka_world()), status), Urgency::kNow);
}

TEST(KafkaStatus, MoreThanTheSampleAreCounted) {
  KafkaSeen seen = kafka_world();
  Json troubled = Json::array();
  for (int i = 0; i < 25; ++i) troubled.push_back(gap(std::string(300, 'x').c_str(), i));
  troubled[0]["message"] = std::string(5000, 'y');
  kafka_details(seen)["kafka"]["troubled"] = troubled;
  kafka_details(seen)["kafka"]["partitionsByState"] = {{"Gap", 25}};
  const api::LinkStatus status = status_of(seen);
  ASSERT_TRUE(status.kafka);
  EXPECT_EQ(status.kafka->troubled.size(), 20u);
  EXPECT_EQ(status.kafka->troubled[0].message, std::string(999, 'y') + "…");
  EXPECT_TRUE(message(status, "Ready").starts_with("25 partitions or topics are not carried on"));
  EXPECT_TRUE(message(status, "Ready").ends_with("; and 22 more"));
  // A worker that counts and names none.
  kafka_details(seen)["kafka"].erase("troubled");
  EXPECT_EQ(message(status_of(seen), "Ready"), "25 partitions or topics are not carried on: 25 Gap");
}

TEST(KafkaStatus, APartitionWithoutALeaderPassesByItself) {
  KafkaSeen seen = kafka_world();
  kafka_details(seen)["kafka"]["troubled"] = {
      {{"topic", "orders"}, {"partition", 1}, {"state", "Waiting"}, {"message", "it has no leader at the moment"}}};
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "PartitionsHalted"), "False NoneHalted");
  EXPECT_EQ(condition(status, "Stalled"), "False NotStalled");
  EXPECT_EQ(condition(status, "Ready"), "False Synchronizing");
  EXPECT_NE(message(status, "Ready").find("orders/1"), std::string::npos);
}

TEST(KafkaStatus, AFirstPassIsNotReadyAndOneThatWasReadyMayBeBehind) {
  KafkaSeen seen = kafka_world();
  kafka_details(seen)["endpoints"][1]["state"] = "CatchingUp";
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False Synchronizing");
  EXPECT_EQ(status_of(seen).replicas, "0/1");
  remember(seen, status_of(kafka_world()));
  EXPECT_EQ(condition(status_of(seen), "Ready"), "True Replicating");
  EXPECT_EQ(status_of(seen).replicas, "1/1");
}

TEST(KafkaStatus, ALinkIsNotReadyWhereEitherSideDoesNotAnswer) {
  for (const int side : {0, 1}) {
    KafkaSeen seen = kafka_world();
    kafka_details(seen)["endpoints"][side]["state"] = "Disconnected";
    kafka_details(seen)["endpoints"][side]["message"] = "connection refused";
    EXPECT_EQ(condition(status_of(seen), "Ready"), "False EndpointUnreachable");
    EXPECT_NE(message(status_of(seen), "Ready").find("connection refused"), std::string::npos);
  }
}

TEST(KafkaStatus, AWorkerOfAnEarlierSpecIsNotReady) {
  KafkaSeen seen = kafka_world();
  kafka_report(seen).generation = 2;
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False Synchronizing");
  EXPECT_NE(message(status_of(seen), "Ready").find("generation 2"), std::string::npos);
  seen = kafka_world();
  auto set = std::make_shared<StatefulSet>(*seen.set);
  set->updated_replicas = 0;
  seen.set = set;
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False RollingOut") << "what answers is the pod of before";
}

TEST(KafkaStatus, AWorkerThatCanNotGoOnStallsTheLinkInItsOwnWords) {
  KafkaSeen seen = kafka_world();
  kafka_details(seen)["stalled"] = {{"reason", "SameCluster"}, {"message", "both sides are cluster w"}};
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "Ready"), "False SameCluster");
  EXPECT_EQ(condition(status, "Stalled"), "True SameCluster");
  EXPECT_EQ(message(status, "Stalled"), "both sides are cluster w");
  kafka_details(seen)["stalled"]["reason"] = "no word at all";  // a condition's reason must be one
  EXPECT_EQ(condition(status_of(seen), "Stalled"), "True WorkerStalled");
}

TEST(KafkaStatus, ASilentWorkerIsUnknownAndWhatItDidStays) {
  KafkaSeen seen = kafka_world();
  remember(seen, status_of(seen));
  be_silent(seen);
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "Ready"), "Unknown WorkerNotHeard");
  EXPECT_NE(message(status, "Ready").find("connection refused"), std::string::npos);
  EXPECT_EQ(condition(status, "PartitionsHalted"), "Unknown WorkerNotHeard");
  EXPECT_EQ(condition(status, "LagWithinThreshold"), "Unknown LagNotMeasured");
  EXPECT_EQ(status.endpoints[1].state, "Unknown");
  EXPECT_EQ(status.endpoints[1].lag_seconds, std::nullopt);
  EXPECT_EQ(status.kafka->records, 5000);
  seen.common.endpoints.front().member.report.reset();
  seen.common.endpoints.front().pod = nullptr;
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False Starting");
}

TEST(KafkaStatus, AnOperatorThatHasOnlyJustBegunLetsStandWhatWasSaid) {
  KafkaSeen seen = kafka_world();
  const api::LinkStatus before = status_of(seen);
  remember(seen, before);
  seen.common.endpoints.front().member = {};
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kNone);
}

TEST(KafkaStatus, OfAWorkerThatKnowsNothingYetNothingIsClaimed) {
  KafkaSeen seen = kafka_world();
  kafka_details(seen) = Json::object();
  kafka_report(seen).message = "connects to us-west";
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "Ready"), "False Starting");
  EXPECT_EQ(message(status, "Ready"), "connects to us-west");
  EXPECT_EQ(condition(status, "PartitionsHalted"), "Unknown Starting");
  EXPECT_EQ(status.endpoints[1].state, "Unknown");
}

TEST(KafkaStatus, CountersThatOnlyMoveAreWrittenLazily) {
  KafkaSeen seen = kafka_world();
  const api::LinkStatus before = status_of(seen);
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kNone);
  kafka_details(seen)["endpoints"][1]["lagRecords"] = 13;
  kafka_details(seen)["kafka"]["records"] = 5001;
  kafka_details(seen)["kafka"]["recordsPerSecond"] = 1.5;
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kLazy);
}

TEST(KafkaStatus, WhatIsNoMoreIsTakenOutOfTheStatus) {
  KafkaSeen seen = kafka_world();
  kafka_details(seen)["kafka"]["partitionsByState"] = {{"Following", 5}, {"Gap", 1}};
  remember(seen, status_of(seen));
  const Json patch = status_patch(seen.link(), status_of(kafka_world()));
  const Json& states = patch["status"]["kafka"]["partitionsByState"];
  EXPECT_EQ(states, (Json{{"Following", 6}, {"Gap", nullptr}}));
}

TEST(KafkaStatus, APausedLinkSaysSo) {
  Json json = kafka_link_json();
  json["spec"]["paused"] = true;
  const api::LinkStatus status = status_of(kafka_world(json));
  EXPECT_EQ(condition(status, "Ready"), "False Paused");
  EXPECT_EQ(condition(status, "Paused"), "True PausedBySpec");
}

TEST(KafkaStatus, ASpecThatMayNotBeIsSaid) {
  Json json = kafka_link_json();
  json["spec"]["kafka"]["topics"]["include"] = {"["};
  const api::LinkStatus status = next_kafka_status(kafka_world(json), {});
  EXPECT_EQ(condition(status, "Stalled"), "True InvalidSpec");
  EXPECT_NE(message(status, "Ready").find("spec.kafka.topics.include[0]"), std::string::npos);
}

}  // namespace
}  // namespace twinspan::controllers::testing
