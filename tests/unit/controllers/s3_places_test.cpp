#include "controllers/s3/s3_places.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "s3_world.hpp"

namespace twinspan::controllers::testing {
namespace {

api::ReplicationLink link(const std::string& name, const std::string& from, const std::string& to,
                          const std::string& created, const std::string& from_prefix = "",
                          const std::string& to_prefix = "") {
  Json json = s3_link_json();
  json["metadata"]["name"] = name;
  json["metadata"]["creationTimestamp"] = created;
  const auto side = [](const std::string& bucket, const std::string& prefix) {
    return Json{{"name", bucket}, {"s3", {{"endpoint", "https://S3.example"}, {"bucket", bucket}, {"prefix", prefix}}}};
  };
  json["spec"]["source"] = side(from, from_prefix);
  json["spec"]["targets"] = Json::array({side(to, to_prefix)});
  return *api::parse_replication_link(json);
}

TEST(S3Places, TheYoungerOfTwoThatWriteToOnePlaceGivesWay) {
  const api::ReplicationLink elder = link("a", "sgp", "nyc", "2026-01-01T00:00:00Z");
  const auto taken = [&](const api::ReplicationLink& younger) { return place_taken(younger, {&elder}); };
  const std::string later = "2026-01-02T00:00:00Z";
  const auto why = taken(link("b", "ams", "nyc", later));
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("shop/a"), std::string::npos) << *why;
  EXPECT_TRUE(taken(link("b", "ams", "nyc", later, "", "deeper/"))) << "one place lies in the other";
  EXPECT_TRUE(taken(link("b", "nyc", "sgp", later))) << "round in circles";
  EXPECT_FALSE(taken(link("b", "nyc", "fra", later))) << "a cascade";
  EXPECT_FALSE(taken(link("b", "sgp", "fra", later))) << "two copies of one source";
  EXPECT_FALSE(taken(link("b", "ams", "sgp", later))) << "what the elder reads may be another's copy";
  EXPECT_FALSE(taken(link("0", "ams", "nyc", "2025-01-01T00:00:00Z"))) << "the elder is right";

  const api::ReplicationLink apart = link("c", "sgp", "nyc", "2026-01-01T00:00:00Z", "x/", "x/");
  EXPECT_FALSE(place_taken(link("d", "ams", "nyc", later, "y/", "y/"), {&apart}));
  api::ReplicationLink going = elder;
  going.metadata.deletion_timestamp = later;
  EXPECT_FALSE(place_taken(link("b", "ams", "nyc", later), {&going}));
}

TEST(S3Places, ALinkWhosePlaceIsTakenHasNoWorkersAndSaysSo) {
  S3Seen seen = s3_world();
  seen.place_taken = "nyc is a place of another";
  const LinkPlan plan = plan_s3(seen, s3_render_config());
  const auto removals = [](const LinkPlan& of) {
    return std::count_if(of.steps.begin(), of.steps.end(),
                         [](const auto& step) { return std::holds_alternative<Remove>(step.effect); });
  };
  EXPECT_EQ(removals(plan), 1) << "its workers end";
  const api::LinkStatus status = next_s3_status(seen, plan);
  for (const api::Condition& condition : status.conditions) {
    if (condition.type == "Ready" || condition.type == "Stalled") {
      EXPECT_EQ(condition.reason, "PlaceTaken") << condition.type;
    }
  }
  seen.set = nullptr;
  const LinkPlan without = plan_s3(seen, s3_render_config());
  EXPECT_TRUE(std::none_of(without.steps.begin(), without.steps.end(), [](const auto& step) {
    return std::holds_alternative<Apply>(step.effect);
  })) << "and none begin";
}

}  // namespace
}  // namespace twinspan::controllers::testing
