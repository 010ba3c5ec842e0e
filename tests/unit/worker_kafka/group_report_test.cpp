// Consumer groups in what the worker says of itself.
#include <gtest/gtest.h>

#include "unit/worker_kafka/given.hpp"
#include "worker/kafka/worker_report.hpp"

namespace twinspan::worker_kafka {
namespace {

struct Given {
  api::ReplicationLink link = given::link();
  ReportInput input;

  Given() {
    input.link = &link;
    link.spec.kafka.groups = api::KafkaGroups{{".*"}, {}, 1};
    GroupLook& look = input.groups.emplace();
    look.looked_at = BootTime(std::chrono::seconds(100));
    look.synced = 7;
    look.active = 2;
    look.failed = 1;
    look.waiting = 3;
    look.not_carried = 1;
    look.oldest_seconds = 4.25;
  }
  void trouble(const std::string& group, GroupState state, const std::string& message = "so it is") {
    input.groups->troubled.push_back({group, state, message});
  }
  Json details() const { return worker_report(input).details; }
  std::string metrics() const { return metrics_text("streams", "west-east", input); }
};

std::vector<std::string> states_of(const Json& groups) {
  std::vector<std::string> states;
  for (const Json& one : groups["troubled"]) states.push_back(one["state"]);
  return states;
}

TEST(KafkaGroupReport, HowManyStandWhereTheyShould_KF6) {
  const Json details = Given().details();
  const auto kafka = api::parse_kafka_status(details["kafka"]);
  ASSERT_TRUE(kafka) << kafka.error().message;
  ASSERT_TRUE(kafka->groups);
  EXPECT_EQ(kafka->groups->synced, 7);
  EXPECT_EQ(kafka->groups->active, 2);
  EXPECT_EQ(kafka->groups->failed, 1);
  EXPECT_EQ(kafka->groups->oldest_seconds, 4.3);
  EXPECT_TRUE(kafka->groups->troubled.empty());
  EXPECT_EQ(details["groups"]["waiting"], 3);
  EXPECT_EQ(details["groups"]["notCarried"], 1);
}

TEST(KafkaGroupReport, ThoseThatWaitForAPersonComeFirstAndAllAreThere_KF6) {
  Given given;
  for (int i = 0; i < 30; ++i) given.trouble("a" + std::to_string(i), GroupState::kActive);
  given.trouble("n", GroupState::kNotCarried);
  given.trouble("m", GroupState::kMoved);
  given.trouble("b", GroupState::kBehind);
  given.trouble("r", GroupState::kRefused, std::string(5000, 'x'));
  const Json groups = given.details()["kafka"]["groups"];
  const auto states = states_of(groups);
  ASSERT_EQ(states.size(), 34u);
  EXPECT_EQ((std::vector<std::string>(states.begin(), states.begin() + 5)),
            (std::vector<std::string>{"Refused", "Behind", "Moved", "NotCarried", "Active"}));
  EXPECT_EQ(groups["troubled"][4]["group"], "a0") << "otherwise as they were found";
  EXPECT_LE(groups["troubled"][0]["message"].get<std::string>().size(), 1000u);
}

TEST(KafkaGroupReport, NothingIsClaimedBeforeAllWereLookedAt_KF6) {
  Given given;
  given.input.groups->looked_at.reset();
  given.input.groups->trouble = "the coordinator is loading";
  EXPECT_FALSE(given.details()["kafka"].contains("groups"));
  EXPECT_EQ(given.details()["groups"]["trouble"], "the coordinator is loading");
  EXPECT_EQ(given.metrics().find("twinspan_kafka_group"), std::string::npos);

  Given paused;
  paused.link.spec.paused = true;
  EXPECT_FALSE(paused.details()["kafka"].contains("groups"));

  Given without;
  without.input.groups.reset();
  EXPECT_FALSE(without.details()["kafka"].contains("groups"));
  EXPECT_FALSE(without.details().contains("groups"));
  EXPECT_EQ(without.metrics().find("twinspan_kafka_group"), std::string::npos);
}

TEST(KafkaGroupMetrics, AreCountsByStateAndTheAgeOfTheOldest_KF6) {
  Given given;
  std::string text = given.metrics();
  const std::string labels = R"({namespace="streams",link="west-east")";
  for (const std::string& line : {"twinspan_kafka_groups" + labels + R"(,state="synced"} 7)",
                                  "twinspan_kafka_groups" + labels + R"(,state="active"} 2)",
                                  "twinspan_kafka_groups" + labels + R"(,state="failed"} 1)",
                                  "twinspan_kafka_groups" + labels + R"(,state="waiting"} 3)",
                                  "twinspan_kafka_groups" + labels + R"(,state="not_carried"} 1)",
                                  "twinspan_kafka_group_sync_age_seconds" + labels + "} 4.25"})
    EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << "\n" << text;
  given.input.groups->oldest_seconds.reset();
  text = given.metrics();
  EXPECT_EQ(text.find("twinspan_kafka_group_sync_age_seconds"), std::string::npos);
  EXPECT_NE(text.find("twinspan_kafka_groups"), std::string::npos);
}

}  // namespace
}  // namespace twinspan::worker_kafka
