#include "failover/decide.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

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
  seen.report = report;
  return seen;
}

MemberSeen primary(const std::string& name) {
  MemberSeen seen = replica(name, 0);
  seen.report->role = Role::kPrimary;
  seen.report->state = MemberState::kRunning;
  seen.report->sql_healthy = true;
  return seen;
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
  seen.assignment = Assignment{{1}, "east", "", Cause::kInitial};
  seen.routing = Routing::kTo;
  seen.routed_to = "east";
  seen.endpoints_ready = true;
  seen.primary_last_known = Position{1000};
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
  return fmt::format("{:<26} assign {:<28} route {:<9} {}{}", step, assign, route, decision.reason,
                     decision.completed ? " (" + decision.outcome + ")" : "");
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
    add("new link", seen);
    seen = steady();
    seen.lease->promoted = false;
    add("first primary not promoted yet", seen);
    seen.lease_may_be_taken = true;
    add("first primary died before it was promoted", seen);
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
    seen.step_for = milliseconds(30000);
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
    seen = steady();
    seen.assignment = Assignment{{5}, "east", "", Cause::kInitial};
    add("lease replaced by an older one", seen);
    seen = steady();
    seen.assignment = Assignment{{2}, "west", "east", Cause::kSwitchover};
    seen.current = Transition{Step::kPromoting, {2}, "east", "west", Cause::kSwitchover, {}, {}};
    add("switchover, primary hands over", seen);
    seen.step_for = milliseconds(30000);
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
  const std::string path = std::string(TWINSPAN_SOURCE_DIR) + "/tests/golden/failover_transitions.txt";
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
  EXPECT_EQ(decision.reason, "SwitchoverRefused");
  EXPECT_EQ(decision.message, "west is CatchingUp, not Streaming");
}

TEST(FailoverDecision, WhoeverLetGoIsTheOldPrimaryWhateverTheAssignmentSays) {
  FailoverSeen seen = died();
  seen.assignment = Assignment{{1}, "west", "east", Cause::kProcessDied};  // lost the race for epoch 1
  const Decision decision = decide(seen, automatic());
  ASSERT_TRUE(decision.current);
  EXPECT_EQ(decision.current->from, "east");
}

TEST(FailoverDecision, EveryStepHasItsName) {
  for (Step step : {Step::kSteady, Step::kFencing, Step::kElecting, Step::kPromoting, Step::kRerouting})
    EXPECT_EQ(parse_step(to_string(step)), step);
}

}  // namespace
}  // namespace twinspan
