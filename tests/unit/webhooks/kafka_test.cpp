// What is said of a Kafka link beside others.
#include <gtest/gtest.h>

#include "manifest_review.hpp"
#include "webhooks/judge.hpp"

namespace twinspan::webhooks {
namespace {

Json mirror(const std::string& name, const std::string& from, const std::string& to) {
  const auto side = [](const std::string& cluster) {
    return Json{{"name", cluster}, {"kafka", {{"brokers", {cluster + ".example:9092"}}}}};
  };
  return {{"apiVersion", "twinspan.dev/v1alpha1"},
          {"kind", "ReplicationLink"},
          {"metadata", {{"name", name}, {"namespace", "shop"}, {"creationTimestamp", "2026-01-01T00:00:00Z"}}},
          {"spec",
           {{"engine", "Kafka"},
            {"source", side(from)},
            {"targets", Json::array({side(to)})},
            {"kafka", {{"topics", {{"include", {"orders.*"}}}}}}}}};
}

TEST(JudgeKafka, OneThatWritesATopicOfAnotherIsRefusedAndOneBesideItIsNot) {
  const auto elder = api::parse_replication_link(mirror("elder", "west", "east"));
  ASSERT_TRUE(elder);
  const auto judge = [&](const Json& link) { return judge_link(review_of(link, Json()), {{}, {*elder}, {}}); };
  const Verdict refused = judge(mirror("second", "eu", "east"));
  ASSERT_EQ(refused.errors.size(), 1u);
  EXPECT_EQ(refused.errors[0].field, "spec.targets[0].kafka");
  EXPECT_NE(refused.errors[0].message.find("shop/elder"), std::string::npos) << refused.errors[0].message;
  const Verdict back = judge(mirror("back", "east", "west"));
  ASSERT_EQ(back.errors.size(), 1u);
  EXPECT_NE(back.errors[0].message.find("on and on"), std::string::npos) << back.errors[0].message;
  const Verdict other = judge(mirror("other", "west", "eu"));
  EXPECT_TRUE(other.errors.empty()) << api::to_string(other.errors);
  EXPECT_EQ(other.warnings.size(), 2u) << "records go in plain text";
}

TEST(JudgeKafka, GroupsAreTakenAndAPatternThatRe2DoesNotTakeIsNamed) {
  Json link = mirror("orders", "west", "east");
  link["spec"]["kafka"]["groups"] = {{"include", {"billing.*"}}, {"exclude", {".*-test"}}};
  EXPECT_TRUE(judge_link(review_of(link, Json()), {}).errors.empty());
  link["spec"]["kafka"]["groups"]["include"][0] = R"((billing)\1)";
  const Verdict refused = judge_link(review_of(link, Json()), {});
  ASSERT_EQ(refused.errors.size(), 1u);
  EXPECT_EQ(refused.errors[0].field, "spec.kafka.groups.include[0]");
}

TEST(JudgeKafka, ThresholdsAreFilledIn) {
  const Json patch = defaults_of(review_of(mirror("orders", "west", "east"), Json()));
  EXPECT_EQ(patch[0]["value"], (Json{{"seconds", 60}}));
}

}  // namespace
}  // namespace twinspan::webhooks
