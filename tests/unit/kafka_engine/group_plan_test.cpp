#include "engines/kafka/group_plan.hpp"

#include <gtest/gtest.h>

#include <random>

#include "engines/kafka/group_questions.hpp"
#include "engines/kafka/groups.hpp"

namespace twinspan::kafka_engine {
namespace {

using kafka::ErrorCode;
using How = Translated::How;

const std::string kLink = "streams.west-east";

// Topics a and b are carried to west.a and west.b, every offset to ten times as much; a/8 has not begun, of a/9 all
// before 100 is forgotten.
GroupRules rules() {
  GroupRules rules{kLink, {}, [](const PartitionName& name, int64_t offset) -> Translated {
                     if (name.partition == 8) return {};
                     if (name.partition == 9 && offset < 100) return {How::kForgotten, 0};
                     return {offset < 1000 ? How::kRecord : How::kEnd, std::min<int64_t>(offset, 1000) * 10};
                   }};
  for (const int32_t partition : {0, 1, 8, 9}) {
    rules.partitions[{"a", partition}] = "west.a";
    rules.partitions[{"b", partition}] = "west.b";
  }
  return rules;
}

struct Given {
  GroupFacts facts;

  Given& source(int32_t partition, int64_t offset) {
    facts.source[{"a", partition}] = {offset, "of the application"};
    return *this;
  }
  Given& target(int32_t partition, int64_t offset, const std::string& metadata) {
    facts.target[{"west.a", partition}] = {offset, metadata};
    return *this;
  }
  Given& ours(int32_t partition, int64_t source) {
    return target(partition, source * 10, group_metadata(kLink, source));
  }
  Given& left(int32_t partition, int64_t offset) {
    facts.left[{"west.a", partition}] = offset;
    return *this;
  }
  Given& renew() {
    facts.renew = true;
    return *this;
  }
  GroupPlan plan() const { return plan_group(facts, rules()); }
};

GroupPositions at(int32_t partition, int64_t offset, const std::string& metadata) {
  return {{{"west.a", partition}, {offset, metadata}}};
}

TEST(GroupPlan, WhatIsNotThereIsCommitted_KF6) {
  const GroupPlan plan = Given().source(0, 5).plan();
  EXPECT_EQ(plan.state, GroupState::kSynced);
  EXPECT_EQ(plan.commit, at(0, 50, "twinspan streams.west-east 5"));
  EXPECT_TRUE(plan.renews);
  EXPECT_TRUE(plan.message.empty());
}

TEST(GroupPlan, WhatIsOursFollowsBothWays_KF6) {
  for (const int64_t source : {9, 5, 0}) {
    const GroupPlan plan = Given().source(0, source).ours(0, 7).plan();
    EXPECT_EQ(plan.state, GroupState::kSynced);
    EXPECT_EQ(plan.commit, at(0, source * 10, group_metadata(kLink, source))) << "a rewind is followed as well";
  }
}

TEST(GroupPlan, WhatStandsRightIsLeftAlone_KF6) {
  const GroupPlan plan = Given().source(0, 7).ours(0, 7).plan();
  EXPECT_EQ(plan.state, GroupState::kSynced);
  EXPECT_TRUE(plan.commit.empty());
}

TEST(GroupPlan, WhatIsCommittedBesideItIsTheSourcesOffsetOfNow_KF6) {
  // At the end both translate to the same offset.
  const GroupPlan plan = Given().source(0, 1007).target(0, 10000, group_metadata(kLink, 1003)).plan();
  EXPECT_EQ(plan.commit, at(0, 10000, group_metadata(kLink, 1007)));
}

TEST(GroupPlan, AnEndIsPutRightAsRecordsCome_KF6) {
  const GroupPlan plan = Given().source(0, 1003).target(0, 9000, group_metadata(kLink, 1003)).plan();
  EXPECT_EQ(plan.commit, at(0, 10000, group_metadata(kLink, 1003)));
}

TEST(GroupPlan, WhatSomebodyElseMovedIsToldAndNotOverwritten_KF6) {
  for (const std::string& metadata : std::vector<std::string>{
           "", "mine", "twinspan streams.other 7", "twinspan streams.west-east ", "twinspan streams.west-east 7x",
           "twinspan streams.west-east", "Twinspan streams.west-east 7", "twinspan streams.west-east2 7"}) {
    const GroupPlan plan = Given().source(0, 7).target(0, 60, metadata).plan();
    EXPECT_EQ(plan.state, GroupState::kMoved) << metadata;
    EXPECT_TRUE(plan.commit.empty()) << metadata;
    EXPECT_NE(plan.message.find("west.a/0 is at 60 and would be at 70"), std::string::npos) << plan.message;
  }
}

TEST(GroupPlan, WhatSomebodyElseSetRightIsInSyncAndTheirs_KF6) {
  const GroupPlan plan = Given().source(0, 7).target(0, 70, "mine").renew().plan();
  EXPECT_EQ(plan.state, GroupState::kSynced);
  EXPECT_TRUE(plan.commit.empty());
  EXPECT_TRUE(plan.left.empty()) << "nobody knows it for ours later on";
}

TEST(GroupPlan, WhoWasUsedAndStandsWhereItWasLeftIsTakenUpAgain_KF6) {
  // A consumer at the target committed where it stood, without our words.
  EXPECT_EQ(Given().source(0, 9).target(0, 70, "").left(0, 70).plan().commit, at(0, 90, group_metadata(kLink, 9)));
  const GroupPlan moved = Given().source(0, 9).target(0, 71, "").left(0, 70).plan();
  EXPECT_EQ(moved.state, GroupState::kMoved);
  EXPECT_TRUE(moved.commit.empty());
  EXPECT_EQ(moved.left, (std::map<PartitionName, int64_t>{{{"west.a", 0}, 70}})) << "it may come back";
  EXPECT_EQ(Given().source(0, 9).left(0, 70).plan().commit, at(0, 90, group_metadata(kLink, 9))) << "deleted";
}

TEST(GroupPlan, WherePositionsAreLeftIsRemembered_KF6) {
  const std::map<PartitionName, int64_t> there{{{"west.a", 0}, 70}};
  EXPECT_EQ(Given().source(0, 7).plan().left, there);
  EXPECT_EQ(Given().source(0, 7).ours(0, 7).plan().left, there) << "by another process, too";
  EXPECT_EQ(Given().source(0, 7).ours(0, 5).left(0, 50).plan().left, there);
  EXPECT_TRUE(Given().source(0, 7).target(0, 60, "").plan().left.empty());
  EXPECT_TRUE(Given().left(0, 70).plan().left.empty()) << "no more once the source has none";
}

TEST(GroupPlan, APartitionOfWhichNothingIsKnownWaitsAlone_KF6) {
  const GroupPlan plan = Given().source(8, 5).source(0, 7).ours(8, 3).left(8, 30).plan();
  EXPECT_EQ(plan.state, GroupState::kWaiting);
  EXPECT_EQ(plan.commit, at(0, 70, group_metadata(kLink, 7)));
  EXPECT_NE(plan.message.find("a/8"), std::string::npos);
  EXPECT_EQ(plan.left.at({"west.a", 8}), 30);
}

TEST(GroupPlan, APartitionWhoseRunsAreForgottenIsNamedAndLeftAlone_KF6) {
  const GroupPlan plan = Given().source(9, 5).source(0, 7).ours(9, 3).plan();
  EXPECT_EQ(plan.state, GroupState::kBehind);
  EXPECT_EQ(plan.commit, at(0, 70, group_metadata(kLink, 7)));
  EXPECT_NE(plan.message.find("a/9 at offset 5"), std::string::npos) << plan.message;
  EXPECT_EQ(Given().source(9, 100).plan().state, GroupState::kSynced) << "once it has read on";
}

TEST(GroupPlan, TheStateIsTheWorstOfItsPartitions_KF6) {
  Given every = Given().source(9, 5).source(8, 5).source(0, 7).target(0, 1, "").source(1, 1);
  EXPECT_EQ(every.plan().state, GroupState::kBehind);
  every.facts.source.erase({"a", 9});
  EXPECT_EQ(every.plan().state, GroupState::kMoved);
  every.facts.source.erase({"a", 0});
  EXPECT_EQ(every.plan().state, GroupState::kWaiting);
  every.facts.source.erase({"a", 8});
  EXPECT_EQ(every.plan().state, GroupState::kSynced);
  every.facts.source.erase({"a", 1});
  EXPECT_EQ(every.plan().state, std::nullopt) << "it stands nowhere";
}

TEST(GroupPlan, WhatIsNotCarriedIsLeftOut_KF6) {
  Given given;
  given.facts.source[{"other", 0}] = {5, ""};
  given.facts.source[{"a", 77}] = {5, ""};
  given.source(0, -1);  // none
  given.facts.target[{"other", 0}] = {1, ""};
  EXPECT_EQ(given.plan().state, std::nullopt);
  EXPECT_TRUE(given.plan().commit.empty());
}

TEST(GroupPlan, ManyPartitionsMakeNoLongMessage) {
  GroupRules all{kLink, {}, [](const PartitionName&, int64_t) -> Translated { return {How::kForgotten, 0}; }};
  GroupFacts facts;
  for (int32_t partition = 0; partition < 1000; ++partition) {
    all.partitions[{"a", partition}] = "a";
    facts.source[{"a", partition}] = {1, ""};
  }
  const GroupPlan plan = plan_group(facts, all);
  EXPECT_NE(plan.message.find("and 997 more"), std::string::npos) << plan.message;
  EXPECT_LT(plan.message.size(), 1000u);
}

TEST(GroupPlan, ARenewalCommitsAllThatIsOursAndNothingElse_KF6) {
  const GroupPlan plan = Given().source(0, 7).ours(0, 7).source(1, 5).target(1, 50, "").renew().plan();
  EXPECT_EQ(plan.commit, at(0, 70, group_metadata(kLink, 7)));
  EXPECT_TRUE(plan.renews);
  EXPECT_EQ(plan.state, GroupState::kSynced);

  const GroupPlan some = Given().source(0, 7).ours(0, 7).source(1, 5).plan();
  EXPECT_EQ(some.commit, at(1, 50, group_metadata(kLink, 5)));
  EXPECT_FALSE(some.renews) << "the other one expires as before";
}

// The plan, done, leaves nothing to do; and never a position that somebody else set.
TEST(GroupPlan, OnceIsEnough_KF6) {
  std::mt19937 random(6);
  const auto any = [&](int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); };
  for (int round = 0; round < 20000; ++round) {
    Given given;
    for (const int32_t partition : {0, 1, 8, 9}) {
      if (any(3)) given.source(partition, any(1100));
      if (const int kind = any(4); kind == 1)
        given.ours(partition, any(1000));
      else if (kind == 2)
        given.target(partition, any(20000), any(2) ? "" : "twinspan streams.other 5");
      if (any(2)) given.left(partition, any(20000));
    }
    given.facts.renew = any(2) != 0;
    const GroupPlan plan = given.plan();
    for (const auto& [name, position] : plan.commit) {
      const auto before = given.facts.target.find(name);
      const auto left = given.facts.left.find(name);
      EXPECT_TRUE(before == given.facts.target.end() || is_of_link(before->second.metadata, kLink) ||
                  (left != given.facts.left.end() && left->second == before->second.offset));
      EXPECT_TRUE(is_of_link(position.metadata, kLink));
      given.facts.target[name] = position;
    }
    given.facts.left = plan.left;
    given.facts.renew = false;
    const GroupPlan again = given.plan();
    EXPECT_TRUE(again.commit.empty());
    EXPECT_EQ(again.state, plan.state);
    EXPECT_EQ(again.message, plan.message);
    EXPECT_EQ(again.left, plan.left);
  }
}

TEST(GroupInSync, IsAsOfThePartitionThatWasToldOfLongestAgo_KF6) {
  const auto at = [](int second) { return BootTime(std::chrono::seconds(second)); };
  const PartitionName one{"a", 0}, other{"a", 1};
  const auto told = [](const PartitionName& name) { return GroupPositions{{name, {5, ""}}}; };
  const GroupPositions both{{one, {5, ""}}, {other, {5, ""}}};
  GroupMemory::Known known;
  EXPECT_FALSE(in_sync(known, told(one), {other}, at(1))) << "of the other one nothing is known yet";
  EXPECT_FALSE(known.in_sync_at);
  EXPECT_TRUE(in_sync(known, told(other), {one}, at(2))) << "by now both were told of";
  EXPECT_EQ(known.in_sync_at, at(1));
  EXPECT_TRUE(in_sync(known, told(one), {other}, at(3)));
  EXPECT_EQ(known.in_sync_at, at(2)) << "transactions that go on are no standstill";
  for (int second = 4; second < 9; ++second) EXPECT_TRUE(in_sync(known, told(one), {other}, at(second)));
  EXPECT_EQ(known.in_sync_at, at(2)) << "one that hangs is";
  EXPECT_TRUE(in_sync(known, both, {}, at(9)));
  EXPECT_EQ(known.in_sync_at, at(9));
  EXPECT_TRUE(in_sync(known, told(one), {other}, at(10)));
  EXPECT_EQ(known.in_sync_at, at(9));
}

TEST(GroupAnswers, OneGroupsErrorIsReadForWhatItMeans_KF6) {
  EXPECT_EQ(meaning_of(ErrorCode::kNone), GroupAnswer::kFine);
  for (const ErrorCode error :
       {ErrorCode::kUnknownMemberId, ErrorCode::kIllegalGeneration, ErrorCode::kRebalanceInProgress,
        ErrorCode::kFencedInstanceId, ErrorCode::kFencedMemberEpoch, ErrorCode::kStaleMemberEpoch})
    EXPECT_EQ(meaning_of(error), GroupAnswer::kMembers) << to_string(error);
  for (const ErrorCode error :
       {ErrorCode::kCoordinatorLoadInProgress, ErrorCode::kCoordinatorNotAvailable, ErrorCode::kNotCoordinator,
        ErrorCode::kUnstableOffsetCommit, ErrorCode::kRequestTimedOut, ErrorCode::kUnknownTopicOrPartition})
    EXPECT_EQ(meaning_of(error), GroupAnswer::kLater) << to_string(error);
  for (const ErrorCode error : {ErrorCode::kGroupAuthorizationFailed, ErrorCode::kTopicAuthorizationFailed,
                                ErrorCode::kInvalidGroupId, ErrorCode::kOffsetMetadataTooLarge})
    EXPECT_EQ(meaning_of(error), GroupAnswer::kRefused) << to_string(error);
}

TEST(GroupKinds, AreToldByProtocolAndKind_KF6) {
  const auto of = [](const char* protocol, const char* kind) { return ListedGroup{1, protocol, "Empty", kind}; };
  for (const ListedGroup& one : {of("consumer", ""), of("", ""), of("consumer", "classic"), of("", "Classic"),
                                 of("consumer", "Consumer"), of("consumer", "consumer")})
    EXPECT_TRUE(one.is_consumers()) << one.protocol << " " << one.kind;
  EXPECT_TRUE(of("share", "Share").is_share());
  EXPECT_TRUE(of("share", "").is_share());
  EXPECT_TRUE(of("streams", "streams").is_streams());
  for (const ListedGroup& one : {of("share", "share"), of("streams", "streams"), of("connect", "classic")})
    EXPECT_FALSE(one.is_consumers()) << one.protocol;
}

TEST(GroupKinds, WhoIsNeitherEmptyNorDeadHasMembers_KF6) {
  const auto of = [](const char* state) { return ListedGroup{1, "consumer", state, "classic"}; };
  for (const char* none : {"Empty", "empty", "Dead", ""}) EXPECT_FALSE(of(none).has_members()) << none;
  for (const char* some : {"Stable", "stable", "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling",
                           "Unknown", "of a later version"})
    EXPECT_TRUE(of(some).has_members()) << some;
}

TEST(GroupStates, HaveTheWordsThatTheStatusHas) {
  EXPECT_EQ(to_string(GroupState::kSynced), "Synced");
  EXPECT_EQ(to_string(GroupState::kActive), "Active");
  EXPECT_EQ(to_string(GroupState::kMoved), "Moved");
  EXPECT_EQ(to_string(GroupState::kBehind), "Behind");
  EXPECT_EQ(to_string(GroupState::kNotCarried), "NotCarried");
  EXPECT_EQ(to_string(GroupState::kRefused), "Refused");
  EXPECT_EQ(to_string(GroupState::kWaiting), "Waiting");
}

}  // namespace
}  // namespace twinspan::kafka_engine
