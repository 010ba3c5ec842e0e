// A restore in place: what ends on its way, and what must not go back behind it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "failover/log/decide.hpp"
#include "failover/log/member.hpp"

namespace twinspan {
namespace {

const EpochHistory kBefore{{{1}, Position{}}, {{4}, Position{50}}};
const EpochHistory kRestored{{{6}, Position{}}};

// Answers, and stands still until `frozen_for` has a primary; 0: it does not stand still.
MemberSeen endpoint(const std::string& name, int64_t epoch_seen, int64_t data_epoch, DataPart part,
                    const EpochHistory& epochs, int64_t frozen_for) {
  MemberSeen seen;
  seen.name = name;
  seen.fresh = true;
  MemberReport report;
  report.endpoint = name;
  report.role = Role::kReplica;
  report.state = MemberState::kDisconnected;
  report.database_running = true;
  report.system_id = "7";
  report.timeline = 1;
  report.received = report.replayed = Position{1000};
  report.frozen_for = {frozen_for};
  report.receiver_stopped = frozen_for != 0;
  report.memory = MemberMemory{{epoch_seen}, Epoch{data_epoch}, part, std::chrono::seconds(5), epochs};
  seen.report = report;
  return seen;
}

// What it said last is all that is known of it.
MemberSeen silent(MemberSeen seen) {
  seen.fresh = false;
  seen.failures = 10;
  seen.silent_for = std::chrono::seconds(60);
  return seen;
}

MemberSeen unheard(const std::string& name) {
  MemberSeen seen;
  seen.name = name;
  return silent(std::move(seen));
}

FailoverRules automatic(bool synchronous = true, int replicas = 1) {
  FailoverRules rules;
  rules.mode = Mode::kAutomatic;
  rules.durability = {synchronous, replicas};
  rules.max_lag_bytes = 1 << 20;
  return rules;
}

// East, primary of epoch 5, has handed over to itself and is to go on with restored data in epoch 6.
FailoverSeen handed_over() {
  FailoverSeen seen;
  seen.source = "east";
  seen.ns = "shop";
  seen.link = "orders";
  seen.replace = "before";
  seen.members = {endpoint("east", 5, 5, DataPart::kPrimary, kBefore, 0),
                  endpoint("west", 5, 5, DataPart::kBegun, kBefore, 6),
                  endpoint("north", 5, 5, DataPart::kBegun, kBefore, 6)};
  seen.members[0].report->database_running = false;
  seen.members[0].report->state = MemberState::kStopped;
  seen.members[0].report->prepared = "before";
  seen.lease.emplace();
  seen.lease->version = "10";
  seen.lease->epoch = {5};
  seen.lease->promoted = true;
  seen.lease->epochs = kBefore;
  seen.lease->release = Release{"east", Cause::kRestore, Position{1000}};
  seen.lease_may_be_taken = seen.lease_confirmed = true;
  seen.lease_unchanged_for = std::chrono::seconds(2);
  seen.assignment = Assignment{{6}, "east", "east", Cause::kRestore};
  seen.current = Transition{Step::kPromoting, {6}, "east", "east", Cause::kRestore, {}, std::nullopt};
  seen.primary_last_known = Position{1000};
  return seen;
}

// East has the lease of epoch 6 and does not come to accept writes.
FailoverSeen stuck(bool exchanged) {
  FailoverSeen seen = handed_over();
  seen.lease = LeaseRecord{};
  seen.lease->version = "11";
  seen.lease->epoch = {6};
  seen.lease->holder_endpoint = "east";
  seen.lease_may_be_taken = false;
  seen.holder_for = std::chrono::seconds(60);
  if (exchanged) seen.members[0].report->memory = MemberMemory{{6}, Epoch{6}, DataPart::kPrimary, {}, kRestored};
  return seen;
}

// A report of the moment before the exchange is fresh, and says that they wait: they must not be replaced twice.
TEST(FailoverRestore, WhatThePrimarySaidBeforeItWasAtWorkOrdersNothing) {
  for (const Role role : {Role::kNone, Role::kPrimary})
    for (const MemberState state : {MemberState::kStopped, MemberState::kStarting, MemberState::kRunning})
      for (const int64_t data_epoch : {5, 6})
        for (const bool remembers : {true, false}) {
          FailoverSeen seen = stuck(false);
          seen.holder_for = {};
          seen.lease->promoted = true;
          seen.routing = Routing::kTo;
          seen.routed_to = "east";
          seen.endpoints_ready = true;
          seen.current.reset();
          seen.assignment = Assignment{{6}, "east", "east", Cause::kRestart};
          MemberReport& report = *seen.members[0].report;
          report.role = role;
          report.state = state;
          report.memory->data_epoch = Epoch{data_epoch};
          if (!remembers) report.memory.reset();
          const Decision decision = decide(seen, automatic());
          const bool due = role == Role::kPrimary && state == MemberState::kRunning && data_epoch == 6 && remembers;
          EXPECT_EQ(decision.assign.has_value(), due) << decision.message;
          if (due) {
            EXPECT_EQ(decision.assign, (Assignment{{7}, "east", "east", Cause::kRestore}));
          }
        }
}

// The primary is gone before it had the lease: others are chosen from the log that there was, and the change is told as
// the failover that it is, whatever was written down of it so far.
TEST(FailoverRestore, WhatIsGivenUpIsAFailoverLikeAnyOther) {
  for (const bool with_policy : {true, false}) {
    FailoverSeen seen = handed_over();
    if (!with_policy) seen.current.reset();
    seen.members[0] = silent(seen.members[0]);
    const Decision again = decide(seen, automatic());
    ASSERT_TRUE(again.assign && again.current) << again.message;
    EXPECT_EQ(again.assign, (Assignment{{6}, "", "east", Cause::kLeaseExpired}));
    EXPECT_EQ(again.current->cause, Cause::kLeaseExpired);
    for (const auto& written : {again.current, seen.current}) {
      seen.assignment = again.assign;
      seen.current = written;
      const Decision chosen = decide(seen, automatic());
      ASSERT_TRUE(chosen.assign && chosen.current) << chosen.message;
      EXPECT_EQ(chosen.assign, (Assignment{{6}, "north", "east", Cause::kLeaseExpired, Position{1000}}));
      EXPECT_EQ(chosen.current->cause, Cause::kLeaseExpired);
    }
  }
}

// The assignment was deleted, or is of a status that came from a backup.
TEST(FailoverRestore, ItsReleaseAloneRestoresNothing) {
  for (const auto& assignment : {std::optional<Assignment>(), std::optional(Assignment{{2}, "east", "east"})}) {
    FailoverSeen seen = handed_over();
    seen.assignment = assignment;
    const Decision decision = decide(seen, automatic());
    ASSERT_TRUE(decision.assign && decision.current) << decision.message;
    EXPECT_EQ(decision.assign->cause, Cause::kLeaseExpired);
    EXPECT_EQ(decision.current->cause, Cause::kLeaseExpired);
  }
}

TEST(FailoverRestore, APersonMayNameAnotherMeanwhile) {
  for (const int64_t epoch : {6, 7}) {
    FailoverSeen seen = handed_over();
    seen.word = PromoteWord{"west", {epoch}};
    const Decision decision = decide(seen, automatic());
    const bool now = epoch == 7;  // above what is assigned already
    ASSERT_EQ(decision.assign.has_value(), now) << decision.message;
    if (now) {
      EXPECT_EQ(decision.assign, (Assignment{{7}, "west", "east", Cause::kLeaseExpired, kWhateverIsLost}));
    }
  }
}

// Before the data were exchanged everybody has the same log. After it nobody but the primary has any of it, and whoever
// took over would undo the restore: a person says that, or the primary comes up.
TEST(FailoverRestore, APrimaryThatIsStuckIsReplacedOnlyBeforeItsDataAre) {
  for (const bool exchanged : {true, false})
    for (const bool synchronous : {true, false}) {
      const Decision decision = decide(stuck(exchanged), automatic(synchronous));
      EXPECT_EQ(decision.assign.has_value(), !exchanged) << decision.message;
      EXPECT_EQ(decision.reason, exchanged ? LogReason::kPromotionStuck : LogReason::kCandidateFailed);
      EXPECT_EQ(decision.needs_person, exchanged);
      if (decision.assign) {
        EXPECT_EQ(decision.assign->primary, "");
        EXPECT_EQ(decision.assign->epoch, Epoch{7});
        EXPECT_EQ(decision.assign->cause, Cause::kLeaseExpired);
        EXPECT_EQ(decision.current->cause, Cause::kLeaseExpired);
      }
    }
}

// It did not stop in time. What was ordered for the next epoch is said of no other.
TEST(FailoverRestore, WhatIsCalledOffLeavesNoWordOfItself) {
  FailoverSeen seen = handed_over();
  seen.lease->release.reset();
  seen.lease->holder_endpoint = "east";
  seen.lease_may_be_taken = false;
  seen.step_for = std::chrono::seconds(60);
  const Decision late = decide(seen, automatic());
  EXPECT_EQ(late.reason, LogReason::kSwitchoverCancelled) << late.message;
  EXPECT_EQ(late.assign, (Assignment{{5}, "east", "east", Cause::kRestart}));
}

// A status from a backup: an order of then is no order of now.
TEST(FailoverRestore, AnOrderIsOfOneEpochAndOnePrimary) {
  for (const char* holder : {"east", "west"})
    for (const int64_t epoch : {6, 9}) {
      FailoverSeen seen = stuck(true);
      seen.holder_for = {};
      seen.lease->promoted = true;
      seen.lease->epoch = {epoch};
      seen.lease->holder_endpoint = holder;
      const Decision decision = decide(seen, automatic());
      const bool same = std::string(holder) == "east" && epoch == 6;
      const auto settled = decision.assign ? decision.assign : seen.assignment;
      EXPECT_EQ(settled->primary, holder);
      EXPECT_EQ(settled->epoch, Epoch{epoch});
      EXPECT_EQ(settled->cause == Cause::kRestore, same) << to_string(settled->cause);
    }
}

// East wrote restored data in epoch 6 and died, west had followed it, was elected and died before it promoted: its
// lease says nothing of whose data they were. North still has data from before.
TEST(FailoverRestore, NobodyGoesBackBehindItWhereTheNextCandidateFailsToo) {
  const MemberSeen east = silent(endpoint("east", 6, 6, DataPart::kPrimary, kRestored, 0));
  const MemberSeen west =
      silent(endpoint("west", 7, 7, DataPart::kPrimary, {{{6}, Position{}}, {{7}, Position{100}}}, 0));
  for (const bool east_heard : {true, false})
    for (const bool west_heard : {true, false})
      for (const bool synchronous : {true, false})
        for (const bool follows : {true, false}) {
          FailoverSeen seen = handed_over();
          seen.members[0] = east_heard ? east : unheard("east");
          seen.members[1] = west_heard ? west : unheard("west");
          seen.members[2] = follows ? endpoint("north", 7, 6, DataPart::kBegun, kRestored, 8)
                                    : endpoint("north", 7, 4, DataPart::kBegun, kBefore, 8);
          seen.lease = LeaseRecord{};
          seen.lease->version = "20";
          seen.lease->epoch = {7};
          seen.lease->release = Release{"west", Cause::kProcessDied, std::nullopt};
          seen.assignment = Assignment{{7}, "west", "east", Cause::kProcessDied};
          seen.current.reset();
          seen.primary_last_known = Position{100};
          const Decision decision = decide(seen, automatic(synchronous, 2));
          if (follows) {
            ASSERT_TRUE(decision.assign) << decision.message;
            EXPECT_EQ(decision.assign->primary, "north");
          } else if (east_heard || west_heard) {
            EXPECT_FALSE(decision.assign) << decision.message;
            EXPECT_EQ(decision.reason, LogReason::kBeforeRestore) << decision.message;
          }
        }
}

// The lease comes from a backup that was made before the restore: it tells of data that nobody has any more.
TEST(FailoverRestore, ALeaseFromBeforeItRefusesNobodyWhoFollowed) {
  for (const bool synchronous : {true, false}) {
    FailoverSeen seen = handed_over();
    seen.assignment = Assignment{{5}, "east", "east", Cause::kRestart};
    seen.current.reset();
    seen.members = {endpoint("east", 6, 0, DataPart::kSome, {}, 0),
                    endpoint("west", 6, 6, DataPart::kBegun, kRestored, 7),
                    endpoint("north", 6, 6, DataPart::kBegun, kRestored, 7)};
    MemberReport& lost = *seen.members[0].report;
    lost.role = Role::kNone;
    lost.state = MemberState::kEmpty;
    lost.database_running = false;
    lost.system_id.clear();
    lost.timeline.reset();
    lost.received = lost.replayed = std::nullopt;
    const Decision decision = decide(seen, automatic(synchronous));
    ASSERT_TRUE(decision.assign) << decision.message;
    EXPECT_EQ(decision.assign->epoch, Epoch{7});
    EXPECT_NE(decision.assign->cause, Cause::kRestore);
  }
}

// Of the primary that exchanges its data, as it finds itself in the tenure that was made for that.
MemberView exchanging(bool exchanged, bool prepared) {
  MemberView view;
  view.self = "a";
  view.instance = "1";
  view.assignment = Assignment{{6}, "a", "a", Cause::kRestore};
  view.lease = LeaseRecord{};
  view.lease->version = "9";
  view.lease->epoch = {6};
  view.lease->holder_endpoint = "a";
  view.lease->holder_instance = "1";
  view.tenure = Epoch{6};
  view.data = DataShape::kPrimary;
  view.prepared = prepared;
  view.received = Position{1000};
  view.memory = MemberMemory{{6}, Epoch{5}, DataPart::kPrimary, {}, kBefore};
  if (exchanged) view.memory = MemberMemory{{6}, Epoch{6}, DataPart::kPrimary, {}, kRestored};
  return view;
}

TEST(FailoverRestore, AnExchangeIsGoneOnFromWithoutAnother) {
  MemberView view = exchanging(false, true);
  EXPECT_EQ(to_string(decide_member(view)), "PutRestored(6)");
  for (const bool prepared : {true, false}) {
    view = exchanging(true, prepared);
    EXPECT_EQ(to_string(decide_member(view)), "StartPrimary");
    view.process = ProcessState::kPrimaryRunning;
    EXPECT_EQ(to_string(decide_member(view)), "MarkPromoted");
    view.lease->promoted = true;
    EXPECT_EQ(to_string(decide_member(view)), "Wait(Primary)");
    view.process = ProcessState::kStopped;
    view.process_died = true;
    EXPECT_EQ(to_string(decide_member(view)), "ReleaseLease(ProcessDied)");
  }
  // The order is gone before it was carried out: it goes on with what it has.
  EXPECT_EQ(to_string(decide_member(exchanging(false, false))), "Remember(seen 6, data 6 Primary)");
}

// The agent died in the middle of it. The next one has no right to that epoch, whatever it finds beside its data, and
// in the epoch that it is given then it goes on with what is there.
TEST(FailoverRestore, AnotherInstanceExchangesNothingByAnOldOrder) {
  for (const bool exchanged : {true, false})
    for (const bool prepared : {true, false}) {
      MemberView view = exchanging(exchanged, prepared);
      view.tenure.reset();
      view.instance = "2";
      EXPECT_EQ(to_string(decide_member(view)), "Wait(LeaseHeldByEarlierInstance)");
      view.assignment = Assignment{{7}, "a", "a", Cause::kRestart};
      EXPECT_EQ(to_string(decide_member(view)), "Wait(LeaseHeld)");
      view.lease_stood = true;
      EXPECT_EQ(to_string(decide_member(view)), "TakeLease(7)");
      view.lease->epoch = {7};
      view.lease->holder_instance = "2";
      view.tenure = Epoch{7};
      const MemberAction action = decide_member(view);
      const auto* remember = std::get_if<Remember>(&action);
      ASSERT_TRUE(remember) << to_string(action);
      EXPECT_EQ(remember->memory.epochs, exchanged ? kRestored : kBefore);
      EXPECT_EQ(remember->memory.data_epoch, Epoch{7});
    }
}

}  // namespace
}  // namespace twinspan
