#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "failover/flow/decide.hpp"
#include "tests/places.hpp"

namespace twinspan {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong{600000};
constexpr FlowWords kWords{"bucket", "buckets", "key", "keys", "maxMissingKeys"};

PlaceSeen place(const std::string& name, Reach reach = Reach::kReachable) {
  PlaceSeen seen;
  seen.name = name;
  seen.reach = reach;
  seen.reach_for = kLong;
  seen.failures = reach == Reach::kUnreachable ? 100 : 0;
  seen.message = reach == Reach::kReachable ? "" : "connection refused";
  return seen;
}

PlaceSeen copy(const std::string& name, uint64_t missing = 0) {
  PlaceSeen seen = place(name);
  seen.writable = true;
  seen.complete_once = seen.caught_up = true;
  seen.missing = missing;
  seen.listed_at = "2026-11-21T10:00:00Z";
  seen.sync_took = milliseconds(2000);
  return seen;
}

// sgp is primary since the beginning, nyc and fra have everything.
FlowSeen steady() {
  FlowSeen seen;
  seen.words = kWords;
  seen.source = "sgp";
  seen.places = {place("sgp"), copy("nyc"), copy("fra")};
  seen.workers = {{"s3-0", true, Epoch{1}, false}};
  seen.assignment = Assignment{{1}, "sgp", "", Cause::kInitial};
  seen.stable_for = kLong;
  seen.routing = Routing::kTo;
  seen.routed_to = "sgp";
  return seen;
}

FlowSeen source_down() {
  FlowSeen seen = steady();
  seen.places[0] = place("sgp", Reach::kUnreachable);
  return seen;
}

// sgp was down, nyc has been primary since; sgp has everything by now.
FlowSeen moved() {
  FlowSeen seen = steady();
  seen.places = {copy("sgp"), place("nyc"), copy("fra")};
  seen.workers[0].adopted = Epoch{2};
  seen.assignment = Assignment{{2}, "nyc", "sgp", Cause::kPrimaryUnreachable};
  seen.routed_to = "nyc";
  return seen;
}

FlowSeen switching(FlowStep step) {
  FlowSeen seen = steady();
  seen.current = FlowMove{step, {3}, "sgp", "nyc", Cause::kSwitchover, 0, ""};
  seen.routing = Routing::kWithdrawn;
  seen.routed_to = "";
  if (step == FlowStep::kWithdrawing) return seen;
  const bool stopping = step == FlowStep::kStopping || step == FlowStep::kRerouting;
  seen.assignment = Assignment{{stopping ? 3 : 2}, stopping ? "nyc" : "sgp", "sgp", Cause::kSwitchover};
  seen.workers[0].adopted = seen.assignment->epoch;
  return seen;
}

FlowSeen failing_over(FlowStep step) {
  FlowSeen seen = source_down();
  seen.current = FlowMove{step, {2}, "sgp", "nyc", Cause::kPrimaryUnreachable, 3, "2026-11-21T10:00:00Z"};
  seen.assignment = Assignment{{2}, "nyc", "sgp", Cause::kPrimaryUnreachable};
  seen.routing = Routing::kWithdrawn;
  seen.routed_to = "";
  return seen;
}

FlowPast past(int64_t epoch, const std::string& primary, FlowReason reason = FlowReason::kNone) {
  return {true, Epoch{epoch}, primary, reason, reason == FlowReason::kNone ? "" : "why"};
}

FlowRules rules(Mode mode = Mode::kAutomatic, const std::string& desired = "") {
  FlowRules rules;
  rules.mode = mode;
  rules.desired_primary = desired;
  return rules;
}

std::string text(const FlowDecision& decision) {
  const auto step = decision.current
                        ? fmt::format("{}({}->{} in {})", to_string(decision.current->step), decision.current->from,
                                      decision.current->to, decision.current->epoch.value)
                        : std::string("Steady");
  const auto assign = decision.assign ? fmt::format("{{{}, \"{}\", {}}}", decision.assign->epoch.value,
                                                    decision.assign->primary, to_string(decision.assign->cause))
                                      : std::string("-");
  const std::string route = !decision.route_to ? "-" : decision.route_to->empty() ? "withdraw" : *decision.route_to;
  return fmt::format("{:<28} assign {:<32} route {:<9} {}{}", step, assign, route, to_string(decision.reason),
                     decision.ended ? fmt::format(" ({})", to_string(*decision.ended)) : "");
}

TEST(FlowDecision, FailsOverExactlyWhenBothBoundsOfSilenceAreExceededAndMeasured) {
  for (const Reach reach : {Reach::kUnknown, Reach::kReachable, Reach::kUnreachable, Reach::kRefused})
    for (const int silent_ms : {0, 2999, 3000, 600000})
      for (const int failures : {0, 2, 3, 100})
        for (const Mode mode : {Mode::kManual, Mode::kDryRun, Mode::kAutomatic}) {
          FlowSeen seen = steady();
          seen.places[0] = place("sgp", reach);
          seen.places[0].reach_for = milliseconds(silent_ms);
          seen.places[0].failures = failures;
          const FlowDecision decision = decide(seen, rules(mode));
          const bool due = reach == Reach::kUnreachable && silent_ms >= 3000 && failures >= 3;
          EXPECT_EQ(decision.assign.has_value(), due && mode == Mode::kAutomatic) << text(decision);
          EXPECT_EQ(decision.current.has_value(), due && mode == Mode::kAutomatic) << text(decision);
        }
}

TEST(FlowDecision, ACandidateMustAnswerTakeWritesHaveBeenCompleteAndBeWithinTheBound) {
  for (const Reach reach : {Reach::kUnknown, Reach::kReachable, Reach::kUnreachable, Reach::kRefused})
    for (const std::optional<bool> writable : {std::optional<bool>(), {false}, {true}})
      for (const bool complete : {false, true})
        for (const std::optional<uint64_t> missing : {std::optional<uint64_t>(), {0}, {10}, {11}})
          for (const std::optional<uint64_t> bound : {std::optional<uint64_t>(), {0}, {10}}) {
            FlowSeen seen = source_down();
            seen.places.resize(2);
            seen.places[1].reach = reach;
            seen.places[1].writable = writable;
            seen.places[1].complete_once = complete;
            seen.places[1].missing = missing;
            FlowRules with = rules();
            with.max_missing = bound;
            const FlowDecision decision = decide(seen, with);
            const bool within = !bound || (missing && *missing <= *bound);
            EXPECT_EQ(decision.assign.has_value(), reach == Reach::kReachable && writable == true && complete && within)
                << decision.message;
            if (decision.assign) {
              EXPECT_EQ(decision.current->missing, missing);
            } else {
              EXPECT_NE(decision.message.find("nyc: "), std::string::npos) << "the refusal is explained";
            }
          }
}

TEST(FlowDecision, AmongCandidatesThePreferredThenTheOneThatLacksLeast) {
  FlowSeen seen = source_down();
  seen.places[1].missing = 5;
  seen.places[2].missing = 4;
  EXPECT_EQ(decide(seen, rules()).assign->primary, "fra");
  seen.places[1].missing.reset();
  EXPECT_EQ(decide(seen, rules()).assign->primary, "fra") << "unknown is worse than any number";
  FlowRules prefers = rules();
  prefers.prefer = {"nyc"};
  EXPECT_EQ(decide(seen, prefers).assign->primary, "nyc");
  prefers.desired_primary = "fra";
  EXPECT_EQ(decide(seen, prefers).assign->primary, "fra") << "a person's wish counts above";
  prefers.desired_primary = "";
  seen.places[1].writable = false;
  EXPECT_EQ(decide(seen, prefers).assign->primary, "fra");
}

// The one rule that keeps an old direction from overwriting what clients write after the flip.
TEST(FlowDecision, ClientsAreSentNowhereNewBeforeEveryWorkerHasLeftTheOldDirection) {
  for (const bool fresh : {false, true})
    for (const std::optional<Epoch> adopted : {std::optional<Epoch>(), {Epoch{1}}, {Epoch{2}}, {Epoch{3}}})
      for (const bool expired : {false, true})
        for (const bool second_too : {false, true}) {
          FlowSeen seen = failing_over(FlowStep::kStopping);
          seen.workers = {{"s3-0", fresh, adopted, expired}, {"s3-1", true, Epoch{second_too ? 2 : 1}, false}};
          const FlowDecision decision = decide(seen, rules());
          const bool left = (expired || (fresh && adopted && *adopted >= Epoch{2})) && second_too;
          EXPECT_EQ(decision.route_to, left ? "nyc" : "") << text(decision);
          EXPECT_EQ(decision.current->step, left ? FlowStep::kRerouting : FlowStep::kStopping);
        }
}

TEST(FlowDecision, ASwitchoverChangesDirectionOnlyAfterClientsAreAwayAndAFullSyncThatBeganThenFoundNothingLeft) {
  for (const Routing routing : {Routing::kUnknown, Routing::kTo, Routing::kWithdrawn})
    for (const int64_t adopted : {1, 2})
      for (const bool caught_up : {false, true}) {
        FlowSeen seen = switching(FlowStep::kDraining);
        seen.routing = routing;
        seen.workers[0].adopted = Epoch{adopted};
        seen.places[1].caught_up = caught_up;
        const FlowDecision decision = decide(seen, rules());
        const bool over = routing == Routing::kWithdrawn && adopted == 2 && caught_up;
        EXPECT_EQ(decision.assign.has_value(), over) << text(decision);
        EXPECT_EQ(decision.current->step, over ? FlowStep::kStopping : FlowStep::kDraining);
      }
}

TEST(FlowDecision, ASwitchoverThatTakesTooLongGoesBackToTheOldPrimaryWithoutAnyChangeOfDirection) {
  for (const FlowStep step : {FlowStep::kWithdrawing, FlowStep::kDraining}) {
    FlowSeen seen = switching(step);
    seen.places[1].caught_up = false;
    seen.step_for = milliseconds(29999);
    EXPECT_NE(decide(seen, rules()).route_to, "sgp");
    seen.step_for = milliseconds(30000);
    const FlowDecision decision = decide(seen, rules());
    EXPECT_EQ(decision.route_to, "sgp");
    EXPECT_FALSE(decision.assign.has_value());
    seen.current = decision.current;
    seen.routing = Routing::kTo;
    seen.routed_to = "sgp";
    EXPECT_EQ(decide(seen, rules()).ended, Ending::kCancelled);
  }
}

// As where a ConfigMap that names the dead bucket can't be written: the rest went there, and that one dies, too.
TEST(FlowDecision, ClientsThatCanNotAllBeLedAreNotLeftWithADeadBucket) {
  FlowSeen seen = failing_over(FlowStep::kRerouting);
  seen.routing = Routing::kUnknown;
  ASSERT_TRUE(decide(seen, rules()).current);
  for (PlaceSeen& one : seen.places) one = one.name == "nyc" ? place("nyc", Reach::kUnreachable) : copy(one.name);
  const FlowDecision decision = decide(seen, rules());
  ASSERT_TRUE(decision.assign) << decision.message;
  EXPECT_GT(decision.assign->epoch, seen.assignment->epoch);
  EXPECT_NE(decision.assign->primary, "nyc");
  EXPECT_EQ(decision.assign->previous, "nyc");
  ASSERT_TRUE(decision.current);
  EXPECT_EQ(decision.current->step, FlowStep::kStopping);
  FlowRules manual = rules();
  manual.mode = Mode::kManual;
  EXPECT_FALSE(decide(seen, manual).assign);
}

// All that tells clients was refused: where it belongs is known all the same, but not while the old way may still run.
TEST(FlowDecision, WithNothingThatTellsClientsWhereItBelongsIsKnown) {
  FlowSeen seen = moved();
  seen.routes = false;
  seen.routing = Routing::kUnknown;
  EXPECT_EQ(decide(seen, rules()).route_to, "nyc");
  seen.workers[0].adopted = Epoch{1};
  EXPECT_FALSE(decide(seen, rules()).route_to);
}

// Whichever step was written last, and whichever effect came of it: any operator goes on to the same end.
TEST(FlowDecision, EveryChangeEndsFromEveryStepWhateverWasCarriedOutOfIt) {
  for (FlowSeen start :
       {switching(FlowStep::kWithdrawing), switching(FlowStep::kDraining), switching(FlowStep::kStopping),
        failing_over(FlowStep::kStopping), failing_over(FlowStep::kRerouting)})
    for (const bool assigned : {false, true})
      for (const Routing routing : {Routing::kUnknown, Routing::kTo, Routing::kWithdrawn}) {
        FlowSeen seen = start;
        if (!assigned) {
          seen.assignment = Assignment{{1}, "sgp", "", Cause::kInitial};
          if (seen.current->step == FlowStep::kRerouting) continue;  // it is only written after that
        }
        seen.routing = routing;
        seen.routed_to = routing == Routing::kTo ? "sgp" : "";
        FlowDecision decision;
        for (int turn = 0; turn < 20 && !decision.ended; ++turn) {
          decision = decide(seen, rules());
          seen.current = decision.current;
          if (decision.assign) seen.assignment = decision.assign;
          seen.workers[0].adopted = seen.assignment->epoch;
          if (!decision.route_to) continue;
          seen.routing = decision.route_to->empty() ? Routing::kWithdrawn : Routing::kTo;
          seen.routed_to = *decision.route_to;
        }
        EXPECT_EQ(decision.ended, Ending::kCompleted) << to_string(start.current->step) << " " << text(decision);
        EXPECT_EQ(seen.routed_to, "nyc");
        EXPECT_EQ(seen.assignment->primary, "nyc");
        const FlowDecision after = decide(seen, rules());
        EXPECT_FALSE(after.assign || after.route_to || after.current) << text(after);
      }
}

TEST(FlowDecision, FailsBackByItselfOnlyWhenAskedToAndAfterTheOldPrimaryHasBeenWellForSoLong) {
  for (const FailbackMode mode : {FailbackMode::kNever, FailbackMode::kManual, FailbackMode::kAutomatic})
    for (const bool caught_up : {false, true})
      for (const int stable_ms : {299999, 300000})
        for (const int reach_ms : {299999, 300000}) {
          FlowSeen seen = moved();
          seen.stable_for = milliseconds(stable_ms);
          seen.places[0].reach_for = milliseconds(reach_ms);
          seen.places[0].caught_up = caught_up;
          FlowRules with = rules();
          with.failback = mode;
          const FlowDecision decision = decide(seen, with);
          EXPECT_EQ(decision.current.has_value(),
                    mode == FailbackMode::kAutomatic && caught_up && stable_ms == 300000 && reach_ms == 300000)
              << text(decision);
        }
}

TEST(FlowDecision, AWishThatWasReachedOnceIsNotActedUponAgain) {
  FlowSeen seen = moved();
  EXPECT_EQ(decide(seen, rules(Mode::kAutomatic, "sgp")).current->to, "sgp");
  seen.desired_reached = "sgp";
  EXPECT_FALSE(decide(seen, rules(Mode::kAutomatic, "sgp")).current.has_value());
}

// Of all that can be read or not, said or not, and assigned or not: the source is primary unasked only where nothing
// speaks of another time, and no epoch is used twice.
TEST(FlowBeginning, WhoWasPrimaryLastIsPrimaryAgainAndNobodyIsChosenUponHalfTheFacts) {
  for (const bool heard : {false, true})
    for (const bool known : {false, true})
      for (const int64_t epoch : {0, 1, 3})
        for (const std::string primary : {"", "sgp", "nyc"})
          for (const FlowReason reason : {FlowReason::kNone, FlowReason::kRecordsContradict})
            for (const std::optional<Assignment>& assignment : {std::optional<Assignment>(),
                                                                {Assignment{{1}, "sgp", "", Cause::kInitial}},
                                                                {Assignment{{3}, "nyc", "sgp", Cause::kSwitchover}},
                                                                {Assignment{{5}, "sgp", "nyc", Cause::kSwitchover}}})
              for (const std::optional<PromoteWord>& wish : {std::optional<PromoteWord>(),
                                                             {PromoteWord{"nyc", {2}}},
                                                             {PromoteWord{"nyc", {4}}},
                                                             {PromoteWord{"ams", {4}}},
                                                             {PromoteWord{"nyc", {6}}}}) {
                if ((epoch == 0) != primary.empty() && reason == FlowReason::kNone) continue;  // no judgement
                FlowSeen seen = steady();
                seen.assignment = assignment;
                if (heard) seen.past = FlowPast{known, Epoch{epoch}, primary, reason, "why"};
                seen.promote = wish;
                const auto begun = decide_beginning(seen);
                const int64_t assigned = assignment ? assignment->epoch.value : 0;
                SCOPED_TRACE(fmt::format("heard {} known {} {}@{} {} assigned {} wish {}", heard, known, primary, epoch,
                                         to_string(reason), assigned, wish ? wish->endpoint : "-"));
                if (assignment && (!heard || epoch < assigned)) {
                  EXPECT_FALSE(begun) << "an assignment stands where nothing later is known";
                  continue;
                }
                if (!begun) {
                  EXPECT_EQ(assignment->primary, primary);
                  EXPECT_EQ(assigned, epoch);
                  continue;
                }
                EXPECT_FALSE(begun->reason == FlowReason::kNone || begun->message.empty());
                if (!begun->assign) continue;
                EXPECT_GT(begun->assign->epoch.value, std::max(assigned, epoch)) << "no epoch is used twice";
                ASSERT_TRUE(heard);
                const bool clear = known && reason == FlowReason::kNone;
                if (begun->reason == FlowReason::kPromoted) {
                  EXPECT_EQ(begun->assign->primary, wish->endpoint);
                  EXPECT_EQ(begun->assign->epoch, wish->epoch);
                  EXPECT_FALSE(clear && (!assignment || epoch > assigned)) << "nobody is asked where records tell";
                } else {
                  EXPECT_TRUE(clear);
                  EXPECT_EQ(begun->assign->primary, epoch == 0 ? "sgp" : primary);
                }
              }
}

TEST(FlowBeginning, AChangeUnderWayExplainsTheEpochsThatItMakes) {
  FlowSeen seen = failing_over(FlowStep::kStopping);
  seen.assignment = Assignment{{1}, "sgp", "", Cause::kInitial};  // our own write is not in the cache yet
  seen.past = past(2, "nyc");
  EXPECT_FALSE(decide_beginning(seen));
  seen.past = past(4, "fra");
  EXPECT_TRUE(decide_beginning(seen)) << "that is none of ours";
}

// Every situation under every mode. Printed, compared with the golden file, and read by people.
// TWINSPAN_UPDATE_GOLDEN=1 writes it.
TEST(FlowDecision, TransitionTableIsTheGoldenOne) {
  struct Situation {
    std::string name;
    FlowSeen seen;
    std::string desired{};
  };
  std::vector<Situation> situations;
  const auto add = [&](const std::string& name, FlowSeen seen, auto change, const std::string& desired = "") {
    change(seen);
    situations.push_back({name, std::move(seen), desired});
  };
  const auto as_it_is = [](FlowSeen&) {};
  add("steady", steady(), as_it_is);
  add("paused", source_down(), [](auto& seen) { seen.paused = true; });
  add("no assignment yet, buckets not read", steady(), [](auto& seen) { seen.assignment.reset(); });
  add("no assignment yet, nothing in the buckets", steady(), [](auto& seen) {
    seen.assignment.reset();
    seen.past = past(0, "");
  });
  add("no assignment, the buckets say nyc was primary", steady(), [](auto& seen) {
    seen.assignment.reset();
    seen.past = past(3, "nyc");
  });
  add("no assignment, the buckets contradict each other", steady(), [](auto& seen) {
    seen.assignment.reset();
    seen.past = past(3, "", FlowReason::kRecordsContradict);
  });
  add("no assignment, the buckets contradict each other, a person has said nyc", steady(), [](auto& seen) {
    seen.assignment.reset();
    seen.past = past(3, "", FlowReason::kRecordsContradict);
    seen.promote = PromoteWord{"nyc", Epoch{4}};
  });
  add("status restored, the buckets say nyc was primary later", steady(),
      [](auto& seen) { seen.past = past(3, "nyc"); });
  add("nothing points anywhere yet", steady(), [](auto& seen) { seen.routing = Routing::kUnknown; });
  add("clients elsewhere, another worker to be waited for", moved(), [](auto& seen) {
    seen.routed_to = "sgp";
    seen.workers[0].adopted = Epoch{1};
  });
  add("clients elsewhere, workers settled", moved(), [](auto& seen) { seen.routed_to = "sgp"; });
  add("primary no longer in the link", steady(), [](auto& seen) { seen.assignment->primary = "ams"; });
  add("worker not heard", steady(), [](auto& seen) {
    for (auto& one : seen.places) one.reach = Reach::kUnknown;
  });
  add("primary silent for a moment", source_down(), [](auto& seen) { seen.places[0].reach_for = milliseconds(500); });
  add("primary refuses", steady(), [](auto& seen) { seen.places[0] = place("sgp", Reach::kRefused); });
  add(
      "primary refuses, nyc wished for", steady(), [](auto& seen) { seen.places[0] = place("sgp", Reach::kRefused); },
      "nyc");
  add("primary down", source_down(), as_it_is);
  add("primary down, fra wished for", source_down(), as_it_is, "fra");
  add(
      "primary down, fra wished for and unreachable", source_down(),
      [](auto& seen) { seen.places[2] = place("fra", Reach::kUnreachable); }, "fra");
  add("everything unreachable", source_down(), [](auto& seen) {
    for (auto& one : seen.places) one = place(one.name, Reach::kUnreachable);
  });
  add("primary down, no full sync yet", source_down(), [](auto& seen) {
    for (auto& one : seen.places) one.complete_once = false;
  });
  add("failover decided, not assigned yet", failing_over(FlowStep::kStopping), [](auto& seen) {
    seen.assignment = Assignment{{1}, "sgp", "", Cause::kInitial};
  });
  add("failover, worker has the old direction", failing_over(FlowStep::kStopping),
      [](auto& seen) { seen.workers[0].adopted = Epoch{1}; });
  add("failover, worker gone for less than its lease", failing_over(FlowStep::kStopping), [](auto& seen) {
    seen.workers[0] = {"s3-0", false, {}, false};
  });
  add("failover, worker gone for longer", failing_over(FlowStep::kStopping), [](auto& seen) {
    seen.workers[0] = {"s3-0", false, {}, true};
  });
  add("failover, worker turned", failing_over(FlowStep::kStopping),
      [](auto& seen) { seen.workers[0].adopted = Epoch{2}; });
  add("failover, candidate died, old primary back", failing_over(FlowStep::kStopping), [](auto& seen) {
    seen.places[0] = place("sgp");
    seen.places[1] = place("nyc", Reach::kUnreachable);
  });
  add("failover, clients on their way", failing_over(FlowStep::kRerouting), as_it_is);
  add("failover, clients there", failing_over(FlowStep::kRerouting), [](auto& seen) {
    seen.routing = Routing::kTo;
    seen.routed_to = "nyc";
  });
  add("failover, overtaken by another operator", failing_over(FlowStep::kStopping), [](auto& seen) {
    seen.assignment = Assignment{{5}, "fra", "nyc", Cause::kPrimaryUnreachable};
    seen.workers[0].adopted = Epoch{5};
    seen.routing = Routing::kTo;
    seen.routed_to = "fra";
  });
  add("nyc wished for", steady(), as_it_is, "nyc");
  add(
      "nyc wished for, refuses writes", steady(), [](auto& seen) { seen.places[1].writable = false; }, "nyc");
  add(
      "nyc wished for, a listing takes longer than allowed", steady(),
      [](auto& seen) { seen.places[1].sync_took = milliseconds(31000); }, "nyc");
  add(
      "nyc wished for, cancelled a moment ago", steady(), [](auto& seen) { seen.cancelled_for = milliseconds(1000); },
      "nyc");
  add(
      "switchover, clients still at sgp", switching(FlowStep::kWithdrawing),
      [](auto& seen) {
        seen.routing = Routing::kTo;
        seen.routed_to = "sgp";
      },
      "nyc");
  add("switchover, clients away", switching(FlowStep::kWithdrawing), as_it_is, "nyc");
  add(
      "switchover, something is left", switching(FlowStep::kDraining),
      [](auto& seen) { seen.places[1].caught_up = false; }, "nyc");
  add("switchover, nothing is left", switching(FlowStep::kDraining), as_it_is, "nyc");
  add(
      "switchover takes too long", switching(FlowStep::kDraining),
      [](auto& seen) {
        seen.places[1].caught_up = false;
        seen.step_for = milliseconds(30000);
      },
      "nyc");
  add(
      "switchover, primary dies", switching(FlowStep::kDraining),
      [](auto& seen) { seen.places[0] = place("sgp", Reach::kUnreachable); }, "nyc");
  add(
      "switchover, worker turns", switching(FlowStep::kStopping),
      [](auto& seen) { seen.workers[0].adopted = Epoch{2}; }, "nyc");
  add("moved, sgp well again", moved(), as_it_is);
  add(
      "moved, sgp was reached once", moved(), [](auto& seen) { seen.desired_reached = "sgp"; }, "sgp");

  std::string table;
  for (const Situation& situation : situations) {
    table += situation.name + "\n";
    for (const auto& [mode, name] :
         {std::pair{Mode::kAutomatic, "Automatic"}, {Mode::kManual, "Manual"}, {Mode::kDryRun, "DryRun"}}) {
      FlowRules with = rules(mode, situation.desired);
      with.failback = FailbackMode::kAutomatic;
      table += fmt::format("  {:<10} {}\n", name, text(decide(situation.seen, with)));
    }
  }
  const std::string path = test::in_source("/tests/golden/flow_transitions.txt");
  if (std::getenv("TWINSPAN_UPDATE_GOLDEN")) std::ofstream(path) << table;
  std::stringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(table, golden.str()) << "TWINSPAN_UPDATE_GOLDEN=1 writes the table as it is now";
}

}  // namespace
}  // namespace twinspan
