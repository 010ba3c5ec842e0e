#include "controllers/link/link_status.hpp"

#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

api::LinkStatus status_of(const World& world) {
  const LinkSeen seen = world.seen();
  return next_status(seen, plan_link(seen, render_config()));
}

api::AssignmentStatus assigned(int64_t epoch, const char* primary) {
  api::AssignmentStatus assignment;
  assignment.epoch = epoch;
  assignment.primary = primary;
  return assignment;
}

// "True Replicating".
std::string condition(const api::LinkStatus& status, const char* type) {
  const api::Condition* found = api::find_condition(status.conditions, type);
  return found ? std::string(api::to_string(found->status)) + " " + found->reason : "absent";
}
std::string message(const api::LinkStatus& status, const char* type) {
  return api::find_condition(status.conditions, type)->message;
}

TEST(LinkStatus, ASettledLinkIsReady) {
  const api::LinkStatus status = status_of(World());
  EXPECT_EQ(status.primary, "east");
  EXPECT_EQ(status.epoch, 7);
  EXPECT_EQ(status.replicas, "2/2");
  EXPECT_EQ(status.lag, "0.0s");
  EXPECT_EQ(status.observed_generation, 3);
  EXPECT_EQ(condition(status, "Ready"), "True Replicating");
  EXPECT_EQ(message(status, "Ready"), "2 of 2 replicas stream");
  EXPECT_EQ(condition(status, "Reconciling"), "False Settled");
  EXPECT_EQ(condition(status, "Stalled"), "False NotStalled");
  EXPECT_EQ(condition(status, "LagWithinThreshold"), "True LagWithinThreshold");
  EXPECT_EQ(condition(status, "DurabilityMet"), "True Async");
  EXPECT_EQ(condition(status, "Paused"), "absent");
  EXPECT_FALSE(status.assignment);
  ASSERT_EQ(status.endpoints.size(), 3u);
  const api::EndpointStatus &east = status.endpoints[0], &west = status.endpoints[1];
  EXPECT_EQ(east.role + " " + east.state, "Primary Running");
  EXPECT_EQ(west.role + " " + west.state, "Replica Streaming");
  EXPECT_EQ(west.pod, "orders-west-0");
  EXPECT_EQ(west.address, "10.0.0.2");
  EXPECT_EQ(west.position, "0/5000148");
  EXPECT_EQ(west.timeline, 3);
  EXPECT_EQ(west.upstream, "east");
  EXPECT_FALSE(east.lag_seconds);
  for (const api::Condition& one : status.conditions) EXPECT_EQ(one.observed_generation, 3) << one.type;
}

// One row: what is changed, and the reasons of Ready, Reconciling and Stalled that follow.
struct Case {
  const char* name;
  std::function<void(World&)> change;
  const char *ready, *reconciling, *stalled;
};

class LinkConditions : public ::testing::TestWithParam<Case> {};

TEST_P(LinkConditions, FollowFromWhatIsSeen) {
  World world;
  GetParam().change(world);
  const api::LinkStatus status = status_of(world);
  EXPECT_EQ(condition(status, "Ready"), GetParam().ready);
  EXPECT_EQ(condition(status, "Reconciling"), GetParam().reconciling);
  EXPECT_EQ(condition(status, "Stalled"), GetParam().stalled);
  for (const api::Condition& one : status.conditions) EXPECT_FALSE(one.message.empty()) << one.type;
}

void silence(World& world, const char* name) {
  world[name].view.failures = 9;
  world[name].view.age = std::chrono::seconds(9);
  world[name].view.error = "connection refused";
}

const Case kCases[] = {
    {"Cloning", [](World& w) { w.report("west").state = MemberState::kCloning; }, "False ReplicasNotStreaming",
     "True ReplicasNotStreaming", "False NotStalled"},
    {"Diverged", [](World& w) { w.report("west").state = MemberState::kDiverged; }, "False ReplicaDiverged",
     "False Stalled", "True Diverged"},
    {"DivergedRewinds",
     [](World& w) {
       w.report("west").state = MemberState::kDiverged;
       w.link->spec.postgres.diverged = api::Diverged::kRewind;
     },
     "False ReplicaDiverged", "True ReplicaDiverged", "False NotStalled"},
    {"Failed", [](World& w) { w.report("west").state = MemberState::kFailed; }, "False ReplicasNotStreaming",
     "False Stalled", "True Failed"},
    {"ReplicaUnheard", [](World& w) { silence(w, "west"); }, "False ReplicasNotStreaming", "True ReplicasNotStreaming",
     "False NotStalled"},
    {"PrimaryUnheard", [](World& w) { silence(w, "east"); }, "Unknown PrimaryNotHeard", "True PrimaryNotHeard",
     "False NotStalled"},
    {"PrimaryStopping", [](World& w) { w.report("east").state = MemberState::kStopping; }, "False PrimaryNotRunning",
     "True PrimaryNotRunning", "False NotStalled"},
    {"LeaseReleased",
     [](World& w) {
       w.lease->record.holder_endpoint.clear();
       w.lease->record.promoted = false;
     },
     "False NoPrimary", "True NoPrimary", "False NotStalled"},
    {"LeaseRunOut", [](World& w) { w.lease_unchanged_for = std::chrono::seconds(7); }, "False NoPrimary",
     "True NoPrimary", "False NotStalled"},
    {"LeaseNotPromoted", [](World& w) { w.lease->record.promoted = false; }, "False NoPrimary", "True NoPrimary",
     "False NotStalled"},
    {"Fresh", [](World& w) { w.lease->record = {}; }, "False Starting", "True Starting", "False NotStalled"},
    {"PodMissing",
     [](World& w) {
       w["west"].pod.reset();
       w["west"].view = {};
     },
     "False ReplicasNotStreaming", "True PodStarting", "False NotStalled"},
    {"RollingOut", [](World& w) { w["west"].pod->hash = "old"; }, "True Replicating", "True RollingOut",
     "False NotStalled"},
    {"Paused", [](World& w) { w.link->spec.paused = true; }, "True Replicating", "False Paused", "False NotStalled"},
    {"Taken", [](World& w) { w["west"].pod->link = "other"; }, "False NameTaken", "False Stalled", "True NameTaken"},
    {"Deleting", [](World& w) { w.link->metadata.deletion_timestamp = "2026-11-21T09:59:00Z"; }, "False Terminating",
     "True Terminating", "False NotStalled"},
};
INSTANTIATE_TEST_SUITE_P(Table, LinkConditions, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(LinkStatus, AReleasedLeaseMakesNobodyPrimaryThoughItsEpochWasPromoted) {
  World world;
  world.lease->record.holder_endpoint.clear();
  EXPECT_EQ(status_of(world).primary, "");
  EXPECT_EQ(status_of(world).epoch, 7);
}

TEST(LinkStatus, AnInvalidSpecIsStalledAndNamesTheField) {
  Json json = link_json();
  json["spec"]["targets"][0]["from"] = "nowhere";
  const World world(json);
  ASSERT_TRUE(world.link->invalid);
  LinkSeen seen = world.seen();
  seen.endpoints.clear();
  const api::LinkStatus status = next_status(seen, {});
  EXPECT_EQ(condition(status, "Stalled"), "True InvalidSpec");
  EXPECT_EQ(condition(status, "Ready"), "False InvalidSpec");
  EXPECT_NE(message(status, "Stalled").find("spec.targets[0].from"), std::string::npos) << message(status, "Stalled");
}

TEST(LinkStatus, ASpecNoSchemaCheckedIsStalledToo) {
  Json json = link_json();
  json["spec"]["source"] = 5;
  const auto link = decode_link(json);
  ASSERT_TRUE(link);
  ASSERT_TRUE(link->invalid);
  EXPECT_NE(link->invalid->message.find("spec.source"), std::string::npos) << link->invalid->message;
  EXPECT_EQ(link->metadata.name, "orders");
  EXPECT_EQ(link->status.assignment->primary, "east");
}

TEST(LinkStatus, UnheardMembersAreUnknownButTheirLastPositionStays) {
  World world;
  world.link->status = status_of(world);
  silence(world, "east");
  const api::EndpointStatus east = status_of(world).endpoints[0];
  EXPECT_EQ(east.role, "Primary");  // the lease says so
  EXPECT_EQ(east.state, "Unknown");
  EXPECT_EQ(east.position, "0/5000148");
  EXPECT_EQ(east.message, "its agent does not answer: connection refused");
  silence(world, "west");
  const api::LinkStatus status = status_of(world);
  EXPECT_FALSE(status.endpoints[1].lag_seconds);
  EXPECT_FALSE(status.lag);
  EXPECT_EQ(status.endpoints[1].role, "None");
  EXPECT_EQ(condition(status, "LagWithinThreshold"), "Unknown LagNotMeasured");
}

TEST(LinkStatus, ANewOperatorChangesNothingBeforeItHasAsked) {
  World world;
  world.link->spec.postgres.durability.mode = api::DurabilityMode::kSync;
  world.link->status = status_of(world);
  for (World::Member& member : world.members) member.view = {};
  EXPECT_EQ(urgency_of(world.link->status, status_of(world)), Urgency::kNone);
  for (World::Member& member : world.members) member.view.age = std::chrono::seconds(3);  // long enough
  EXPECT_EQ(status_of(world).endpoints[1].state, "Unknown");
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "Unknown PrimaryNotHeard");
  for (World::Member& member : world.members) member.view = {};
  world["west"].pod->ip = "10.9.9.9";  // another pod than the one that row speaks of
  EXPECT_EQ(status_of(world).endpoints[1].state, "Unknown");
  world.lease->record.holder_endpoint = "west-2";  // the lease has moved on since
  EXPECT_EQ(status_of(world).endpoints[0].state, "Unknown");
}

TEST(LinkStatus, LagIsTheFurthestReplicas) {
  World world;
  world.report("west").lag_seconds = 0.44;
  world.report("west-2").lag_seconds = 3.21;
  const api::LinkStatus status = status_of(world);
  EXPECT_EQ(status.lag, "3.2s");
  EXPECT_EQ(condition(status, "LagWithinThreshold"), "False LagOverThreshold");
  // West hears nothing any more and takes itself to be up to date; east knows better.
  world.report("east").downstreams["west"].lag_seconds = 7.5;
  EXPECT_EQ(status_of(world).lag, "7.5s");
  world.report("east").downstreams["west"].lag_seconds = 1.4;  // west has yet to say how far it is
  EXPECT_EQ(status_of(world).lag, "3.2s");
  world.report("west-2").lag_seconds.reset();
  EXPECT_FALSE(status_of(world).lag);
  EXPECT_EQ(lag_text(0.04), "0.0s");
  EXPECT_EQ(lag_text(9.96), "10s");
  EXPECT_EQ(lag_text(123.4), "123s");
}

TEST(LinkStatus, SyncDurabilityCountsReplicasThatConfirm) {
  World world;
  world.link->spec.postgres.durability = {api::DurabilityMode::kSync, 2, 10};
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "True ReplicasConfirm");
  world.report("east").downstreams["west"].state = "catchup";
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "False TooFewReplicas");
  world.report("east").downstreams["west"] = {"streaming", "potential", {}, {}, {}, {}};
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "False TooFewReplicas");
  silence(world, "east");
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "Unknown PrimaryNotHeard");
}

TEST(LinkStatus, DivergedSaysHowToGoOn) {
  World world;
  world.report("west").state = MemberState::kDiverged;
  world.report("west").message = "left timeline 3 at 0/5000148";
  EXPECT_NE(status_of(world).endpoints[1].message->find("set spec.postgres.diverged to Rewind or Clone"),
            std::string::npos);
}

TEST(LinkStatus, TransitionTimesStayWhileTheStatusDoes) {
  World world;
  world.link->status = status_of(world);
  const std::string before = api::find_condition(world.link->status.conditions, "Ready")->last_transition_time;
  world.now += std::chrono::minutes(5);
  EXPECT_EQ(api::find_condition(status_of(world).conditions, "Ready")->last_transition_time, before);
  world.report("west").state = MemberState::kCloning;
  EXPECT_NE(api::find_condition(status_of(world).conditions, "Ready")->last_transition_time, before);
}

TEST(LinkStatus, UnchangedStatusIsNeverWritten) {
  World world;
  world.link->status = status_of(world);
  world.link->status.assignment = assigned(7, "east");  // another's field
  world.now += std::chrono::hours(1);
  EXPECT_EQ(urgency_of(world.link->status, status_of(world)), Urgency::kNone);
}

TEST(LinkStatus, WhatChangedDecidesHowSoonItIsWritten) {
  const auto urgency = [](auto change) {
    World world;
    world.link->status = status_of(world);
    world.link->status.assignment = assigned(7, "east");
    change(world);
    return urgency_of(world.link->status, status_of(world));
  };
  EXPECT_EQ(urgency([](World& w) { w.report("west").received = Position{0x6000000}; }), Urgency::kLazy);
  EXPECT_EQ(urgency([](World& w) { w.report("west").lag_bytes = 100; }), Urgency::kLazy);
  EXPECT_EQ(urgency([](World& w) { w.report("west").lag_seconds = 0.01; }), Urgency::kNone);
  EXPECT_EQ(urgency([](World& w) { w.report("west").lag_seconds = 0.3; }), Urgency::kSoon);
  EXPECT_EQ(urgency([](World& w) { w.report("west").lag_seconds = 5; }), Urgency::kNow);  // a condition turned
  EXPECT_EQ(urgency([](World& w) { w.report("west").state = MemberState::kCloning; }), Urgency::kNow);
  EXPECT_EQ(urgency([](World& w) { w.lease->record.epoch = {8}; }), Urgency::kNow);
  EXPECT_EQ(urgency([](World& w) { w.link->metadata.generation = 4; }), Urgency::kNow);
}

TEST(LinkStatus, ThePatchNeverNamesTheAssignmentAndDeletesWhatIsGone) {
  World world;
  api::LinkStatus status = status_of(world);
  status.assignment = assigned(9, "west");
  status.lag.reset();
  const Json patch = status_patch(world.link->metadata, status);
  EXPECT_FALSE(patch["status"].contains("assignment"));
  EXPECT_TRUE(patch["status"]["lag"].is_null());
  EXPECT_EQ(patch["metadata"]["resourceVersion"], "77");
  EXPECT_EQ(patch["status"]["endpoints"].size(), 3u);
}

TEST(LinkStatus, ARemovedEndpointShowsAsLongAsItRuns) {
  World world;
  world.add("old", nullptr);
  EXPECT_EQ(status_of(world).endpoints.size(), 4u);
  EXPECT_EQ(status_of(world).replicas, "2/2");
  world["old"].pod.reset();
  EXPECT_EQ(status_of(world).endpoints.size(), 3u);
}

}  // namespace
}  // namespace twinspan::controllers::testing
