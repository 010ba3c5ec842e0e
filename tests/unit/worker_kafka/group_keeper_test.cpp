#include "worker/kafka/group_keeper.hpp"

#include <gtest/gtest.h>

#include "unit/worker_kafka/given.hpp"
#include "worker/kafka/carry_spec.hpp"

namespace twinspan::worker_kafka {
namespace {

using kafka_engine::GroupMemory;
using std::chrono::seconds;

BootTime at(int second) { return BootTime(seconds(second)); }

struct Given {
  GroupMemory memory;
  GroupLook look;

  void group(const std::string& name, std::optional<GroupState> state, int known_since,
             std::optional<int> in_sync_at = {}) {
    GroupMemory::Known& known = memory.groups[name];
    known.state = state;
    known.message = "of " + name;
    known.known_since = at(known_since);
    if (in_sync_at) known.in_sync_at = at(*in_sync_at);
  }
  const GroupLook& told(int now) {
    tell_groups(memory, at(now), look);
    return look;
  }
};

TEST(GroupLook, EveryStateIsCountedOnceAndThoseInTroubleAreNamed_KF6) {
  Given given;
  given.group("h-nowhere", std::nullopt, 1);
  given.group("g", GroupState::kSynced, 1, 90);
  given.group("f", GroupState::kActive, 1);
  given.group("e", GroupState::kMoved, 1);
  given.group("d", GroupState::kBehind, 95);
  given.group("c", GroupState::kRefused, 95);
  given.group("b", GroupState::kNotCarried, 1);
  given.group("a", GroupState::kWaiting, 95);
  for (int twice = 0; twice < 2; ++twice) {
    const GroupLook& look = given.told(100);
    EXPECT_EQ(look.synced, 1);
    EXPECT_EQ(look.active, 2);
    EXPECT_EQ(look.failed, 2);
    EXPECT_EQ(look.waiting, 1);
    EXPECT_EQ(look.not_carried, 1);
    EXPECT_EQ(look.troubled, (std::vector<GroupTrouble>{{"b", GroupState::kNotCarried, "of b"},
                                                        {"c", GroupState::kRefused, "of c"},
                                                        {"d", GroupState::kBehind, "of d"},
                                                        {"e", GroupState::kMoved, "of e"},
                                                        {"f", GroupState::kActive, "of f"}}));
    EXPECT_EQ(look.oldest_seconds, 10.0);
  }
}

TEST(GroupLook, TheOldestIsWhoWaitsLongestSinceItWasInSync_KF6) {
  Given given;
  EXPECT_EQ(given.told(100).oldest_seconds, std::nullopt) << "there is no group";
  given.group("active", GroupState::kActive, 0);
  given.group("moved", GroupState::kMoved, 0);
  given.group("share", GroupState::kNotCarried, 0);
  given.group("nowhere", std::nullopt, 0);
  EXPECT_EQ(given.told(100).oldest_seconds, std::nullopt) << "none of these counts";
  given.group("synced", GroupState::kSynced, 0, 99);
  EXPECT_EQ(given.told(100).oldest_seconds, 1.0);
  given.group("new", GroupState::kWaiting, 70);
  EXPECT_EQ(given.told(100).oldest_seconds, 30.0) << "how long it waits for the first time";
  given.group("refused", GroupState::kRefused, 0, 60);
  EXPECT_EQ(given.told(100).oldest_seconds, 40.0);
  EXPECT_EQ(given.told(110).oldest_seconds, 50.0) << "it grows while nothing is learned";
}

TEST(GroupKeeper, NothingIsClaimedBeforeALookAndAfterTheOrderIsTakenBack_KF6) {
  const SystemClock clock;
  const kafka_engine::OffsetBook book;
  GroupKeeper keeper(clock, book, [] {});
  keeper.want(std::nullopt);
  ASSERT_TRUE(keeper.look());
  EXPECT_FALSE(keeper.look()->order);
  EXPECT_FALSE(keeper.look()->looked_at);
  keeper.stop();
}

TEST(GroupKeeper, APatternThatCannotBeUsedIsSaid_KF6) {
  const SystemClock clock;
  const kafka_engine::OffsetBook book;
  Signal told;
  GroupKeeper keeper(clock, book, [&] { told.raise(); });
  GroupOrder order;
  for (MountedAccess* side : {&order.source, &order.target}) side->endpoint.brokers = {"127.0.0.1:9"};
  order.groups = {{"["}, {}, 1};
  keeper.want(order);
  ASSERT_TRUE(told.wait(seconds(60), std::stop_token()));
  EXPECT_EQ(keeper.look()->order, order);
  EXPECT_FALSE(keeper.look()->looked_at);
  EXPECT_NE(keeper.look()->trouble.find("spec.kafka.groups.include: \"[\""), std::string::npos)
      << keeper.look()->trouble;
  keeper.want(std::nullopt);
  EXPECT_FALSE(keeper.look()->order);
  keeper.stop();
}

TEST(CarrySpec, OtherGroupsBeginNoLaneAnew_KF6) {
  Json json = given::link_json();
  const auto without = carry_spec_of(given::link(json));
  json["spec"]["kafka"]["groups"] = {{"include", {"billing.*"}}};
  const auto with = carry_spec_of(given::link(json));
  ASSERT_TRUE(without && with);
  EXPECT_EQ(*without, *with);
}

}  // namespace
}  // namespace twinspan::worker_kafka
