#include "controllers/link/link_status.hpp"

#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "api/declared_objects.hpp"
#include "api/hba_lines.hpp"
#include "contract/declared_objects.hpp"
#include "controllers/link/link_gatherer.hpp"
#include "controllers/postgres/postgres_plan.hpp"
#include "controllers/postgres/postgres_status.hpp"
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
    {"ReplicaWithoutLogThatMayNotBeCloned",
     [](World& w) {
       w.report("west").state = MemberState::kDisconnected;
       w.report("west").troubles = {{TroubleKind::kReplicaWithoutLog, "its volume lacks room"}};
     },
     "False ReplicasNotStreaming", "False Stalled", "True ReplicaWithoutLog"},
    {"DiskHangs",
     [](World& w) {
       w.report("east").state = MemberState::kFailed;
       w.report("east").troubles = {{TroubleKind::kDiskHangs, "no answer for 12 s"}};
     },
     "False PrimaryNotRunning", "False Stalled", "True Failed"},
    {"ReplicaUnheard", [](World& w) { silence(w, "west"); }, "False ReplicasNotStreaming", "True ReplicasNotStreaming",
     "False NotStalled"},
    {"ReplicaNotAskedForLong", [](World& w) { w["west"].view.age = MemberView::kTrustedUnasked; },
     "False ReplicasNotStreaming", "True ReplicasNotStreaming", "False NotStalled"},
    {"PrimaryNotAskedForLong", [](World& w) { w["east"].view.age = MemberView::kTrustedUnasked; },
     "Unknown PrimaryNotHeard", "True PrimaryNotHeard", "False NotStalled"},
    {"ReplicaUnheardForAMoment",
     [](World& w) {
       w["west"].view.failures = 1;
       w["west"].view.age = std::chrono::milliseconds(900);
     },
     "True Replicating", "False Settled", "False NotStalled"},
    {"ReplicaUnheardAndNotSentToAnyMore",
     [](World& w) {
       w["west"].view.failures = 1;
       w["west"].view.age = std::chrono::milliseconds(900);
       w.report("east").downstreams["west"].state = "lost";
     },
     "False ReplicasNotStreaming", "True ReplicasNotStreaming", "False NotStalled"},
    {"ReplicaUnheardAndItsPrimaryKnowsNothing",
     [](World& w) {
       w["west"].view.failures = 1;
       w["west"].view.age = std::chrono::milliseconds(900);
       w.report("east").downstreams.clear();
       w.report("east").sql_healthy = false;
     },
     "True Replicating", "False Settled", "False NotStalled"},
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
    {"Foreign", [](World& w) { w["west"].pod->link = "other"; }, "False ForeignObject", "False Stalled",
     "True ForeignObject"},
    {"OwnerAwaited",
     [](World& w) {
       w.link->spec.postgres.owner_secret_ref.emplace().name = "shop-db";
       w.owner.reset();
       w.owner_secret = {OwnerSecret::State::kMissing, false};
     },
     "False OwnerSecretMissing", "False Stalled", "True OwnerSecretMissing"},
    {"Deleting", [](World& w) { w.link->metadata.deletion_timestamp = "2026-11-21T09:59:00Z"; }, "False Terminating",
     "True Terminating", "False NotStalled"},
};
INSTANTIATE_TEST_SUITE_P(Table, LinkConditions, ::testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(LinkStatus, AVolumeThatCanNotGrowIsSaidAndMayBeTakenBack) {
  World world;
  world.link->spec.targets[0].postgres->managed->storage.size = "20Gi";
  EXPECT_EQ(lines(world.plan()), Lines{"Patch PersistentVolumeClaim orders-west-data"});
  LinkSeen seen = world.seen();
  seen.refused_volumes["west"] = {"20Gi", "forbidden: only dynamically provisioned pvc can be resized"};
  const LinkPlan plan = plan_link(seen, render_config());
  EXPECT_EQ(lines(plan), Lines{}) << "not again and again";
  EXPECT_TRUE(plan.next_check) << "but now and then";
  const api::LinkStatus status = next_status(seen, plan);
  EXPECT_EQ(condition(status, "Ready"), "False VolumeNotGrown");
  EXPECT_EQ(condition(status, "Stalled"), "True VolumeNotGrown");
  for (const char* part : {"west", "10Gi", "20Gi", "only dynamically provisioned"})
    EXPECT_NE(message(status, "Ready").find(part), std::string::npos) << message(status, "Ready");
  world.link->spec.targets[0].postgres->managed->storage.size = "30Gi";  // another size is another question
  seen.link = world.link;
  EXPECT_EQ(lines(plan_link(seen, render_config())), Lines{"Patch PersistentVolumeClaim orders-west-data"});
  world.link->spec.targets[0].postgres->managed->storage.size = "10Gi";
  EXPECT_EQ(condition(status_of(world), "Ready"), "True Replicating");
  world.link->spec.targets[0].postgres->managed->storage.size = "5Gi";
  EXPECT_EQ(condition(status_of(world), "Ready"), "False VolumeCanNotShrink");
  EXPECT_EQ(lines(world.plan()), Lines{});
}

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

// As on the way through an update of PostgreSQL.
TEST(LinkStatus, EachMemberTellsItsReleaseAsLongAsItIsHeard) {
  World world;
  world.report("east").version = "15.19";
  world.report("west").version = "15.20";
  api::LinkStatus status = status_of(world);
  EXPECT_EQ(status.endpoints[0].version, "15.19");
  EXPECT_EQ(status.endpoints[1].version, "15.20");
  EXPECT_FALSE(status.endpoints[2].version);
  world.link->status = status;
  silence(world, "west");
  EXPECT_FALSE(status_of(world).endpoints[1].version);
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
  world.report("east").sql_failures = 3;
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "Unknown PrimaryNotHeard") << "what it saw is old";
  world.report("east").sql_failures = 0;
  world.report("east").sql_healthy.reset();
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "Unknown PrimaryNotHeard") << "it saw nothing yet";
  silence(world, "east");
  EXPECT_EQ(condition(status_of(world), "DurabilityMet"), "Unknown PrimaryNotHeard");
}

// The one rule of what a member said: it counts while it is young, and longer where its agent answered whenever it was
// asked, but never for ever.
TEST(MemberView, CountsExactlyWhileItIsYoungAndUndoubted) {
  using std::chrono::milliseconds;
  for (const bool heard : {false, true})
    for (const bool doubted : {false, true})
      for (const int failures : {0, 1, 9})
        for (const milliseconds age : {milliseconds(0), milliseconds(2999), milliseconds(3000), milliseconds(9999),
                                       milliseconds(10000), milliseconds(86400000)}) {
          MemberView view;
          if (heard) view.report.emplace();
          view.doubted = doubted;
          view.failures = failures;
          view.age = age;
          EXPECT_EQ(view.fresh() != nullptr, heard && !doubted && age < milliseconds(failures > 0 ? 3000 : 10000));
          EXPECT_EQ(view.pending(), !heard && failures == 0 && age < milliseconds(3000));
        }
}

// What an earlier operator wrote down stands until a pod answers, and only of a pod that can.
TEST(MemberView, OfAPodThatCanNotBeAskedNothingIsPending) {
  Pod pod;
  pod.phase = "Running";
  EXPECT_FALSE(view_of(std::nullopt, nullptr, BootTime{}).pending());
  EXPECT_FALSE(view_of(std::nullopt, &pod, BootTime{}).pending()) << "it has no address";
  pod.ip = "10.0.0.1";
  EXPECT_TRUE(view_of(std::nullopt, &pod, BootTime{}).pending());
  pod.phase = "Failed";
  EXPECT_FALSE(view_of(std::nullopt, &pod, BootTime{}).pending());
}

TEST(LinkStatus, StorageLowNamesWhoseVolumeAndNeverGuesses) {
  World world;
  EXPECT_EQ(condition(status_of(world), "StorageLow"), "False RoomLeft");
  world.report("west").volume.reset();
  EXPECT_EQ(condition(status_of(world), "StorageLow"), "Unknown NotMeasured");
  world.report("east").troubles = {{TroubleKind::kStorageLow, "0.4 GiB of 10.0 GiB are free"}};
  EXPECT_EQ(condition(status_of(world), "StorageLow"), "True VolumeNearlyFull");
  EXPECT_EQ(message(status_of(world), "StorageLow"), "east: 0.4 GiB of 10.0 GiB are free");
  EXPECT_EQ(condition(status_of(world), "Stalled"), "False NotStalled");
}

// The look that accepts an edit says the edit's generation, of an agent that has not heard of it.
TEST(LinkStatus, WhatIsAboutToBeAcceptedIsNotInForceYet) {
  World world;
  EXPECT_EQ(condition(status_of(world), "Ready"), "True Replicating");
  world.link->wanted = world.link->spec;
  world.link->wanted->postgres.roles.emplace_back().name = "reports";
  EXPECT_EQ(condition(status_of(world), "Ready"), "False ObjectsNotInForce");
  world.report("east").details = details_of(ObjectsReport{api::objects_fingerprint(world.link->wanted->postgres), {}});
  EXPECT_EQ(condition(status_of(world), "Ready"), "True Replicating");
}

TEST(LinkStatus, WhatIsDeclaredAndNotInForceIsNamedWithPostgresqlsWords) {
  Json json = link_json();
  json["spec"]["postgres"]["roles"] = Json::array({{{"name", "reports"}, {"login", true}}});
  World world(json);
  const std::string asked = api::objects_fingerprint(world.link->spec.postgres);
  EXPECT_EQ(condition(status_of(world), "Ready"), "False ObjectsNotInForce");
  EXPECT_EQ(message(status_of(world), "Ready"), "east: roles, databases and extensions are not applied yet");
  EXPECT_EQ(condition(status_of(world), "Stalled"), "False NotStalled");
  // An answer to what was declared before.
  world.report("east").details = details_of(ObjectsReport{"another", {}});
  EXPECT_EQ(condition(status_of(world), "Ready"), "False ObjectsNotInForce");
  world.report("east").details =
      details_of(ObjectsReport{asked, {{"role reports", "no such Secret"}, {"database stock", "no owner"}}});
  EXPECT_EQ(condition(status_of(world), "Ready"), "False ObjectsNotInForce");
  EXPECT_EQ(message(status_of(world), "Ready"), "role reports: no such Secret; database stock: no owner");
  EXPECT_EQ(condition(status_of(world), "Stalled"), "True ObjectsNotInForce");
  world.report("east").details = details_of(ObjectsReport{asked, {}});
  EXPECT_EQ(condition(status_of(world), "Ready"), "True Replicating");
  // What a replica says of it does not count.
  world.report("west").details = details_of(ObjectsReport{asked, {{"role reports", "no such Secret"}}});
  EXPECT_EQ(condition(status_of(world), "Ready"), "True Replicating");
}

TEST(LinkStatus, LinesOfPgHbaAreInForceOnEveryMemberOrNamedWithPostgresqlsWords) {
  Json json = link_json();
  json["spec"]["postgres"]["hba"] = Json::array({"hostssl all reports 10.0.0.0/33 scram-sha-256"});
  World world(json);
  const std::string asked = api::hba_fingerprint(world.link->spec.postgres.hba);
  const auto say = [&](const char* member, const ObjectsReport& said) {
    world.report(member).details = details_of(said, kDeclaredHba);
  };
  EXPECT_EQ(condition(status_of(world), "Ready"), "False HbaNotInForce");
  EXPECT_EQ(message(status_of(world), "Ready"), "east, west, west-2: spec.postgres.hba is not applied yet");
  EXPECT_EQ(condition(status_of(world), "Stalled"), "False NotStalled");
  say("east", {asked, {}});
  say("west", {asked, {}});
  say("west-2", {"those before", {{"spec.postgres.hba[0] \"x\"", "of those before"}}});
  EXPECT_EQ(message(status_of(world), "Ready"), "west-2: spec.postgres.hba is not applied yet");
  say("west-2", {asked, {}});
  EXPECT_EQ(condition(status_of(world), "Ready"), "True Replicating");
  for (const char* member : {"east", "west"})
    say(member, {asked, {{"spec.postgres.hba[0] \"x\"", "invalid CIDR mask"}}});
  EXPECT_EQ(condition(status_of(world), "Ready"), "False HbaNotInForce");
  EXPECT_EQ(
      message(status_of(world), "Ready"),
      "east, west: spec.postgres.hba[0] \"x\": invalid CIDR mask; the rules before stay in force: correct the line, "
      "or take it out");
  EXPECT_EQ(condition(status_of(world), "Stalled"), "True HbaNotInForce");
  ObjectsReport said{asked, {{"spec.postgres.hba[0] \"x\"", "invalid CIDR mask"}}};
  said.shut = true;
  say("west", said);
  EXPECT_EQ(message(status_of(world), "Stalled"),
            "east, west: spec.postgres.hba[0] \"x\": invalid CIDR mask; west let nobody in until then, there were no "
            "rules before: correct the line, or take it out");
  // Taken out, which is not there yet either.
  world.link->wanted = world.link->spec;
  world.link->wanted->postgres.hba.clear();
  EXPECT_EQ(message(status_of(world), "Ready"), "east, west, west-2: spec.postgres.hba is not applied yet");
}

TEST(LinkStatus, WhatIsNotInForceIsKnownToANewOperatorBeforeItHasAsked) {
  Json json = link_json();
  json["spec"]["postgres"]["roles"] = Json::array({{{"name", "reports"}, {"login", true}}});
  World world(json);
  const std::string asked = api::objects_fingerprint(world.link->spec.postgres);
  world.report("east").details = details_of(ObjectsReport{asked, {{"role reports", "no such Secret"}}});
  auto link = std::make_shared<CachedLink>(*world.link);
  link->status = status_of(world);
  world.link = link;
  world["east"].spec = &world.link->spec.source;
  for (const char* name : {"west", "west-2"}) world[name].spec = nullptr;
  world["east"].view.report.reset();
  ASSERT_TRUE(world["east"].view.pending());
  EXPECT_EQ(condition(status_of(world), "Stalled"), "True ObjectsNotInForce");
}

// Whatever others say, and however much: the schema takes 32,768 bytes, and a status that it refuses stops everything.
TEST(LinkStatus, NoMessageIsLongerThanTheSchemaTakes) {
  Json json = link_json();
  json["spec"]["postgres"]["roles"] = Json::array({{{"name", "reports"}, {"login", true}}});
  World world(json);
  ObjectsReport report{api::objects_fingerprint(world.link->spec.postgres), {}};
  for (int i = 0; i < 200; ++i) report.troubles.push_back({"role ä" + std::to_string(i), std::string(399, 'x') + "ß"});
  world.report("east").details = details_of(report);
  const api::LinkStatus status = status_of(world);
  EXPECT_EQ(condition(status, "Ready"), "False ObjectsNotInForce");
  for (const api::Condition& one : status.conditions) {
    EXPECT_LE(one.message.size(), 32768u) << one.type;
    EXPECT_NO_THROW((void)Json(one.message).dump()) << "cut between characters: " << one.type;
  }
}

TEST(LinkStatus, DataThatWasDroppedOrMovedBySqlIsNamed) {
  World world;
  EXPECT_EQ(condition(status_of(world), "DataAsDeclared"), "True AsDeclared");
  world.report("east").troubles = {{TroubleKind::kDatabaseRemade, "database shop was dropped"}};
  EXPECT_EQ(condition(status_of(world), "DataAsDeclared"), "False DatabaseRemade");
  world.report("east").troubles = {{TroubleKind::kTablespaceOutsideVolume, "the tablespace at /tmp/x"}};
  EXPECT_EQ(condition(status_of(world), "DataAsDeclared"), "False TablespaceOutsideVolume");
  EXPECT_EQ(message(status_of(world), "DataAsDeclared"), "east: the tablespace at /tmp/x");
  silence(world, "east");
  EXPECT_EQ(condition(status_of(world), "DataAsDeclared"), "Unknown PrimaryNotHeard");
}

TEST(LinkStatus, AReplicaThatReadsNothingIsNamedThoughItTakesItselfToBeUpToDate) {
  World world;
  world.report("east").downstreams["west"].state = "deaf";
  const api::LinkStatus status = status_of(world);
  EXPECT_EQ(status.endpoints[1].state, "Disconnected");
  EXPECT_EQ(condition(status, "Ready"), "False ReplicasNotStreaming");
  EXPECT_NE(message(status, "Ready").find("west: Disconnected, it holds its connection to east open"),
            std::string::npos)
      << message(status, "Ready");
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
  EXPECT_EQ(urgency([](World& w) { w.report("west").lag_seconds = 0.3; }), Urgency::kLazy);
  EXPECT_EQ(urgency([](World& w) { w.report("west").lag_seconds = 5; }), Urgency::kNow);  // a condition turned
  EXPECT_EQ(urgency([](World& w) { w.report("west").state = MemberState::kCloning; }), Urgency::kNow);
  EXPECT_EQ(urgency([](World& w) { w.lease->record.epoch = {8}; }), Urgency::kNow);
  EXPECT_EQ(urgency([](World& w) { w.link->metadata.generation = 4; }), Urgency::kNow);
}

TEST(LinkStatus, NumbersWithinAMessageAreNumbers) {
  const auto urgency = [](const std::string& before, const std::string& after) {
    api::LinkStatus one, other;
    one.conditions.emplace_back().message = before;
    other.conditions.emplace_back().message = after;
    return urgency_of(one, other);
  };
  EXPECT_EQ(urgency("west is 12 MiB behind", "west is 12 MiB behind"), Urgency::kNone);
  EXPECT_EQ(urgency("west is 12 MiB behind", "west is 1.5 MiB behind"), Urgency::kLazy);
  EXPECT_EQ(urgency("at 0/5000148 (12%).", "at 1/A00 (1%)."), Urgency::kLazy);
  EXPECT_EQ(urgency("12 of 12", "9 of 12"), Urgency::kLazy);
  EXPECT_EQ(urgency("west is 12 MiB behind", "west is 12 GiB behind"), Urgency::kSoon);
  EXPECT_EQ(urgency("west-2 is silent", "west-3 is silent"), Urgency::kSoon);
  EXPECT_EQ(urgency("it took 5.", "it took 5"), Urgency::kSoon);
}

// A status is written at once where something turned; numbers that go on moving are written less and less often, but
// never more than kPauseMost apart, and soon again after a while without.
TEST(StatusPace, WhatGoesOnMovingIsWrittenEveryHalfMinute) {
  using std::chrono::milliseconds, std::chrono::seconds;
  StatusPace pace;
  BootTime now{std::chrono::hours(1)};
  std::vector<int64_t> at;
  for (const BootTime end = now + seconds(200); now < end; now += milliseconds(500))
    if (pace.wait(Urgency::kLazy, now).count() == 0) {
      pace.wrote(Urgency::kLazy, now);
      at.push_back(std::chrono::duration_cast<seconds>(now.time_since_epoch()).count() - 3600);
    }
  EXPECT_EQ(at, (std::vector<int64_t>{0, 2, 6, 14, 30, 60, 90, 120, 150, 180}));
  EXPECT_EQ(pace.wait(Urgency::kNow, now).count(), 0);
  EXPECT_EQ(pace.wait(Urgency::kSoon, now).count(), 0);
  pace.wrote(Urgency::kSoon, now);  // a message in between: numbers went along
  EXPECT_EQ(pace.wait(Urgency::kSoon, now), milliseconds(1000));
  EXPECT_EQ(pace.wait(Urgency::kLazy, now), StatusPace::kPauseMost);
  pace.wrote(Urgency::kNow, now);  // something turned: whoever looks now sees numbers move
  EXPECT_EQ(pace.wait(Urgency::kLazy, now), StatusPace::kPauseLeast);
  for (int i = 0; i < 10; ++i) {  // also where each write took its time: an API server that is slow is asked less
    pace.wrote(Urgency::kLazy, now);
    now += std::chrono::seconds(10);
  }
  EXPECT_EQ(pace.wait(Urgency::kLazy, now), StatusPace::kPauseMost - std::chrono::seconds(10));
  now += 2 * StatusPace::kPauseMost;
  pace.wrote(Urgency::kLazy, now);
  EXPECT_EQ(pace.wait(Urgency::kLazy, now), StatusPace::kPauseLeast);
}

TEST(LinkStatus, ThePatchNeverNamesTheAssignmentAndDeletesWhatIsGone) {
  World world;
  api::LinkStatus status = status_of(world);
  status.assignment = assigned(9, "west");
  status.lag.reset();
  const Json patch = status_patch(*world.link, status);
  EXPECT_FALSE(patch["status"].contains("assignment"));
  EXPECT_TRUE(patch["status"]["lag"].is_null());
  EXPECT_EQ(patch["metadata"]["resourceVersion"], "77");
  EXPECT_EQ(patch["status"]["endpoints"].size(), 3u);
}

// The next trial must not carry on with the words that ended the one before.
TEST(LinkStatus, ThePatchDeletesWhatIsGoneInsideAnObject) {
  World world;
  api::TrialStatus ended;
  ended.endpoint = "west";
  ended.generation = 3;
  ended.message = "west tried generation 3 and went back";
  world.link->status.trial = ended;
  api::LinkStatus status = status_of(world);
  status.trial = ended;
  status.trial->generation = 4;
  status.trial->message.reset();
  Json stored = api::to_json(world.link->status);
  stored.merge_patch(status_patch(*world.link, status)["status"]);
  EXPECT_EQ(stored["trial"]["generation"], 4);
  EXPECT_FALSE(stored["trial"].contains("message")) << stored["trial"];
}

TEST(LinkStatus, ARemovedEndpointShowsAsLongAsItRuns) {
  World world;
  world.add("old", nullptr);
  EXPECT_EQ(status_of(world).endpoints.size(), 4u);
  EXPECT_EQ(status_of(world).replicas, "2/2");
  world["old"].pod.reset();
  EXPECT_EQ(status_of(world).endpoints.size(), 3u);
}

TEST(LinkStatus, AnObjectOfOthersIsTracedToTheFieldThatAsksForItsName) {
  World world;
  world["west"].pod->link = "other";
  const std::string said = message(status_of(world), "Stalled");
  EXPECT_NE(said.find("spec.targets[0].name"), std::string::npos) << said;
}

}  // namespace
}  // namespace twinspan::controllers::testing
