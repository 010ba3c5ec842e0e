#include "failover/member.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace twinspan {
namespace {

// Every view that differs in what decide_member looks at. Small enough to enumerate.
std::vector<MemberView> every_view() {
  std::vector<MemberView> views;
  LeaseRecord none, mine, mine_earlier, other, other_unpromoted, released, released_clean;
  for (LeaseRecord* record : {&mine, &mine_earlier, &other, &other_unpromoted, &released, &released_clean}) {
    record->version = "9";
    record->epoch = {2};
    record->promoted = true;
  }
  none.version = "1";
  mine.holder_endpoint = mine_earlier.holder_endpoint = "a";
  mine.holder_instance = "1";
  mine_earlier.holder_instance = "0";
  other.holder_endpoint = other_unpromoted.holder_endpoint = "b";
  other_unpromoted.promoted = false;
  released.release = Release{"b", Cause::kProcessDied, std::nullopt};
  released_clean.release = Release{"b", Cause::kSwitchover, Position{100}};
  const std::vector<std::optional<LeaseRecord>> leases{std::nullopt,     none,     mine,          mine_earlier, other,
                                                       other_unpromoted, released, released_clean};
  std::vector<std::optional<Assignment>> assignments{std::nullopt};
  for (int64_t epoch : {1, 2, 3})
    for (const char* primary : {"", "a", "b"})
      for (Cause cause : {Cause::kInitial, Cause::kProcessDied, Cause::kSwitchover})
        assignments.push_back(Assignment{{epoch}, primary, "b", cause});
  for (const auto& lease : leases)
    for (const auto& assignment : assignments)
      for (std::optional<Epoch> tenure : {std::optional<Epoch>{}, {Epoch{2}}})
        for (DataShape data : {DataShape::kNone, DataShape::kReplica, DataShape::kPrimary})
          for (ProcessState process :
               {ProcessState::kStopped, ProcessState::kReplicaRunning, ProcessState::kPrimaryRunning})
            for (int bits = 0; bits < 32; ++bits)
              for (Lineage lineage : {Lineage::kUnknown, Lineage::kFollows, Lineage::kDiverged}) {
                if (data == DataShape::kNone && process != ProcessState::kStopped) continue;
                MemberView view;
                view.self = "a";
                view.instance = "1";
                view.lease = lease;
                view.assignment = assignment;
                view.tenure = tenure;
                view.data = data;
                view.process = process;
                view.lineage = lineage;
                view.lease_may_be_taken = bits & 1;
                view.stopping = bits & 2;
                view.process_died = (bits & 4) && process == ProcessState::kStopped;
                view.receiver_stopped = bits & 8;
                view.received = Position{bits & 16 ? 100u : 99u};
                view.following = bits & 8 ? "" : "b";
                view.upstream = "b";
                views.push_back(view);
              }
  return views;
}

template <class Action>
bool is(const MemberAction& action) {
  return std::holds_alternative<Action>(action);
}

TEST(MemberDecision, NeverRunsReadWriteWithoutTheLease) {
  for (const MemberView& view : every_view()) {
    const MemberAction action = decide_member(view);
    if (view.tenure) continue;
    EXPECT_FALSE(is<StartPrimary>(action) || is<Promote>(action) || is<Initialize>(action) ||
                 is<MarkPromoted>(action) || is<HandOver>(action) || is<ReleaseLease>(action))
        << to_string(action);
    if (view.process == ProcessState::kPrimaryRunning) {
      EXPECT_TRUE(is<Fence>(action)) << to_string(action);
    }
  }
}

TEST(MemberDecision, TakesTheLeaseOnlyWhenNamedForTheNextEpochAndFree) {
  for (const MemberView& view : every_view()) {
    const MemberAction action = decide_member(view);
    const auto* take = std::get_if<TakeLease>(&action);
    if (!take) continue;
    ASSERT_TRUE(view.lease);
    EXPECT_EQ(take->version, view.lease->version);
    if (take->epoch == view.lease->epoch) {  // its own, renewed
      EXPECT_EQ(view.lease->holder_endpoint, view.self);
      EXPECT_EQ(view.lease->holder_instance, view.instance);
      continue;
    }
    EXPECT_EQ(take->epoch, view.lease->epoch.next());
    ASSERT_TRUE(view.assignment);
    EXPECT_EQ(view.assignment->primary, view.self);
    EXPECT_EQ(view.assignment->epoch, take->epoch);
    EXPECT_TRUE(view.lease_may_be_taken);
    EXPECT_TRUE(view.process != ProcessState::kReplicaRunning || view.receiver_stopped);
    if (view.assignment->cause == Cause::kSwitchover) {
      ASSERT_TRUE(view.lease->release && view.lease->release->final_position);
      EXPECT_GE(*view.received, *view.lease->release->final_position);
    }
  }
}

TEST(MemberDecision, InitializesOnlyWhereNoEpochEverHadAPrimary) {
  for (const MemberView& view : every_view())
    if (is<Initialize>(decide_member(view))) {
      EXPECT_EQ(view.assignment->cause, Cause::kInitial);
      EXPECT_EQ(view.data, DataShape::kNone);
    }
}

TEST(MemberDecision, OverwritesNothingUnlessTheRuleAllows) {
  for (MemberView view : every_view())
    for (DivergedRule rule : {DivergedRule::kHalt, DivergedRule::kRewind, DivergedRule::kClone}) {
      view.diverged = rule;
      const MemberAction action = decide_member(view);
      if (is<Clone>(action) && view.data != DataShape::kNone) {
        EXPECT_EQ(rule, DivergedRule::kClone);
        EXPECT_EQ(view.lineage, Lineage::kDiverged);
      }
      if (is<Rewind>(action)) {
        EXPECT_EQ(rule, DivergedRule::kRewind);
        EXPECT_EQ(view.lineage, Lineage::kDiverged);
      }
    }
}

TEST(MemberDecision, FrozenMeansThatNoActionReceivesMore) {
  for (const MemberView& view : every_view()) {
    if (frozen_for(view) == Epoch{0}) continue;
    const MemberAction action = decide_member(view);
    const auto* start = std::get_if<StartReplica>(&action);
    EXPECT_FALSE(is<Follow>(action) || is<Clone>(action) || is<Rewind>(action) || (start && !start->upstream.empty()))
        << to_string(action);
  }
}

TEST(MemberDecision, AHolderWhoseAssignmentMovedOnHandsOver) {
  MemberView view;
  view.self = "a";
  view.instance = "1";
  view.tenure = Epoch{2};
  view.data = DataShape::kPrimary;
  view.process = ProcessState::kPrimaryRunning;
  view.assignment = Assignment{{3}, "b", "a", Cause::kSwitchover};
  EXPECT_EQ(to_string(decide_member(view)), "HandOver(Switchover)");
  view.process = ProcessState::kStopped;
  EXPECT_EQ(to_string(decide_member(view)), "ReleaseLease(Switchover)");
  view.process_died = true;
  EXPECT_EQ(to_string(decide_member(view)), "ReleaseLease(ProcessDied)");
}

}  // namespace
}  // namespace twinspan
