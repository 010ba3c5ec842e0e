#include "worker/kafka/worker_report.hpp"

#include <gtest/gtest.h>

#include "unit/worker_kafka/given.hpp"

namespace twinspan::worker_kafka {
namespace {

using namespace std::chrono_literals;
using kafka_engine::Halt;

struct Given {
  api::ReplicationLink link = given::link();
  ReportInput input;

  Given() {
    input.link = &link;
    input.generation = 3;
    input.instance = "i1";
    auto order = std::make_shared<LaneOrder>();
    order->spec = *carry_spec_of(link);
    for (int32_t index = 0; index < 3; ++index) {
      order->partitions[{"orders", index}] = "orders";
      input.carrier.lane.partitions[{"orders", index}] = {
          .committed = {100, 0}, .records = 100, .batches = 10, .bytes = 900};
      input.lags[{"orders", index}] = {.time = 0ns, .records = 0, .caught_up = true};
    }
    input.carrier.order = order;
    input.carrier.running = input.carrier.lane.following = true;
    input.source_heard = input.topics.source_answers = true;
    input.topics.prepared.emplace();
    input.topics.prepared->source_cluster = "one";
    input.topics.prepared->target_cluster = "two";
  }
  void halt(int32_t index, Halt::Reason reason) {
    input.carrier.lane.partitions[{"orders", index}].halt = Halt{reason, 100, "so it is"};
  }
  Json details() const { return worker_report(input).details; }
  Json source() const { return details()["endpoints"][0]; }
  Json target() const { return details()["endpoints"][1]; }
  std::map<std::string, int> states() const { return details()["kafka"]["partitionsByState"]; }
};

TEST(KafkaReport, ALinkThatFollows_OPS1) {
  Given given;
  given.input.rates = Rates{12.34, 99.6};
  const MemberReport report = worker_report(given.input);
  EXPECT_EQ(report.endpoint, "kafka");
  EXPECT_EQ(report.state, MemberState::kRunning);
  EXPECT_EQ(report.generation, 3);
  EXPECT_TRUE(is_ready(report));
  EXPECT_FALSE(report.details.contains("stalled"));
  const auto kafka = api::parse_kafka_status(report.details["kafka"]);
  ASSERT_TRUE(kafka) << kafka.error().message;
  EXPECT_EQ(kafka->topics, 1);
  EXPECT_EQ(kafka->partitions, 3);
  EXPECT_EQ(kafka->partitions_by_state, (std::map<std::string, int64_t>{{"Following", 3}}));
  EXPECT_EQ(kafka->records, 300);
  EXPECT_EQ(kafka->bytes, 2700);
  EXPECT_EQ(kafka->records_per_second, 12.3);
  EXPECT_EQ(kafka->source_cluster_id, "one");
  EXPECT_EQ(given.source()["state"], "Running");
  EXPECT_EQ(given.source()["role"], "Primary");
  EXPECT_EQ(given.target()["state"], "Streaming");
  EXPECT_EQ(given.target()["lagSeconds"], 0.0);
  EXPECT_EQ(given.target()["lagRecords"], 0);
  for (const Json& row : report.details["endpoints"]) EXPECT_TRUE(api::parse_endpoint_status(row));
}

TEST(KafkaReport, LagIsTheLongestAndTheSumAndAbsentWhileNotMeasured_KF10) {
  Given given;
  given.input.lags[{"orders", 1}] = {.time = 61400ms, .records = 7, .caught_up = true};
  given.input.lags[{"orders", 2}] = {.time = 3s, .records = 2, .caught_up = true};
  EXPECT_EQ(given.target()["lagSeconds"], 61.0);
  EXPECT_EQ(given.target()["lagRecords"], 9);
  EXPECT_EQ(given.target()["state"], "CatchingUp");
  EXPECT_EQ(given.states(), (std::map<std::string, int>{{"CatchingUp", 1}, {"Following", 2}}));
  given.input.source_heard = false;  // what is known to be missing is missing all the same
  EXPECT_EQ(given.target()["lagRecords"], 9);
  given.input.lags[{"orders", 1}] = given.input.lags[{"orders", 2}] = {.time = 0ns, .records = 0, .caught_up = true};
  EXPECT_FALSE(given.target().contains("lagRecords"));
  EXPECT_FALSE(given.target().contains("lagSeconds"));
  given.input.source_heard = true;
  given.input.lags.erase({"orders", 2});
  EXPECT_FALSE(given.target().contains("lagRecords")) << "one is not measured";
}

TEST(KafkaReport, EachHaltIsToldWithItsPlaceAndWhatToDoNext) {
  for (const auto reason : {Halt::Reason::kGap, Halt::Reason::kTruncated, Halt::Reason::kRecreated,
                            Halt::Reason::kTooLarge, Halt::Reason::kOldFormat, Halt::Reason::kCorrupt,
                            Halt::Reason::kRefused, Halt::Reason::kExisting, Halt::Reason::kTargetLost}) {
    Given given;
    given.halt(1, reason);
    const std::string word(to_string(reason));
    EXPECT_EQ(given.states(), (std::map<std::string, int>{{word, 1}, {"Following", 2}}));
    const Json row = given.details()["kafka"]["troubled"][0];
    EXPECT_EQ(row["topic"], "orders");
    EXPECT_EQ(row["partition"], 1);
    EXPECT_EQ(row["state"], word);
    EXPECT_EQ(row["offset"], 100);
    const auto message = row["message"].get<std::string>();
    EXPECT_TRUE(message.starts_with("so it is; ") && message.size() > 25) << message;
    EXPECT_NE(given.target()["message"].get<std::string>().find("1 partitions stand still"), std::string::npos);
  }
}

TEST(KafkaReport, TheLinksStatusHasTwentyAndTheWorkersAll) {
  Given given;
  for (int i = 0; i < 30; ++i)
    given.input.topics.prepared->troubled.push_back({"t" + std::to_string(i), "Refused", std::string(5000, 'x')});
  const Json details = given.details();
  EXPECT_EQ(details["kafka"]["troubled"].size(), 20u);
  EXPECT_EQ(details["troubled"].size(), 30u);
  EXPECT_LE(details["troubled"][0]["message"].get<std::string>().size(), 1000u);
  EXPECT_FALSE(details["troubled"][0].contains("partition"));
  EXPECT_TRUE(api::parse_kafka_status(details["kafka"]));
}

TEST(KafkaReport, AnEndpointIsDisconnectedAfterItsMaxRetries) {
  for (const int failures : {0, 1, 2, 3, 9})
    for (const bool at_source : {true, false}) {
      Given given;
      (at_source ? given.input.topics.source : given.input.topics.target) = {failures, "no route"};
      const Json row = at_source ? given.source() : given.target();
      EXPECT_EQ(row["state"] == "Disconnected", failures >= 3) << row;
      EXPECT_EQ(row.value("message", "").find("no route") != std::string::npos, failures >= 3) << row;
    }
  Given given;
  given.input.carrier.target.failures = 4;
  given.input.carrier.target.last_error = "reset";
  EXPECT_NE(given.target()["message"].get<std::string>().find("reset"), std::string::npos);
}

TEST(KafkaReport, WhatStandsInTheWayOfAllIsToldAndNotReady) {
  Given given;
  given.input.carrier = {};
  given.input.stall = kafka_engine::Stall{"SameCluster", "one and the same"};
  MemberReport report = worker_report(given.input);
  EXPECT_EQ(report.state, MemberState::kFailed);
  EXPECT_EQ(report.details["stalled"]["reason"], "SameCluster");
  EXPECT_FALSE(is_ready(report));
  given.input.stall.reset();
  given.input.source_wrong = "Secret a does not exist, or has no key ca.crt";
  report = worker_report(given.input);
  EXPECT_EQ(report.state, MemberState::kStarting);
  EXPECT_EQ(report.message, given.input.source_wrong);
  EXPECT_EQ(given.source()["state"], "Disconnected");
  EXPECT_FALSE(is_ready(report));
  given.link.spec.paused = true;
  report = worker_report(given.input);
  EXPECT_EQ(report.state, MemberState::kStopped);
  EXPECT_EQ(given.target()["state"], "Stopped");
  EXPECT_TRUE(is_ready(report));
}

TEST(KafkaReport, ALaneThatBeginsIsStartingAndSaysWhatItWaitsFor) {
  Given given;
  given.input.carrier.lane.following = false;
  given.input.carrier.lane.last_doubt = "target: no leader of orders/1";
  EXPECT_EQ(given.states(), (std::map<std::string, int>{{"Starting", 3}}));
  EXPECT_EQ(given.target()["state"], "Starting");
  EXPECT_EQ(given.target()["message"], "target: no leader of orders/1");
  EXPECT_FALSE(is_ready(worker_report(given.input)));
}

TEST(KafkaMetrics, NamesAreThoseOfTheIssue_OPS1) {
  Given given;
  given.halt(2, Halt::Reason::kGap);
  given.input.lags[{"orders", 1}] = {.time = 1500ms, .records = 7, .caught_up = true};
  given.input.lags.erase({"orders", 0});
  given.input.carrier.lane.commits = 5;
  const std::string text = metrics_text("streams", "west-east", given.input);
  const std::string labels = R"({namespace="streams",link="west-east",)";
  for (const std::string& line :
       {"twinspan_replication_lag_ms" + labels + R"(topic="orders",partition="1"} 1500)",
        "twinspan_replication_lag_records" + labels + R"(topic="orders",partition="1"} 7)",
        "twinspan_replication_messages_total" + labels + R"(topic="orders",partition="0"} 100)",
        "twinspan_replication_bytes_total" + labels + R"(topic="orders",partition="0"} 900)",
        "twinspan_kafka_partitions" + labels + R"(state="Gap"} 1)",
        "twinspan_kafka_transactions_total" + labels + R"(outcome="committed"} 5)"})
    EXPECT_NE(text.find(line + "\n"), std::string::npos) << line << "\n" << text;
  EXPECT_EQ(text.find("twinspan_replication_lag_ms" + labels + R"(topic="orders",partition="0")"), std::string::npos);
}

TEST(KafkaReport, WhatTheRulesDidIsCounted_KF3) {
  Given given;
  given.input.carrier.lane.partitions[{"orders", 0}].encoded_records = 40;
  given.input.carrier.lane.partitions[{"orders", 0}].filtered = 9;
  Json kafka = given.details()["kafka"];
  EXPECT_EQ(kafka["passedPercent"], 86);
  EXPECT_FALSE(kafka.contains("filteredRecords")) << "there is no filter";
  auto order = std::make_shared<LaneOrder>(*given.input.carrier.order);
  order->spec.settings.filter.emplace();
  given.input.carrier.order = order;
  kafka = given.details()["kafka"];
  EXPECT_EQ(kafka["filteredRecords"], 9);
  const std::string text = metrics_text("streams", "west-east", given.input);
  EXPECT_NE(text.find(R"(twinspan_kafka_records_total{namespace="streams",link="west-east",route="encoded"} 40)"),
            std::string::npos);
  EXPECT_NE(text.find(R"(twinspan_kafka_filtered_records_total{namespace="streams",link="west-east"} 9)"),
            std::string::npos);
}

TEST(KafkaReport, CountersGoOnWhereALaneBeganAnew) {
  kafka_engine::LaneStatus former, lane;
  former.partitions[{"t", 0}].records = 5;
  former.partitions[{"gone", 0}].records = 7;
  former.commits = 2;
  lane.partitions[{"t", 0}].records = 1;
  lane.commits = 1;
  add_former(former, lane);
  EXPECT_EQ((lane.partitions[{"t", 0}].records), 6);
  EXPECT_EQ((lane.partitions[{"gone", 0}].records), 7);
  EXPECT_EQ(lane.commits, 3);
}

}  // namespace
}  // namespace twinspan::worker_kafka
