#include "engines/kafka/topics.hpp"

#include <gtest/gtest.h>

namespace twinspan::kafka_engine {
namespace {

using kafka::ErrorCode;

TopicChoice choice(std::vector<std::string> include, std::vector<std::string> exclude = {}) {
  auto parsed = TopicChoice::parse(include, exclude);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(TopicChoice());
}

TEST(TopicChoice, NamesAreNamesAndPatternsMatchWholeNames_KF1) {
  const TopicChoice chosen = choice({"orders", "a.b", "inventory.*"}, {".*-internal", "inventory.old"});
  for (const char* yes : {"orders", "a.b", "inventory.x", "inventory", "inventoryX"}) EXPECT_TRUE(chosen.chooses(yes));
  for (const char* no :
       {"orders2", "my-orders", "my-inventory", "aXb", "inventory.x-internal", "inventory.old", "other"})
    EXPECT_FALSE(chosen.chooses(no)) << no;
}

TEST(TopicChoice, TopicsWithTwoUnderscoresAreNamedOrLeftOutAndSomeAreNobodys) {
  const TopicChoice chosen = choice({".*", "__mine", "__consumer_offsets", "__twinspan.a.b.state"});
  EXPECT_TRUE(chosen.chooses("x"));
  EXPECT_TRUE(chosen.chooses("_x"));
  EXPECT_TRUE(chosen.chooses("__mine"));
  for (const char* no : {"__other", "__consumer_offsets", "__transaction_state", "__twinspan.a.b.state"})
    EXPECT_FALSE(chosen.chooses(no)) << no;
}

TEST(TopicChoice, WhatIsNoPatternIsRefusedByName) {
  for (const char* wrong : {"[", "(a", "(a)\\1", "a{2,1}"}) {
    const auto parsed = TopicChoice::parse({"fine"}, {wrong});
    ASSERT_FALSE(parsed) << wrong;
    EXPECT_NE(parsed.error().message.find("topics.exclude: \"" + std::string(wrong)), std::string::npos)
        << parsed.error().message;
  }
}

TEST(TopicPlan, OneTopicInTheWayHoldsNoOtherUp_KF1) {
  const std::map<std::string, int32_t> sources{
      {"new", 3}, {"same", 2}, {"fewer", 1}, {"more", 4}, {"denied", 1}, {"spoilt", 1}, {std::string(245, 'x'), 1}};
  const std::map<std::string, TargetTopic> targets{
      {"west.new", {.error = ErrorCode::kUnknownTopicOrPartition}},
      {"west.same", {.partitions = 2}},
      {"west.fewer", {.partitions = 2}},
      {"west.more", {.partitions = 3}},
      {"west.denied", {.error = ErrorCode::kTopicAuthorizationFailed}},
      {"west.spoilt", {.partitions = 1, .spoilt = "it compresses"}},
  };
  const TopicPlan plan = plan_topics(sources, targets, "west.", {});
  ASSERT_EQ(plan.ready.size(), 1u);
  EXPECT_EQ(plan.ready[0].mirror, "west.same");
  ASSERT_EQ(plan.create.size(), 1u);
  EXPECT_EQ(plan.create[0].mirror, "west.new");
  EXPECT_EQ(plan.create[0].partitions, 3);
  ASSERT_EQ(plan.grow.size(), 1u);
  EXPECT_EQ(plan.grow[0].topic, "more");
  EXPECT_EQ(plan.grow[0].partitions, 4);
  std::map<std::string, std::string> troubled;
  for (const TopicTrouble& one : plan.troubled) troubled[one.topic.substr(0, 10)] = one.state;
  EXPECT_EQ(troubled,
            (std::map<std::string, std::string>{
                {"denied", "Refused"}, {"fewer", "Refused"}, {"spoilt", "Refused"}, {"xxxxxxxxxx", "Refused"}}));
}

TEST(TopicPlan, WhatIsCarriedIsNotLeftForWhatOneLookLacks) {
  TopicMemory memory;
  memory.ready["t"].partitions = 2;
  const std::map<std::string, int32_t> sources{{"t", 2}};
  for (const TargetTopic& target :
       {TargetTopic{.error = ErrorCode::kUnknownTopicOrPartition}, TargetTopic{.error = ErrorCode::kLeaderNotAvailable},
        TargetTopic{.partitions = 2, .settings_error = ErrorCode::kRequestTimedOut}}) {
    EXPECT_EQ(plan_topics(sources, {{"t", target}}, "", memory).ready.size(), 1u);
    EXPECT_TRUE(plan_topics(sources, {{"t", target}}, "", {}).ready.empty());
  }
  memory.ready["t"].mirror_missed = kMissedBeforeGone;
  EXPECT_EQ(plan_topics(sources, {}, "", memory).create.size(), 1u);
}

TEST(Topics, AStateThatExpiresOrCannotBeReadIsRefused) {
  EXPECT_EQ(spoils_state("s", {{"cleanup.policy", "compact"}, {"compression.type", "producer"}}), "");
  EXPECT_NE(spoils_state("s", {{"cleanup.policy", "compact,delete"}}), "");
  EXPECT_NE(spoils_state("s", {{"cleanup.policy", "delete"}}), "");
  EXPECT_NE(spoils_state("s", {{"cleanup.policy", "compact"}, {"compression.type", "zstd"}}), "");
}

}  // namespace
}  // namespace twinspan::kafka_engine
