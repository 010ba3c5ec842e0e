#include "controllers/kafka/kafka_places.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kafka_world.hpp"

namespace twinspan::controllers::testing {
namespace {

api::ReplicationLink mirror(const std::string& name, const std::string& from, const std::string& to,
                            const std::string& topics = "orders.*", const std::string& prefix = "") {
  Json json = kafka_link_json();
  json["metadata"]["name"] = name;
  json["metadata"]["creationTimestamp"] = name == "elder" ? "2026-01-01T00:00:00Z" : "2026-01-02T00:00:00Z";
  const auto side = [](const std::string& cluster) {
    return Json{{"name", cluster}, {"kafka", {{"brokers", {cluster + "-1:9092", cluster + "-2.example:9092"}}}}};
  };
  json["spec"]["source"] = side(from);
  json["spec"]["targets"] = Json::array({side(to)});
  json["spec"]["kafka"] = {{"topics", {{"include", {topics}}}}, {"topicPrefix", prefix}};
  return *api::parse_replication_link(json);
}

TEST(KafkaPlaces, TheYoungerOfTwoThatWriteOneTopicGivesWay) {
  const api::ReplicationLink elder = mirror("elder", "west", "east");
  const auto taken = [&](const api::ReplicationLink& younger) { return mirror_taken_by(younger, {&elder}); };
  const auto why = taken(mirror("b", "eu", "east"));
  ASSERT_TRUE(why);
  EXPECT_EQ(why->endpoint, "east");
  EXPECT_NE(why->message.find("shop/elder"), std::string::npos) << why->message;
  EXPECT_NE(why->message.find("topic orders there"), std::string::npos) << why->message;
  EXPECT_TRUE(taken(mirror("b", "eu", "east", "orders-eu"))) << "the elder's pattern has it";
  EXPECT_TRUE(taken(mirror("b", "west", "east"))) << "everything would be there twice";
  EXPECT_TRUE(taken(mirror("b", "eu", "east", ".*")));
  EXPECT_FALSE(taken(mirror("b", "eu", "east", "payments.*"))) << "other topics";
  EXPECT_FALSE(taken(mirror("b", "eu", "east", "orders.*", "eu."))) << "by other names";
  EXPECT_TRUE(taken(mirror("b", "eu", "east", "eu", "orders."))) << "the prefix makes it one of the elder's";
  EXPECT_FALSE(taken(mirror("b", "west", "eu"))) << "two copies of one source";
  EXPECT_FALSE(taken(mirror("b", "east", "eu"))) << "a cascade";
  EXPECT_FALSE(mirror_taken_by(elder, {&elder})) << "nobody is older than itself";
  const api::ReplicationLink younger = mirror("b", "eu", "east");
  EXPECT_FALSE(mirror_taken_by(elder, {&younger})) << "the elder is right";
  api::ReplicationLink going = elder;
  going.metadata.deletion_timestamp = "2026-01-02T00:00:00Z";
  EXPECT_FALSE(mirror_taken_by(younger, {&going}));
}

TEST(KafkaPlaces, TwoThatCarryOneTopicBothWaysGoRoundInCircles) {
  const api::ReplicationLink elder = mirror("elder", "west", "east"), named = mirror("elder", "west", "east", "orders");
  EXPECT_TRUE(mirror_taken_by(mirror("b", "east", "west"), {&elder}));
  EXPECT_TRUE(mirror_taken_by(mirror("b", "east", "west", ".*", "orders-back."), {&elder}))
      << "what comes back is one of the elder's again";
  EXPECT_FALSE(mirror_taken_by(mirror("b", "east", "west", ".*", "back."), {&elder}));
  EXPECT_FALSE(mirror_taken_by(mirror("b", "east", "west", "payments"), {&elder}));
  EXPECT_FALSE(mirror_taken_by(mirror("b", "east", "west", "orders", "back."), {&named}));
}

TEST(KafkaPlaces, ANameWithoutADotIsOfItsNamespace) {
  EXPECT_EQ(broker_of("shop", "Kafka:9092"), "kafka.shop:9092");
  EXPECT_EQ(broker_of("other", "kafka.shop.svc:9092"), "kafka.shop:9092");
  EXPECT_EQ(broker_of("other", "kafka.shop.svc.cluster.local:9092"), "kafka.shop:9092");
  EXPECT_EQ(broker_of("shop", "[2001:db8::1]:9092"), "[2001:db8::1]:9092");
  EXPECT_EQ(broker_of("shop", "10.0.0.1:9092"), "10.0.0.1:9092");
}

}  // namespace
}  // namespace twinspan::controllers::testing
