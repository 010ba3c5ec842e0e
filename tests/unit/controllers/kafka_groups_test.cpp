// Consumer groups in the status of a Kafka link: only what is known of now is said of them.
#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "controllers/link/link_status.hpp"
#include "kafka_world.hpp"

namespace twinspan::controllers::testing {
namespace {

Json with_groups(int64_t interval = 1) {
  Json json = kafka_link_json();
  json["spec"]["kafka"]["groups"] = {{"include", {"billing.*"}}, {"syncIntervalSeconds", interval}};
  return json;
}

Json one(const std::string& group, const std::string& state, const std::string& message) {
  return {{"group", group}, {"state", state}, {"message", message}};
}

// Three in sync, one is read at the target.
KafkaSeen groups_world(const Json& json = with_groups()) {
  KafkaSeen seen = kafka_world(json);
  kafka_details(seen)["kafka"]["groups"] = {{"synced", 3}, {"active", 1}, {"failed", 0}, {"oldestSeconds", 0.5}};
  kafka_details(seen)["kafka"]["groups"]["troubled"] = Json::array({one("billing-a", "Active", "it has 2 members")});
  kafka_details(seen)["groups"] = {{"waiting", 0}};
  return seen;
}
Json& groups_of(KafkaSeen& seen) { return kafka_details(seen)["kafka"]["groups"]; }

api::LinkStatus status_of(const KafkaSeen& seen) {
  return next_kafka_status(seen, plan_kafka(seen, kafka_render_config()));
}
std::string in_sync(const api::LinkStatus& status) {
  const api::Condition* found = api::find_condition(status.conditions, "GroupsInSync");
  return found ? std::string(to_string(found->status)) + " " + found->reason : "";
}
std::string message(const api::LinkStatus& status) {
  const api::Condition* found = api::find_condition(status.conditions, "GroupsInSync");
  return found ? found->message : "";
}
void remember(KafkaSeen& seen, const api::LinkStatus& status) {
  auto link = std::make_shared<CachedLink>(seen.link());
  link->status = status;
  seen.common.link = link;
}
void be_silent(KafkaSeen& seen) {
  MemberView& view = seen.common.endpoints.front().member;
  view.failures = 9;
  view.age = std::chrono::seconds(30);
  view.error = "connection refused";
}

TEST(KafkaGroups, AreCountedAndThoseThatAreReadAtTheTargetAreNoTrouble_KF6) {
  const api::LinkStatus status = status_of(groups_world());
  EXPECT_EQ(in_sync(status), "True GroupsInSync");
  EXPECT_EQ(message(status),
            "groups that stand at the target where the source has them: 3; read there, and left alone: 1");
  ASSERT_TRUE(status.kafka && status.kafka->groups);
  EXPECT_EQ(status.kafka->groups->synced, 3);
  EXPECT_EQ(status.kafka->groups->active, 1);
  EXPECT_EQ(status.kafka->groups->failed, 0);
  EXPECT_EQ(status.kafka->groups->troubled.size(), 1u);
}

TEST(KafkaGroups, NothingIsSaidOfThemWhereTheyAreNotAskedFor_KF6) {
  KafkaSeen seen = groups_world(kafka_link_json());
  remember(seen, status_of(groups_world()));
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(in_sync(status), "");
  EXPECT_FALSE(status.kafka->groups);
  const Json patch = status_patch(seen.link(), status);
  ASSERT_TRUE(patch["status"]["kafka"].contains("groups")) << "what was said before is taken back";
  EXPECT_EQ(patch["status"]["kafka"]["groups"], Json());
}

TEST(KafkaGroups, OneThatIsNotCarriedIsNamedWithWhatToDoAndTheLinkStaysReady_KF6) {
  KafkaSeen seen = groups_world();
  groups_of(seen)["failed"] = 2;
  groups_of(seen)["troubled"] = {one("billing-m", "Moved", "it stands at 5"),
                                 one("billing-r", "Refused", "GROUP_AUTHORIZATION_FAILED; give Read on it"),
                                 one("billing-b", "Behind", "so far back nothing is known")};
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(in_sync(status), "False GroupsFailed");
  EXPECT_EQ(message(status),
            "2 groups' positions are not carried: billing-r: Refused, GROUP_AUTHORIZATION_FAILED; give Read on it; "
            "and 1 more");
  EXPECT_EQ(api::find_condition(status.conditions, "Ready")->status, api::ConditionStatus::kTrue);
  EXPECT_EQ(api::find_condition(status.conditions, "Stalled")->status, api::ConditionStatus::kFalse);
  // A worker that counts and names none.
  groups_of(seen).erase("troubled");
  EXPECT_EQ(message(status_of(seen)), "2 groups' positions are not carried");
}

TEST(KafkaGroups, ThoseThatSomebodyElseMovedAreAllCountedThoughTheStatusHasTwenty_KF6) {
  KafkaSeen seen = groups_world();
  Json troubled = Json::array();
  for (int i = 0; i < 30; ++i) troubled.push_back(one(std::string(400, 'g'), "Moved", std::string(5000, 'y')));
  groups_of(seen)["troubled"] = troubled;
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(in_sync(status), "False GroupsMoved");
  EXPECT_TRUE(message(status).starts_with("30 groups were moved at the target by somebody else, which is not"))  //
      << message(status);
  ASSERT_TRUE(status.kafka && status.kafka->groups);
  ASSERT_EQ(status.kafka->groups->troubled.size(), 20u);
  EXPECT_EQ(status.kafka->groups->troubled[0].message, std::string(999, 'y') + "…");
  EXPECT_EQ(status.kafka->groups->troubled[0].group, std::string(254, 'g') + "…");
}

TEST(KafkaGroups, TheirFirstSyncIsWaitedForAndALookLaterIsNoNews_KF6) {
  KafkaSeen seen = groups_world();
  kafka_details(seen)["groups"]["waiting"] = 1;
  EXPECT_EQ(in_sync(status_of(seen)), "False Synchronizing");
  remember(seen, status_of(groups_world()));
  EXPECT_EQ(in_sync(status_of(seen)), "True GroupsInSync");
  for (const auto& [interval, oldest, expected] : {std::tuple{1, 10.0, "True GroupsInSync"},
                                                   {1, 10.5, "False Synchronizing"},
                                                   {60, 180.0, "True GroupsInSync"},
                                                   {60, 181.0, "False Synchronizing"}}) {
    KafkaSeen late = groups_world(with_groups(interval));
    groups_of(late)["oldestSeconds"] = oldest;
    EXPECT_EQ(in_sync(status_of(late)), expected) << interval << " " << oldest;
  }
}

TEST(KafkaGroups, ThatNoneIsKnownIsNotThatAllAreInSync_KF6) {
  KafkaSeen seen = groups_world();
  groups_of(seen) = {{"synced", 0}, {"active", 0}, {"failed", 0}};
  EXPECT_EQ(in_sync(status_of(seen)), "Unknown NoGroups");
}

TEST(KafkaGroups, WithoutAWholeLookOfNowTheyAreUnknown_KF6) {
  KafkaSeen seen = groups_world();
  remember(seen, status_of(seen));
  kafka_details(seen)["kafka"].erase("groups");
  kafka_details(seen)["groups"]["trouble"] = "the coordinator is loading";
  EXPECT_EQ(in_sync(status_of(seen)), "Unknown Starting");
  EXPECT_NE(message(status_of(seen)).find("the coordinator is loading"), std::string::npos);
  EXPECT_FALSE(status_of(seen).kafka->groups);

  seen = groups_world();
  kafka_report(seen).generation = 2;
  EXPECT_EQ(in_sync(status_of(seen)), "Unknown Synchronizing") << "those of the spec before";

  Json paused = with_groups();
  paused["spec"]["paused"] = true;
  EXPECT_EQ(in_sync(status_of(groups_world(paused))), "Unknown Paused");

  seen = groups_world();
  remember(seen, status_of(seen));
  be_silent(seen);
  EXPECT_EQ(in_sync(status_of(seen)), "Unknown WorkerNotHeard");
  EXPECT_FALSE(status_of(seen).kafka->groups) << "what is too old to count is not shown";
  EXPECT_EQ(status_of(seen).kafka->records, 5000);
}

TEST(KafkaGroups, AnOperatorThatHasOnlyJustBegunLetsStandWhatWasSaid_KF6) {
  KafkaSeen seen = groups_world();
  const api::LinkStatus before = status_of(seen);
  remember(seen, before);
  seen.common.endpoints.front().member = {};
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kNone);
}

TEST(KafkaGroups, NumbersThatOnlyMoveAreWrittenLazilyAndWhatTurnsAtOnce_KF6) {
  KafkaSeen seen = groups_world();
  const api::LinkStatus before = status_of(seen);
  groups_of(seen) = {{"synced", 2}, {"active", 2}, {"failed", 0}, {"oldestSeconds", 1.5}};
  groups_of(seen)["troubled"] = {one("billing-a", "Active", "it has 3 members"), one("billing-b", "Active", "as well")};
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kLazy);
  groups_of(seen)["failed"] = 1;
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kNow);
}

}  // namespace
}  // namespace twinspan::controllers::testing
