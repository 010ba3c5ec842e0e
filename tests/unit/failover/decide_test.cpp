#include "failover/log/decide.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/places.hpp"

namespace twinspan {
namespace {

using std::chrono::milliseconds;

MemberSeen replica(const std::string& name, int64_t frozen_for) {
  MemberSeen seen;
  seen.name = name;
  seen.fresh = true;
  MemberReport report;
  report.endpoint = name;
  report.role = Role::kReplica;
  report.state = frozen_for ? MemberState::kDisconnected : MemberState::kStreaming;
  report.database_running = true;
  report.system_id = "7";
  report.timeline = 1;
  report.received = report.replayed = Position{1000};
  report.frozen_for = {frozen_for};
  report.receiver_stopped = frozen_for != 0;
  report.lag_bytes = 0;
  report.memory = MemberMemory{{1}, Epoch{1}, DataPart::kBegun, std::chrono::seconds(5)};
  seen.report = report;
  return seen;
}

MemberSeen primary(const std::string& name) {
  MemberSeen seen = replica(name, 0);
  seen.report->role = Role::kPrimary;
  seen.report->state = MemberState::kRunning;
  seen.report->sql_healthy = true;
  seen.report->memory->part = DataPart::kPrimary;
  return seen;
}

// What a member reports that has nothing.
MemberSeen empty(const std::string& name, int64_t epoch_seen) {
  MemberSeen seen = replica(name, 0);
  seen.report->role = Role::kNone;
  seen.report->state = MemberState::kEmpty;
  seen.report->database_running = false;
  seen.report->system_id.clear();
  seen.report->timeline.reset();
  seen.report->received = seen.report->replayed = std::nullopt;
  seen.report->memory = MemberMemory{{epoch_seen}, Epoch{0}, DataPart::kSome, std::chrono::seconds(5)};
  return seen;
}

// Nothing is known of it but that its volume was made for this link.
MemberSeen unheard(const std::string& name, bool surely_empty) {
  MemberSeen seen;
  seen.name = name;
  seen.surely_empty = surely_empty;
  return seen;
}

void remembers(MemberSeen& seen, int64_t epoch_seen, int64_t data_epoch, DataPart part) {
  seen.report->memory = MemberMemory{{epoch_seen}, Epoch{data_epoch}, part, std::chrono::seconds(5)};
}

FailoverRules automatic() {
  FailoverRules rules;
  rules.mode = Mode::kAutomatic;
  rules.durability = {true, 1};
  return rules;
}

// East is primary of epoch 1, Services point at it, west and north stream.
FailoverSeen steady() {
  FailoverSeen seen;
  seen.source = "east";
  seen.members = {primary("east"), replica("west", 0), replica("north", 0)};
  seen.lease.emplace();
  seen.lease->version = "10";
  seen.lease->holder_endpoint = "east";
  seen.lease->epoch = {1};
  seen.lease->promoted = true;
  seen.lease_confirmed = true;
  seen.assignment = Assignment{{1}, "east", "east", Cause::kRestart};
  seen.routing = Routing::kTo;
  seen.routed_to = "east";
  seen.endpoints_ready = true;
  seen.primary_last_known = Position{1000};
  seen.ns = "shop";
  seen.link = "orders";
  return seen;
}

// The lease was deleted and made anew; everybody answers and stands still.
FailoverSeen lease_made_anew() {
  FailoverSeen seen = steady();
  seen.lease = LeaseRecord{};
  seen.lease->version = "20";
  seen.lease_may_be_taken = seen.lease_confirmed = true;
  seen.assignment = Assignment{{1}, "east", "", Cause::kInitial};
  seen.members = {primary("east"), replica("west", 2), replica("north", 2)};
  seen.members[0].report->database_running = false;
  return seen;
}

FailoverSeen died() {
  FailoverSeen seen = steady();
  seen.lease->holder_endpoint.clear();
  seen.lease->release = Release{"east", Cause::kProcessDied, std::nullopt};
  seen.lease_may_be_taken = true;
  seen.members = {primary("east"), replica("west", 2), replica("north", 2)};
  seen.members[0].report->database_running = false;
  return seen;
}

std::string text(const Decision& decision) {
  const auto step = decision.current ? fmt::format("{}({}->{})", to_string(decision.current->step),
                                                   decision.current->from, decision.current->to)
                                     : std::string("Steady");
  const auto assign = decision.assign ? fmt::format("{{{}, \"{}\", {}}}", decision.assign->epoch.value,
                                                    decision.assign->primary, to_string(decision.assign->cause))
                                      : std::string("-");
  const std::string route = !decision.route_to ? "-" : decision.route_to->empty() ? "withdraw" : *decision.route_to;
  return fmt::format("{:<26} assign {:<28} route {:<9} {}{}{}", step, assign, route, to_string(decision.reason),
                     decision.ended ? fmt::format(" ({})", to_string(*decision.ended)) : "",
                     decision.needs_person ? ", a person decides" : "");
}

// A new operator's first decision in the middle of a failover: it has asked nobody yet, however old the step is.
TEST(FailoverDecision, ReplicasThatWereNotAskedYetAreWaitedForAndNotPassedOver) {
  for (const milliseconds step_for : {milliseconds(0), milliseconds(60000)})
    for (const int failures : {0, 1})
      for (const milliseconds silent_for : {milliseconds(0), milliseconds(1000)}) {
        FailoverSeen seen = died();
        seen.step_for = step_for;
        for (const size_t replica : {1U, 2U}) {
          seen.members[replica].report.reset();
          seen.members[replica].fresh = false;
          seen.members[replica].failures = failures;
          seen.members[replica].silent_for = silent_for;
        }
        const Decision decision = decide(seen, automatic());
        EXPECT_EQ(decision.assign.has_value(), failures > 0 || silent_for > milliseconds(0)) << decision.message;
      }
}

// The whole table: every situation of the lease and the assignment under every mode. Printed, compared with the golden
// file, and read by people. TWINSPAN_UPDATE_GOLDEN=1 writes it.
TEST(FailoverDecision, TransitionTableIsTheGoldenOne) {
  std::vector<std::pair<std::string, FailoverSeen>> situations;
  const auto add = [&](const std::string& name, const FailoverSeen& seen) { situations.emplace_back(name, seen); };
  add("steady", steady());
  {
    FailoverSeen seen = steady();
    seen.lease.reset();
    add("lease not read", seen);
    seen = steady();
    seen.paused = true;
    add("paused", seen);
    seen = steady();
    seen.assignment.reset();
    seen.lease = LeaseRecord{};
    seen.lease->version = "1";
    seen.lease_may_be_taken = true;
    seen.members = {unheard("east", true), unheard("west", true), unheard("north", true)};
    add("new link", seen);
    seen.members[1].surely_empty = false;
    add("new link, a volume may have data", seen);
    seen = steady();
    seen.lease->promoted = false;
    seen.assignment = Assignment{{1}, "east", "", Cause::kInitial};
    seen.members = {primary("east"), empty("west", 1), empty("north", 1)};
    add("first primary not promoted yet", seen);
    seen.lease_may_be_taken = true;
    add("first primary died before it was promoted", seen);
    seen.members[0] = empty("east", 1);
    add("first primary died before it was promoted and lost its volume", seen);
    seen.members[1] = replica("west", 2);
    add("first primary lost its mark and its volume, a replica is full", seen);
  }
  add("process died, receivers stopped", died());
  {
    FailoverSeen seen = died();
    seen.members[2] = replica("north", 0);
    add("process died, one receiver runs", seen);
    seen.current = Transition{Step::kElecting, {2}, "east", "", Cause::kProcessDied, {}, {}};
    seen.step_for = milliseconds(1500);
    add("process died, one receiver never stops", seen);
    seen = died();
    seen.members[2].report.reset();
    seen.members[2].fresh = false;
    seen.members[2].failures = 5;
    add("process died, one replica silent", seen);
    seen.members[0].fresh = false;
    seen.members[0].failures = 5;
    add("process died, one replica and the old primary silent", seen);
  }
  {
    FailoverSeen seen = steady();
    seen.members[0].fresh = false;
    seen.members[0].failures = 3;
    seen.members[0].silent_for = milliseconds(3000);
    add("primary silent, lease renewed", seen);
    seen.lease_unchanged_for = milliseconds(3000);
    add("primary silent, lease not renewed", seen);
    seen.assignment = Assignment{{2}, "", "east", Cause::kPrimaryUnreachable};
    seen.current = Transition{Step::kFencing, {2}, "east", "", Cause::kPrimaryUnreachable, {}, {}};
    seen.members[1] = replica("west", 2);
    seen.members[2] = replica("north", 2);
    add("fencing, lease still held", seen);
    seen.lease_may_be_taken = true;
    seen.lease_unchanged_for = milliseconds(5000);
    add("fencing, lease run out", seen);
    seen.assignment = Assignment{{2}, "west", "east", Cause::kPrimaryUnreachable};
    seen.current = Transition{Step::kPromoting, {2}, "east", "west", Cause::kPrimaryUnreachable, {}, {}};
    add("promoting, candidate waits for the lease", seen);
    seen.step_for = milliseconds(35000);
    add("promoting, candidate too late", seen);
    seen.step_for = milliseconds(10);
    seen.lease->holder_endpoint = "west";
    seen.lease->epoch = {2};
    seen.lease->promoted = false;
    seen.lease_may_be_taken = false;
    seen.lease_unchanged_for = milliseconds(0);
    add("promoting, candidate has the lease", seen);
    seen.lease->promoted = true;
    add("promoted, Services elsewhere", seen);
    seen.routed_to = "west";
    seen.endpoints_ready = false;
    add("promoted, EndpointSlices behind", seen);
    seen.endpoints_ready = true;
    add("promoted and rerouted", seen);
  }
  {
    FailoverSeen seen = steady();
    seen.members[0].report->sql_healthy = false;
    seen.members[0].report->sql_failures = 3;
    add("primary answers no SQL", seen);
    seen = steady();
    seen.lease_may_be_taken = true;
    seen.lease_unchanged_for = milliseconds(5000);
    add("lease run out", seen);
    seen.lease_confirmed = false;
    add("lease run out, as an operator sees it that stood still", seen);
    seen = lease_made_anew();
    add("lease made anew", seen);
    seen.lease_confirmed = false;
    add("lease behind what members remember", seen);
    seen.lease_confirmed = true;
    seen.assignment.reset();
    add("link applied again over kept volumes", seen);
    remembers(seen.members[1], 2, 2, DataPart::kPrimary);
    remembers(seen.members[2], 2, 2, DataPart::kBegun);
    add("link applied again after a failover", seen);
    seen.members[2] = unheard("north", false);
    add("link applied again, one silent", seen);
    seen.lease_unchanged_for = milliseconds(30000);
    add("link applied again, one silent for long", seen);
    seen.word = PromoteWord{"west", {3}};
    add("link applied again, one silent, a person decides", seen);
    seen.word = PromoteWord{"west", {4}};
    add("link applied again, one silent, a word for another epoch", seen);
    seen.word.reset();
    seen.members[2] = empty("north", 2);
    seen.members[1] = empty("west", 2);
    remembers(seen.members[0], 2, 1, DataPart::kPrimary);
    add("link applied again, the last primary lost its volume", seen);
    seen.members[0] = empty("east", 2);
    add("link applied again, nobody has data", seen);
    seen = lease_made_anew();
    seen.assignment = Assignment{{5}, "east", "", Cause::kInitial};
    add("lease made anew, the assignment is above what is remembered", seen);
    remembers(seen.members[1], 3, 3, DataPart::kPrimary);
    add("lease made anew, an older source is assigned above what is remembered", seen);
    seen = lease_made_anew();
    remembers(seen.members[1], 1, 1, DataPart::kPrimary);
    add("lease made anew, two were primary", seen);
    seen.members[1] = replica("west", 2);
    seen.members[1].report->system_id = "8";
    add("lease made anew, another database", seen);
    seen = died();
    seen.lease->release.reset();
    add("freed by hand", seen);
    seen.members[0].report->memory.reset();
    add("freed by hand, an older agent", seen);
    seen = died();
    seen.lease->epoch = {2};
    seen.lease->promoted = false;
    seen.lease->release = Release{"west", Cause::kProcessDied, std::nullopt};
    seen.assignment = Assignment{{2}, "west", "east", Cause::kProcessDied};
    seen.current = Transition{Step::kPromoting, {2}, "east", "west", Cause::kProcessDied, {}, {}};
    seen.members[1] = replica("west", 3);
    seen.members[2] = replica("north", 3);
    for (const size_t replica : {1U, 2U}) seen.members[replica].report->memory->epoch_seen = {2};
    seen.members[0].fresh = false;
    seen.members[0].failures = 5;
    add("candidate let go without ever accepting writes", seen);
    seen.lease->release.reset();
    seen.lease->holder_endpoint = "west";
    seen.lease_may_be_taken = false;
    seen.members[1] = replica("west", 0);
    remembers(seen.members[1], 2, 2, DataPart::kPrimary);
    seen.members[1].report->role = Role::kPrimary;
    seen.members[1].report->state = MemberState::kPromoting;
    seen.members[2] = replica("north", 0);
    add("candidate promotes", seen);
    seen.step_for = seen.holder_for = milliseconds(30000);
    add("candidate promotes for too long", seen);
    seen.members[2].report->received = Position{900};
    add("candidate promotes for too long, the other has less", seen);
    seen.word = PromoteWord{"north", {3}};
    add("candidate promotes for too long, a person decides", seen);
    seen = steady();
    seen.assignment.reset();
    add("status deleted", seen);
    seen = steady();
    seen.assignment = Assignment{{2}, "west", "east", Cause::kSwitchover};
    seen.current = Transition{Step::kPromoting, {2}, "east", "west", Cause::kSwitchover, {}, {}};
    add("switchover, primary hands over", seen);
    seen.step_for = milliseconds(35000);
    add("switchover too late", seen);
    seen.step_for = milliseconds(10);
    seen.lease->holder_endpoint.clear();
    seen.lease->release = Release{"east", Cause::kSwitchover, Position{1000}};
    seen.lease_may_be_taken = true;
    add("switchover, handed over", seen);
    seen.lease->release->final_position = Position{1001};
    add("switchover, handed over, candidate reports less", seen);
    seen.lease_unchanged_for = milliseconds(1000);
    add("switchover, handed over, candidate lacks the end", seen);
    seen.lease->release->final_position.reset();
    add("switchover, ended without handing over", seen);
  }

  const std::vector<std::pair<std::string, Mode>> modes{{"Automatic", Mode::kAutomatic},
                                                        {"Manual", Mode::kManual},
                                                        {"DryRun", Mode::kDryRun},
                                                        {"no policy", Mode::kRestartOnly}};
  std::string table;
  for (const auto& [name, seen] : situations) {
    table += name + "\n";
    for (const auto& [mode_name, mode] : modes) {
      FailoverRules rules = automatic();
      rules.mode = mode;
      table += fmt::format("  {:<10} {}\n", mode_name, text(decide(seen, rules)));
    }
  }
  const std::string path = test::in_source("/tests/golden/failover_transitions.txt");
  if (std::getenv("TWINSPAN_UPDATE_GOLDEN")) std::ofstream(path) << table;
  std::stringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(table, golden.str()) << "TWINSPAN_UPDATE_GOLDEN=1 writes the table as it is now";
}

TEST(FailoverDecision, SilenceAloneIsNoReasonWhileTheLeaseIsRenewed) {
  for (int failures : {0, 3, 100})
    for (auto silent : {milliseconds(0), milliseconds(3000), milliseconds(100000)}) {
      FailoverSeen seen = steady();
      seen.members[0].fresh = false;
      seen.members[0].failures = failures;
      seen.members[0].silent_for = silent;
      seen.lease_unchanged_for = milliseconds(999);
      EXPECT_FALSE(decide(seen, automatic()).assign);
    }
}

TEST(FailoverDecision, IsRepeatableOnceCarriedOut) {
  FailoverSeen seen = died();
  const Decision first = decide(seen, automatic());
  ASSERT_TRUE(first.assign);
  seen.assignment = first.assign;
  seen.current = first.current;
  const Decision second = decide(seen, automatic());
  EXPECT_FALSE(second.assign);
  EXPECT_EQ(second.current, first.current);
}

TEST(FailoverDecision, DesiredPrimaryIsActedUponOnce) {
  FailoverRules rules = automatic();
  rules.desired_primary = "west";
  FailoverSeen seen = steady();
  EXPECT_EQ(decide(seen, rules).assign, (Assignment{{2}, "west", "east", Cause::kSwitchover}));
  seen.desired_reached = "west";  // it was there, and failed away to east
  EXPECT_FALSE(decide(seen, rules).assign);
  rules.failback = FailbackMode::kAutomatic;
  seen.stable_for = rules.failback_stable - milliseconds(1);
  EXPECT_FALSE(decide(seen, rules).assign);
  seen.stable_for = rules.failback_stable;
  EXPECT_TRUE(decide(seen, rules).assign);
}

TEST(FailoverDecision, SwitchoverToWhoIsNotReadyIsRefusedWithTheReason) {
  FailoverRules rules = automatic();
  rules.desired_primary = "west";
  FailoverSeen seen = steady();
  seen.members[1].report->state = MemberState::kCatchingUp;
  const Decision decision = decide(seen, rules);
  EXPECT_FALSE(decision.assign);
  EXPECT_EQ(decision.reason, LogReason::kSwitchoverRefused);
  EXPECT_EQ(decision.message, "west is CatchingUp, not Streaming");
}

TEST(FailoverDecision, WhoeverLetGoIsTheOldPrimaryWhateverTheAssignmentSays) {
  FailoverSeen seen = died();
  seen.assignment = Assignment{{1}, "west", "east", Cause::kProcessDied};  // lost the race for epoch 1
  const Decision decision = decide(seen, automatic());
  ASSERT_TRUE(decision.current);
  EXPECT_EQ(decision.current->from, "east");
}

// Whoever may have data has to be heard before a first primary is named; whose volume was made for this link need not.
TEST(FailoverDecision, AnEmptyDatabaseIsOnlyBegunWhereNobodyCanHaveData) {
  for (int64_t lease_epoch : {0, 1})
    for (bool promoted : {false, true})
      for (int64_t remembered : {0, 1, 7})
        for (int west = 0; west < 4; ++west) {
          FailoverSeen seen = lease_made_anew();
          seen.lease->epoch = {lease_epoch};
          seen.lease->promoted = promoted;
          if (lease_epoch > 0) seen.lease->release = Release{"east", Cause::kProcessDied, std::nullopt};
          if (lease_epoch == 0) seen.assignment.reset();
          const std::vector<MemberSeen> wests{unheard("west", true), unheard("west", false), empty("west", remembered),
                                              replica("west", 2)};
          seen.members = {empty("east", remembered), wests[static_cast<size_t>(west)]};
          const Decision decision = decide(seen, automatic());
          // Where somebody remembers an epoch, a volume that looks new proves nothing.
          const bool nobody = (west == 0 && remembered == 0) || west == 2;
          EXPECT_EQ(decision.assign && decision.assign->cause == Cause::kInitial,
                    nobody && !promoted && remembered <= lease_epoch)
              << to_string(decision.reason) << ": " << decision.message;
        }
}

TEST(FailoverDecision, NoEpochIsUsedTwiceWhateverIsDeletedOrRestored) {
  for (int64_t lease_epoch : {0, 1, 2, 5})
    for (int64_t remembered : {1, 2, 5})
      for (int64_t assigned : {0, 1, 2, 5, 6})
        for (const char* named : {"", "east", "west"})
          for (bool released : {false, true}) {
            FailoverSeen seen = lease_made_anew();
            seen.lease->epoch = {lease_epoch};
            seen.lease->promoted = lease_epoch > 0;
            if (released && lease_epoch > 0) seen.lease->release = Release{"east", Cause::kProcessDied, std::nullopt};
            seen.assignment.reset();
            if (assigned > 0) seen.assignment = Assignment{{assigned}, named, "", Cause::kProcessDied};
            for (MemberSeen& one : seen.members) one.report->memory->epoch_seen = {remembered};
            seen.members[0].report->memory->data_epoch = Epoch{remembered};
            const Decision decision = decide(seen, automatic());
            if (decision.assign) {
              EXPECT_GT(decision.assign->epoch, Epoch{std::max(lease_epoch, remembered)}) << decision.message;
              EXPECT_GE(decision.assign->epoch.value, assigned);
            }
          }
}

TEST(FailoverDecision, WhatOnlyAPersonCanDecideNamesTheCommandThatDoes) {
  FailoverSeen seen = lease_made_anew();
  seen.members[2] = unheard("north", false);
  const Decision held = decide(seen, automatic());
  EXPECT_FALSE(held.assign);
  EXPECT_NE(held.message.find("north is not heard yet"), std::string::npos) << held.message;
  EXPECT_NE(
      held.message.find("kubectl -n shop annotate replicationlink orders --overwrite twinspan.dev/promote=east@2"),
      std::string::npos)
      << held.message;
  seen.word = PromoteWord{"east", {2}};
  const Decision decided = decide(seen, automatic());
  ASSERT_TRUE(decided.assign);
  EXPECT_EQ(decided.assign->primary, "east");
  EXPECT_EQ(decided.assign->epoch, Epoch{2});
  seen.assignment = decided.assign;  // said once, it counts once
  seen.current = decided.current;
  EXPECT_FALSE(decide(seen, automatic()).assign);
  seen.word = PromoteWord{"west", {3}};  // and another may follow, as long as the first has not taken the lease
  EXPECT_EQ(decide(seen, automatic()).assign->primary, "west");
}

// Named to start again while its pod still answered, it came back with a new volume.
TEST(FailoverDecision, AnEndpointThatLostItsDataIsNotWaitedFor) {
  for (Mode mode : {Mode::kRestartOnly, Mode::kManual, Mode::kDryRun, Mode::kAutomatic})
    for (bool tells : {true, false}) {
      FailoverRules rules = automatic();
      rules.mode = mode;
      FailoverSeen seen = died();
      if (!tells) seen.lease->release.reset();
      seen.assignment = Assignment{{2}, "east", "east", Cause::kRestart};
      seen.members[0] = empty("east", 1);
      const Decision failed = decide(seen, rules);
      ASSERT_TRUE(failed.assign) << failed.message;
      EXPECT_EQ(failed.assign->primary, "");
      seen.assignment = failed.assign;
      seen.current = failed.current;
      const Decision next = decide(seen, rules);
      if (mode == Mode::kAutomatic) {
        ASSERT_TRUE(next.assign) << next.message;
        EXPECT_NE(next.assign->primary, "east");
        continue;
      }
      EXPECT_FALSE(next.assign && next.assign->primary == "east") << next.message;
      EXPECT_NE(next.message.find("twinspan.dev/promote=west@"), std::string::npos) << next.message;
    }
}

TEST(FailoverDecision, AWordIsNothingToAPrimaryThatIsWell) {
  FailoverSeen seen = steady();
  for (int64_t epoch : {1, 2, 3}) {
    seen.word = PromoteWord{"west", {epoch}};
    EXPECT_FALSE(decide(seen, automatic()).assign);
  }
}

TEST(FailoverDecision, EveryStepHasItsName) {
  for (Step step : {Step::kSteady, Step::kFencing, Step::kElecting, Step::kPromoting, Step::kRerouting})
    EXPECT_EQ(parse_step(to_string(step)), step);
}

// Its leaseTransitions were set to 0 by hand: it then looks like one that nobody ever held.
TEST(FailoverDecision, WhoIsNotHeardIsNotEmptyWhereSomebodyRemembersAnEpoch) {
  FailoverSeen seen = steady();
  seen.lease = LeaseRecord{};
  seen.lease->version = "9";
  seen.lease_may_be_taken = seen.lease_confirmed = true;
  seen.members = {unheard("east", true), replica("west", 4), replica("north", 4)};
  for (size_t i : {1u, 2u}) remembers(seen.members[i], 3, 3, DataPart::kSome);
  const Decision decision = decide(seen, automatic());
  EXPECT_EQ(decision.reason, LogReason::kHistoryUnknown) << decision.message;
  EXPECT_FALSE(decision.assign);
}

// The assignment outlives the lease: a source that lost its volume must not find a leave to begin from nothing in it.
TEST(FailoverDecision, TheLeaveToBeginFromNothingEndsWithTheFirstWrite) {
  FailoverSeen seen = steady();
  seen.assignment = Assignment{{1}, "east", "", Cause::kInitial};
  EXPECT_EQ(decide(seen, automatic()).assign, (Assignment{{1}, "east", "east", Cause::kRestart}));
  // It accepts writes by its own word, though the lease does not say so yet.
  seen.lease->promoted = false;
  EXPECT_EQ(decide(seen, automatic()).assign, (Assignment{{1}, "east", "east", Cause::kRestart}));
  // A replica has followed it, which nobody does before the lease says so.
  for (MemberSeen& one : seen.members)
    if (one.name == "east") one.report->state = MemberState::kStarting;
  EXPECT_EQ(decide(seen, automatic()).assign, (Assignment{{1}, "east", "east", Cause::kRestart}));
  for (MemberSeen& one : seen.members)
    if (one.name != "east") one.report->memory->data_epoch = Epoch{0};
  EXPECT_FALSE(decide(seen, automatic()).assign);
}

// The status was written and the assignment after it was not: the same look comes again.
TEST(FailoverDecision, ACandidateIsExcludedOnce) {
  FailoverSeen seen = steady();
  seen.lease->holder_endpoint.clear();
  seen.lease->release = Release{"east", Cause::kProcessDied, std::nullopt};
  seen.lease_may_be_taken = true;
  seen.assignment = Assignment{{2}, "west", "east", Cause::kProcessDied};
  seen.members[1].report->system_id.clear();
  seen.current = Transition{Step::kFencing, {2}, "east", "", Cause::kProcessDied, {"west"}, std::nullopt};
  const Decision decision = decide(seen, automatic());
  ASSERT_TRUE(decision.current);
  EXPECT_LE(std::count(decision.current->excluded.begin(), decision.current->excluded.end(), "west"), 1);
  EXPECT_EQ(decision.assign, (Assignment{{2}, "", "east", Cause::kProcessDied})) << decision.message;
}

// Somebody lowered its epoch: whoever remembers more follows it no longer, and never would again.
TEST(FailoverDecision, APrimaryWhoseLeaseWentBackStartsAgainAboveWhatIsRemembered) {
  FailoverSeen seen = steady();
  seen.lease_confirmed = true;
  for (MemberSeen& one : seen.members)
    if (one.name != "east") one.report->memory->epoch_seen = Epoch{4};
  const Decision decision = decide(seen, automatic());
  EXPECT_EQ(decision.reason, LogReason::kLeaseWentBack);
  EXPECT_EQ(decision.assign, (Assignment{{5}, "", "east", Cause::kRestart}));
}

// Whom lease and status name as the last primary, by an edit or a restored status, knows that it was a replica.
TEST(FailoverDecision, WhoSaysThatItWasAReplicaDoesNotStartAgainInPlace) {
  FailoverSeen seen = steady();
  seen.lease->holder_endpoint.clear();
  seen.lease->release = Release{"west", Cause::kProcessDied, std::nullopt};
  seen.lease_may_be_taken = seen.lease_confirmed = true;
  seen.members = {unheard("east", false), replica("west", 2), unheard("north", false)};
  FailoverRules rules = automatic();
  rules.mode = Mode::kManual;
  const Decision decision = decide(seen, rules);
  EXPECT_EQ(decision.reason, LogReason::kHistoryUnknown) << decision.message;
  EXPECT_FALSE(decision.assign);
}

// The old primary was back after the choice and wrote on: the choice is made again, knowing how far it went.
TEST(FailoverDecision, WhoeverWasChosenBeforeTheEndOfTheLogIsChosenAgainByIt) {
  FailoverSeen seen = steady();
  seen.lease->holder_endpoint.clear();
  seen.lease->release = Release{"east", Cause::kPrimaryUnreachable, Position{5000}};
  seen.lease_may_be_taken = true;
  seen.lease_unchanged_for = std::chrono::seconds(2);
  seen.assignment = Assignment{{2}, "west", "east", Cause::kPrimaryUnreachable};
  EXPECT_EQ(decide(seen, automatic()).assign, (Assignment{{2}, "", "east", Cause::kPrimaryUnreachable}));
  seen.assignment->final_position = Position{5000};
  EXPECT_EQ(decide(seen, automatic()).reason, LogReason::kPromoting) << "it was known";
}

// A restarted agent has yet to read its files: what it does not say is not nothing.
TEST(FailoverDecision, NobodyIsElectedBeforeEverybodyHasSaidHowFarItsDataGo) {
  FailoverSeen seen = steady();
  seen.lease = LeaseRecord{};
  seen.lease->version = "9";
  seen.lease_may_be_taken = seen.lease_confirmed = true;
  seen.members = {empty("east", 3), replica("west", 4), replica("north", 4)};
  for (size_t i : {1u, 2u}) remembers(seen.members[i], 3, 3, DataPart::kSome);
  seen.members[2].report->received.reset();
  const Decision decision = decide(seen, automatic());
  EXPECT_EQ(decision.reason, LogReason::kHistoryUnknown) << decision.message;
  EXPECT_FALSE(decision.assign);
}

// By the fresh word of the primary itself: what was heard earlier, or of another Restore, moves nothing.
TEST(Decide, DataAreReplacedByTheWordOfThePrimary) {
  for (const char* wanted : {"", "before", "other"})
    for (const char* prepared : {"", "before"})
      for (const bool fresh : {true, false})
        for (const bool paused : {true, false})
          for (const Mode mode : {Mode::kAutomatic, Mode::kManual, Mode::kRestartOnly, Mode::kDryRun}) {
            FailoverSeen seen = steady();
            seen.replace = wanted;
            seen.members[0].report->prepared = prepared;
            seen.members[1].report->prepared = "before";
            seen.members[0].fresh = fresh;
            seen.paused = paused;
            FailoverRules rules = automatic();
            rules.mode = mode;
            const Decision decision = decide(seen, rules);
            const bool due = std::string(wanted) == "before" && std::string(prepared) == "before" && fresh && !paused;
            EXPECT_EQ(decision.assign.has_value(), due) << text(decision);
            if (due) {
              EXPECT_EQ(decision.assign, (Assignment{{2}, "east", "east", Cause::kRestore}));
            }
          }
}

// What lies in its place then is short of the old log by a person's word: nobody else is chosen for that.
TEST(Decide, ARestoredPrimaryMayBeShortOfItsOldLog) {
  FailoverSeen seen = steady();
  seen.assignment = Assignment{{2}, "east", "east", Cause::kRestore};
  seen.current = Transition{Step::kPromoting, {2}, "east", "east", Cause::kRestore, {}, std::nullopt};
  seen.lease->holder_endpoint.clear();
  seen.lease->release = Release{"east", Cause::kRestore, Position{1000}};
  seen.lease_may_be_taken = true;
  seen.lease_unchanged_for = std::chrono::milliseconds(2000);
  seen.members[0].report->received = Position{400};
  const Decision decision = decide(seen, automatic());
  EXPECT_EQ(decision.reason, LogReason::kPromoting) << text(decision);
  EXPECT_FALSE(decision.assign);
  // It does not come back: somebody else is chosen, and what it was told is no reason any more.
  seen.members[0].failures = 10;
  seen.members[0].silent_for = std::chrono::seconds(60);
  seen.members[0].fresh = false;
  const Decision given_up = decide(seen, automatic());
  ASSERT_TRUE(given_up.assign);
  EXPECT_EQ(given_up.assign->primary, "");
  EXPECT_NE(given_up.assign->cause, Cause::kRestore);
}

}  // namespace
}  // namespace twinspan
