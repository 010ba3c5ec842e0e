#include "failover/log/member.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace twinspan {
namespace {

// Every view that differs in what decide_member looks at. Small enough to enumerate.
template <class Check>
void for_every_view(Check check) {
  // Nothing remembered; primary and replica of epoch 2; a later epoch than any lease; data of which nothing is known.
  const std::vector<std::optional<MemberMemory>> memories{
      MemberMemory{{0}, Epoch{0}, DataPart::kSome, {}},     MemberMemory{{2}, Epoch{2}, DataPart::kPrimary, {}},
      MemberMemory{{2}, Epoch{2}, DataPart::kBegun, {}},    MemberMemory{{7}, Epoch{7}, DataPart::kBegun, {}},
      MemberMemory{{2}, std::nullopt, DataPart::kSome, {}}, std::nullopt};
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
  std::vector<std::optional<Assignment>> assignments{std::nullopt, Assignment{{2}, "b", "a", Cause::kProcessDied}};
  for (int64_t epoch : {1, 3, 9})
    for (const char* primary : {"", "a"})
      for (Cause cause : {Cause::kInitial, Cause::kProcessDied, Cause::kSwitchover})
        assignments.push_back(Assignment{{epoch}, primary, "b", cause});
  MemberView view;
  view.self = "a";
  view.instance = "1";
  view.upstream = "b";
  for (const auto& lease : leases)
    for (const auto& assignment : assignments)
      for (const auto& memory : memories) {
        view.lease = lease;
        view.assignment = assignment;
        view.memory = memory;
        for (std::optional<Epoch> tenure : {std::optional<Epoch>{}, {Epoch{2}}})
          for (DataShape data : {DataShape::kNone, DataShape::kReplica, DataShape::kPrimary})
            for (ProcessState process :
                 {ProcessState::kStopped, ProcessState::kReplicaRunning, ProcessState::kPrimaryRunning})
              for (int bits = 0; bits < 32; ++bits)
                for (Lineage lineage : {Lineage::kUnknown, Lineage::kFollows, Lineage::kDiverged}) {
                  if (data == DataShape::kNone && process != ProcessState::kStopped) continue;
                  view.tenure = tenure;
                  view.data = data;
                  view.process = process;
                  view.lineage = lineage;
                  view.lease_stood = bits & 1;
                  view.stopping = bits & 2;
                  view.process_died = (bits & 4) && process == ProcessState::kStopped;
                  view.receiver_stopped = bits & 8;
                  view.received = Position{bits & 16 ? 100u : 99u};
                  view.following = bits & 8 ? "" : "b";
                  view.begun = bits & 16;
                  check(view, decide_member(view));
                }
      }
}

template <class Action>
bool is(const MemberAction& action) {
  return std::holds_alternative<Action>(action);
}

TEST(MemberDecision, NeverRunsReadWriteWithoutTheLease) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    if (view.tenure) return;
    EXPECT_FALSE(is<StartPrimary>(action) || is<Promote>(action) || is<Initialize>(action) ||
                 is<MarkPromoted>(action) || is<HandOver>(action) || is<ReleaseLease>(action))
        << to_string(action);
    if (view.process == ProcessState::kPrimaryRunning) {
      EXPECT_TRUE(is<Fence>(action)) << to_string(action);
    }
  });
}

TEST(MemberDecision, TakesTheLeaseOnlyWhenNamedForALaterEpochAndFree) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    const auto* take = std::get_if<TakeLease>(&action);
    if (!take) return;
    ASSERT_TRUE(view.lease);
    ASSERT_TRUE(view.memory) << "nobody knows what was";
    EXPECT_EQ(take->version, view.lease->version);
    if (take->epoch == view.lease->epoch) {  // its own, renewed
      EXPECT_EQ(view.lease->holder_endpoint, view.self);
      EXPECT_EQ(view.lease->holder_instance, view.instance);
      EXPECT_LE(view.memory->epoch_seen, take->epoch);
      return;
    }
    EXPECT_GT(take->epoch, view.lease->epoch);
    EXPECT_GT(take->epoch, view.memory->epoch_seen) << "an epoch is used once";
    ASSERT_TRUE(view.assignment);
    EXPECT_EQ(view.assignment->primary, view.self);
    EXPECT_EQ(view.assignment->epoch, take->epoch);
    if (!view.lease_stood) {
      EXPECT_FALSE(view.lease->held());
      EXPECT_EQ(take->epoch, view.lease->epoch.next());
      EXPECT_LE(view.memory->epoch_seen, view.lease->epoch);
      EXPECT_TRUE(view.lease->release || view.lease->epoch == Epoch{0});
    }
    EXPECT_TRUE(view.process != ProcessState::kReplicaRunning || view.receiver_stopped);
    if (view.assignment->cause == Cause::kSwitchover) {
      ASSERT_TRUE(view.lease->release && view.lease->release->final_position);
      EXPECT_GE(*view.received, *view.lease->release->final_position);
    }
  });
}

TEST(MemberDecision, RemembersTheEpochBeforeItWritesInIt) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    if (!is<Promote>(action) && !is<StartPrimary>(action)) return;
    ASSERT_TRUE(view.memory);
    EXPECT_EQ(view.memory->data_epoch, view.tenure);
    EXPECT_EQ(view.memory->part, DataPart::kPrimary);
  });
}

// A promotion begins another log, and starting again where it stopped does not: who streams from it goes on.
TEST(MemberDecision, OnlyAPromotionBeginsALog) {
  MemberView view;
  view.tenure = Epoch{7};
  view.received = Position{100};
  const auto remembered = [&](ProcessState process, DataShape data, EpochHistory epochs) {
    view.process = process;
    view.data = data;
    view.memory = MemberMemory{{5}, Epoch{5}, DataPart::kPrimary, {}, std::move(epochs)};
    const MemberAction action = decide_member(view);
    return std::holds_alternative<Remember>(action) ? std::get<Remember>(action).memory.epochs : EpochHistory();
  };
  const EpochHistory before{{{1}, {0}}};
  EXPECT_EQ(remembered(ProcessState::kStopped, DataShape::kPrimary, before), before);
  EXPECT_EQ(remembered(ProcessState::kStopped, DataShape::kPrimary, {}), (EpochHistory{{{7}, {0}}}));
  EXPECT_EQ(remembered(ProcessState::kReplicaRunning, DataShape::kReplica, before),
            (EpochHistory{{{1}, {0}}, {{7}, {100}}}));
}

// Who held it since the backup was made may be known to others only.
TEST(MemberDecision, ALeaseThatWentBackIsNotTakenAgain) {
  MemberView view;
  view.self = "a";
  view.instance = "1";
  view.memory = MemberMemory{{2}, Epoch{2}, DataPart::kPrimary, {}};
  view.lease = LeaseRecord{};
  view.lease->holder_endpoint = "a";
  view.lease->holder_instance = "1";
  view.lease->epoch = {2};
  view.lease_stood = true;
  view.data = DataShape::kPrimary;
  EXPECT_TRUE(std::holds_alternative<TakeLease>(decide_member(view)));
  view.lease_went_back = true;
  EXPECT_FALSE(std::holds_alternative<TakeLease>(decide_member(view)));
  view.assignment = Assignment{{3}, "a", "a", Cause::kRestart};
  EXPECT_TRUE(std::holds_alternative<TakeLease>(decide_member(view))) << "made by somebody who asked the others";
}

// Only the holder does it, in the very epoch that a person's word made, once, and over a database that stands still.
TEST(MemberDecision, RestoredDataTakeTheirPlaceOnceAndByOrderOnly) {
  int put = 0;
  for (const Cause cause : {Cause::kRestore, Cause::kRestart, Cause::kSwitchover, Cause::kProcessDied})
    for (const int64_t epoch : {2, 3, 4})
      for (const bool prepared : {true, false})
        for (const bool holds : {true, false})
          for (const int64_t data_epoch : {2, 3})
            for (const ProcessState process : {ProcessState::kStopped, ProcessState::kPrimaryRunning}) {
              MemberView view;
              view.self = "a";
              view.instance = "1";
              view.memory = MemberMemory{{3}, Epoch{data_epoch}, DataPart::kPrimary, {}};
              view.lease = LeaseRecord{};
              view.lease->epoch = {3};
              view.lease->holder_endpoint = holds ? "a" : "b";
              view.lease->holder_instance = "1";
              if (holds) view.tenure = Epoch{3};
              view.data = DataShape::kPrimary;
              view.process = process;
              view.prepared = prepared;
              view.assignment = Assignment{{epoch}, "a", "a", cause};
              const MemberAction action = decide_member(view);
              const bool due = cause == Cause::kRestore && epoch == 3 && prepared && holds && data_epoch == 2 &&
                               process == ProcessState::kStopped;
              put += due;
              EXPECT_EQ(std::holds_alternative<PutRestored>(action), due) << to_string(action);
            }
  EXPECT_EQ(put, 1);
}

// A primary that is to go on with restored data sends all of its log first: whoever follows it receives on until then.
TEST(MemberDecision, ReplicasReceiveUntilAPrimaryThatIsRestoredLetsGo) {
  MemberView view;
  view.self = "b";
  view.instance = "2";
  view.upstream = view.following = "a";
  view.memory = MemberMemory{{3}, Epoch{3}, DataPart::kBegun, {}};
  view.lease = LeaseRecord{};
  view.lease->epoch = {3};
  view.lease->holder_endpoint = "a";
  view.lease->holder_instance = "1";
  view.lease->promoted = true;
  view.data = DataShape::kReplica;
  view.process = ProcessState::kReplicaRunning;
  view.lineage = Lineage::kFollows;
  view.assignment = Assignment{{4}, "a", "a", Cause::kRestore};
  EXPECT_EQ(to_string(decide_member(view)), "Wait(Replica)");
  EXPECT_EQ(frozen_for(view), Epoch{0});
  view.lease->holder_endpoint.clear();
  view.lease->release = Release{"a", Cause::kRestore, Position{100}};
  EXPECT_EQ(to_string(decide_member(view)), "StopReceiver");
}

TEST(MemberDecision, ReceivesOnlyWhatItRemembersToFollow) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    const auto* start = std::get_if<StartReplica>(&action);
    if (!is<Follow>(action) && !(start && !start->upstream.empty())) return;
    ASSERT_TRUE(view.memory);
    EXPECT_EQ(view.memory->data_epoch, view.lease->epoch);
    EXPECT_NE(view.memory->part, DataPart::kPrimary);
  });
}

TEST(MemberDecision, NothingRememberedIsEverUnlearned) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    const auto* remember = std::get_if<Remember>(&action);
    if (!remember) return;
    ASSERT_TRUE(view.memory);
    EXPECT_GE(remember->memory.epoch_seen, view.memory->epoch_seen);
    EXPECT_NE(remember->memory, *view.memory) << "it would be written for ever";
  });
}

TEST(MemberDecision, RemembersTheLongestPromiseUntilItIsOutlived) {
  using std::chrono::seconds;
  MemberView view;
  view.self = "a";
  view.memory = MemberMemory{{2}, Epoch{2}, DataPart::kSome, seconds(300)};
  view.lease = LeaseRecord{};
  view.lease->holder_endpoint = "b";
  const auto remembered = [&](int64_t epoch, int duration, bool outlived) {
    view.lease->epoch = {epoch};
    view.lease_duration = seconds(duration);
    view.lease_outlived = outlived;
    const MemberAction action = decide_member(view);
    const auto* remember = std::get_if<Remember>(&action);
    return remember ? remember->memory.lease : view.memory->lease;
  };
  EXPECT_EQ(remembered(2, 5, false), seconds(300));
  EXPECT_EQ(remembered(2, 5, true), seconds(5));
  EXPECT_EQ(remembered(2, 300, true), seconds(300));
  EXPECT_EQ(remembered(2, 400, false), seconds(400));
  EXPECT_EQ(remembered(3, 5, false), seconds(5)) << "a later holder: the former one has stopped";
  EXPECT_EQ(remembered(1, 5, true), seconds(300)) << "of an older one nothing is learned";
}

TEST(MemberDecision, RefusesAnOlderHistoryThanItRemembers) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    if (view.tenure || !view.lease || !view.memory || view.lease->epoch >= view.memory->epoch_seen) return;
    const auto* start = std::get_if<StartReplica>(&action);
    EXPECT_FALSE(is<Follow>(action) || is<Clone>(action) || is<Rewind>(action) || (start && !start->upstream.empty()))
        << to_string(action);
  });
}

TEST(MemberDecision, InitializesOnlyWhereNoEpochEverHadAPrimary) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    if (is<Initialize>(action)) {
      EXPECT_TRUE(view.tenure);
      EXPECT_EQ(view.assignment->cause, Cause::kInitial);
      EXPECT_EQ(view.data, DataShape::kNone);
    }
  });
}

TEST(MemberDecision, OverwritesNothingUnlessTheRuleAllows) {
  for_every_view([](MemberView view, const MemberAction&) {
    if (view.tenure) return;
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
  });
}

TEST(MemberDecision, AReplicaWhoseLogIsGoneIsClonedOnlyOnceItIsKnownToFollow) {
  for_every_view([](MemberView view, const MemberAction& without) {
    view.log_missing = true;
    const MemberAction action = decide_member(view);
    if (to_string(action) == to_string(without)) return;
    // Nothing is replaced before it is remembered that what was here is gone.
    if (const auto* remember = std::get_if<Remember>(&action))
      EXPECT_EQ(remember->memory.data_epoch, Epoch{0});
    else
      EXPECT_EQ(to_string(action), "Clone(b)") << to_string(without);
    EXPECT_EQ(view.lineage, Lineage::kFollows) << "what may have diverged is a person's to give up";
    EXPECT_FALSE(view.tenure || view.stopping);
    EXPECT_TRUE(view.lease->promoted && view.lease->held() && view.lease->holder_endpoint != view.self);
  });
}

TEST(MemberDecision, AnUnfitMemberNeitherTakesNorRetakesTheLease) {
  for_every_view([](MemberView view, const MemberAction&) {
    view.unfit = true;
    EXPECT_FALSE(is<TakeLease>(decide_member(view)));
  });
}

TEST(MemberDecision, FrozenMeansThatNoActionReceivesMore) {
  for_every_view([](const MemberView& view, const MemberAction& action) {
    if (frozen_for(view) == Epoch{0}) return;
    const auto* start = std::get_if<StartReplica>(&action);
    EXPECT_FALSE(is<Follow>(action) || is<Clone>(action) || is<Rewind>(action) || (start && !start->upstream.empty()))
        << to_string(action);
  });
}

TEST(MemberDecision, AHolderWhoseAssignmentMovedOnHandsOver) {
  MemberView view;
  view.self = "a";
  view.instance = "1";
  view.tenure = Epoch{2};
  view.data = DataShape::kPrimary;
  view.process = ProcessState::kPrimaryRunning;
  view.memory = MemberMemory{{2}, Epoch{2}, DataPart::kPrimary, {}};
  view.assignment = Assignment{{3}, "b", "a", Cause::kSwitchover};
  EXPECT_EQ(to_string(decide_member(view)), "HandOver(Switchover)");
  view.process = ProcessState::kStopped;
  EXPECT_EQ(to_string(decide_member(view)), "ReleaseLease(Switchover)");
  view.process_died = true;
  EXPECT_EQ(to_string(decide_member(view)), "ReleaseLease(ProcessDied)");
}

}  // namespace
}  // namespace twinspan
