#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "controllers/postgres/postgres_status.hpp"
#include "controllers/postgres/rollout.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

// "replace west", "move east", "wait ReplicaBehind", "nothing".
std::string verdict(const World& world) {
  const Rollout rollout = plan_rollout(world.seen(), render_config());
  if (const auto* one = std::get_if<Replace>(&rollout)) return "replace " + one->endpoint;
  if (const auto* one = std::get_if<MovePrimary>(&rollout)) return "move " + one->from;
  if (const auto* one = std::get_if<Wait>(&rollout)) return "wait " + std::string(to_string(one->what));
  return "nothing";
}

void outdate(World& world, std::initializer_list<const char*> names) {
  for (const char* name : names) world[name].pod->hash = "old";
}

// Every combination of outdated members, all well: replicas in spec order, the primary last.
TEST(LinkRollout, ReplacesReplicasInOrderAndThePrimaryLast) {
  for (int mask = 0; mask < 8; ++mask) {
    World world;
    if (mask & 1) outdate(world, {"east"});
    if (mask & 2) outdate(world, {"west"});
    if (mask & 4) outdate(world, {"west-2"});
    const std::string expected = mask & 2   ? "replace west"
                                 : mask & 4 ? "replace west-2"
                                 : mask & 1 ? "move east"
                                            : "nothing";
    EXPECT_EQ(verdict(world), expected) << mask;
  }
}

// Whatever one other member is doing, a well outdated one is replaced only where all others stream.
TEST(LinkRollout, WaitsUntilAllOthersStream) {
  for (const MemberState state :
       {MemberState::kCloning, MemberState::kCatchingUp, MemberState::kStreaming, MemberState::kDisconnected,
        MemberState::kDiverged, MemberState::kFailed, MemberState::kUnknown}) {
    const bool streams = state == MemberState::kStreaming;
    World world;
    outdate(world, {"west", "east"});
    world.report("west-2").state = state;
    EXPECT_EQ(verdict(world), streams ? "replace west" : "wait ReplicaBehind") << to_string(state);
    World primary_only;
    outdate(primary_only, {"east"});
    primary_only.report("west").state = state;
    EXPECT_EQ(verdict(primary_only), streams ? "move east" : "wait ReplicaBehind") << to_string(state);
  }
}

// One that was asked to end a moment ago reports as before until it is gone; so does one whose pod is gone from the
// cache.
TEST(LinkRollout, AMemberWhosePodIsBeingDeletedDoesNotCountAsStreaming) {
  for (const bool gone : {false, true}) {
    World world;
    outdate(world, {"west", "east"});
    const auto leave = [&](const char* name) {
      if (gone)
        world[name].pod.reset();
      else
        world[name].pod->terminating = true;
    };
    leave("west-2");
    EXPECT_EQ(verdict(world), "wait ReplicaBehind") << gone;
    World primary_leaves;
    outdate(primary_leaves, {"west"});
    primary_leaves["east"].pod->terminating = true;
    EXPECT_EQ(verdict(primary_leaves), "wait PrimaryMoving");
  }
}

TEST(LinkRollout, AnUnheardReplicaDoesNotCountAsStreaming) {
  World world;
  outdate(world, {"west"});
  world["west-2"].view.failures = 3;
  world["west-2"].view.age = std::chrono::seconds(10);
  EXPECT_EQ(verdict(world), "wait ReplicaBehind");
  world["west-2"].view.age = std::chrono::seconds(1);  // one missed answer is no reason to doubt
  EXPECT_EQ(verdict(world), "replace west");
  world.report("east").downstreams.erase("west-2");  // but who sent to it doubts it, too
  EXPECT_EQ(verdict(world), "wait ReplicaBehind");
}

TEST(LinkRollout, AReplicaThatIsBehindItselfMayBeReplaced) {
  World world;
  outdate(world, {"west"});
  world.report("west").state = MemberState::kCatchingUp;
  EXPECT_EQ(verdict(world), "replace west");
}

TEST(LinkRollout, APodThatNeverRanIsReplacedAtOnce) {
  World world;
  outdate(world, {"west-2"});
  world["west-2"].view = {};
  world["west-2"].pod->ready = false;
  world["west-2"].pod->trouble = "ImagePullBackOff: no such image";
  world.report("west").state = MemberState::kCloning;
  EXPECT_EQ(verdict(world), "replace west-2");
}

TEST(LinkRollout, NothingMovesWhileThePrimaryDoes) {
  const auto with = [](auto change) {
    World world;
    outdate(world, {"west"});
    change(world);
    return verdict(world);
  };
  EXPECT_EQ(with([](World& w) { w.link->status.assignment->epoch = 8; }), "wait PrimaryMoving");
  EXPECT_EQ(with([](World& w) { w.lease->record.promoted = false; }), "wait PrimaryMoving");
  EXPECT_EQ(with([](World& w) { w.lease_unchanged_for = std::chrono::seconds(7); }), "wait PrimaryMoving");
  EXPECT_EQ(with([](World& w) {
              w.lease->record.holder_endpoint.clear();
              w.lease->record.promoted = false;
            }),
            "wait PrimaryMoving");
}

TEST(LinkRollout, BeforeThereWasAnyPrimaryNothingCanBeLost) {
  World world;
  outdate(world, {"east"});
  world.link->status.assignment.reset();
  world.lease->record = {};
  EXPECT_EQ(verdict(world), "replace east");
}

TEST(LinkRollout, WithoutFailoverThePrimaryRestartsInPlaceUnlessItsDataWouldGo) {
  World world;
  outdate(world, {"east"});
  world.fails_over = false;
  EXPECT_EQ(verdict(world), "replace east");
  Json json = link_json();
  json["spec"]["source"]["postgres"]["managed"]["storage"] = {{"ephemeral", true}};
  World ephemeral(json);
  outdate(ephemeral, {"east"});
  ephemeral.fails_over = false;
  EXPECT_EQ(verdict(ephemeral), "wait PrimaryIsEphemeral");
  ephemeral.fails_over = true;
  EXPECT_EQ(verdict(ephemeral), "move east");
}

// A link whose pods the version before made, and what an operator of the next one does with it: its pods' images
// change, its status is kept from look to look.
class Upgrade {
 public:
  explicit Upgrade(Json updates) {
    Json json = link_json();
    json["spec"]["postgres"]["updates"] = std::move(updates);
    world = std::make_unique<World>(json);
    config.origin = "2";
    config.worker_image = "registry.example/twinspan-worker:2.0";
    for (auto& member : world->members) {
      member.pod->origin = "1";
      member.pod->asked = asked_of_pod(*world->link, *member.spec);
    }
  }

  std::string look() {
    const LinkSeen seen = world->seen();
    const Rollout rollout = plan_rollout(seen, config);
    world->link->status.update = next_update(seen, config, rollout);
    put_off = {};
    if (const auto* one = std::get_if<Replace>(&rollout)) return "replace " + one->endpoint;
    if (const auto* one = std::get_if<MovePrimary>(&rollout)) return "move " + one->from;
    if (const auto* one = std::get_if<Wait>(&rollout)) return "wait " + std::string(to_string(one->what));
    if (const auto* one = std::get_if<PutOff>(&rollout)) {
      put_off = *one;
      return "put off " + std::string(to_string(one->what));
    }
    return "nothing";
  }
  void renew(const std::string& name) {
    auto& member = (*world)[name];
    member.pod->hash = pod_hash(*world->link, *member.spec, config);
    member.pod->origin = config.origin;
  }
  // As a switchover leaves it.
  void lead(const std::string& name) {
    world->lease->record.holder_endpoint = name;
    world->link->status.assignment->primary = name;
    for (auto& member : world->members) {
      const bool primary = member.name == name;
      member.view.report->role = primary ? Role::kPrimary : Role::kReplica;
      member.view.report->state = primary ? MemberState::kRunning : MemberState::kStreaming;
      member.view.report->upstream = primary ? "" : name;
      member.view.report->downstreams.clear();
      if (!primary) continue;
      for (const char* other : {"east", "west", "west-2"})
        if (other != name) member.view.report->downstreams[other] = {"streaming", "sync", {}, {}, {}, {}};
    }
  }
  void at(const char* time) { world->now = *parse_rfc3339(time); }
  void say(const std::string& word) { world->link->metadata.annotations[std::string(kUpdatePrimaryAnnotation)] = word; }
  RollState state() const { return roll_state(world->seen(), config); }

  std::unique_ptr<World> world;
  RenderConfig config = render_config();
  PutOff put_off;
};

const Json kSundays = {{"window", {{"schedule", "0 3 * * 0"}, {"durationMinutes", 60}}}};
const Json kSupervised = {{"primary", "Supervised"}};

// 2026-11-22 and 29 are Sundays.
TEST(LinkUpdates, PodsAreReplacedWhileTheWindowIsOpenOnly) {
  for (const auto& [time, open] : {std::pair{"2026-11-22T02:59:59.999Z", false},
                                   {"2026-11-22T03:00:00Z", true},
                                   {"2026-11-22T03:59:59.999Z", true},
                                   {"2026-11-22T04:00:00Z", false}}) {
    Upgrade upgrade(kSundays);
    upgrade.at(time);
    EXPECT_EQ(upgrade.look(), open ? "replace west" : "put off WaitsForWindow") << time;
    EXPECT_EQ(upgrade.state().old_left, open) << time << ": who waits for a window takes no turn";
    if (open) continue;
    const bool before = time < std::string("2026-11-22T03");
    EXPECT_EQ(to_rfc3339(*upgrade.put_off.until), before ? "2026-11-22T03:00:00Z" : "2026-11-29T03:00:00Z");
    EXPECT_EQ(upgrade.put_off.message, "3 pods are of the version before; replaced when the window opens at " +
                                           to_rfc3339(*upgrade.put_off.until));
  }
}

// Berlin's clock is put back on 2026-10-25: by UTC it opens an hour later from then on, and stays open for as long.
TEST(LinkUpdates, TheWindowGoesByTheClockOfItsZone) {
  Json updates = kSundays;
  updates["window"]["timeZone"] = "Europe/Berlin";
  for (const auto& [time, open] : {std::pair{"2026-10-18T00:59:59Z", false},
                                   {"2026-10-18T01:00:00Z", true},
                                   {"2026-10-18T02:00:00Z", false},
                                   {"2026-10-25T01:30:00Z", false},
                                   {"2026-10-25T02:00:00Z", true},
                                   {"2026-10-25T03:00:00Z", false}}) {
    Upgrade upgrade(updates);
    upgrade.at(time);
    EXPECT_EQ(upgrade.look(), open ? "replace west" : "put off WaitsForWindow") << time;
  }
}

TEST(LinkUpdates, WhatWasBegunInAWindowIsFinishedAfterIt) {
  Upgrade upgrade(kSundays);
  upgrade.at("2026-11-22T03:59:00Z");
  EXPECT_EQ(upgrade.look(), "replace west");
  upgrade.at("2026-11-22T04:30:00Z");
  upgrade.renew("west");
  EXPECT_EQ(upgrade.look(), "replace west-2");
  upgrade.renew("west-2");
  EXPECT_EQ(upgrade.look(), "move east");
  upgrade.lead("west");
  EXPECT_EQ(upgrade.look(), "replace east");
  EXPECT_EQ(upgrade.world->link->status.update->begun, "2");
  upgrade.renew("east");
  EXPECT_EQ(upgrade.look(), "nothing");
  EXPECT_FALSE(upgrade.world->link->status.update) << "nothing to remember";
  upgrade.config.origin = "3";  // yet another version begins nothing by that
  upgrade.config.worker_image = "registry.example/twinspan-worker:3.0";
  EXPECT_EQ(upgrade.look(), "put off WaitsForWindow");
}

// A node that was drained brought a pod of this version, and no window.
TEST(LinkUpdates, APodThatCameBackBeginsNothing) {
  Upgrade upgrade(kSundays);
  upgrade.renew("west");
  EXPECT_EQ(upgrade.look(), "put off WaitsForWindow");
  EXPECT_TRUE(upgrade.put_off.message.starts_with("2 pods are of the version before")) << upgrade.put_off.message;
  upgrade.world->link->status.update = api::UpdateStatus{"1", {}};  // an earlier version's beginning is not this one's
  EXPECT_EQ(upgrade.look(), "put off WaitsForWindow");
  EXPECT_FALSE(upgrade.world->link->status.update);
}

TEST(LinkUpdates, APodThatNeverRanIsReplacedAtAnyTime) {
  Upgrade upgrade(kSundays);
  auto& west_2 = (*upgrade.world)["west-2"];
  west_2.view = {};
  west_2.pod->ready = false;
  west_2.pod->trouble = "ImagePullBackOff: no such image";
  EXPECT_EQ(upgrade.look(), "replace west-2");
  EXPECT_FALSE(upgrade.world->link->status.update) << "that begins nothing";
}

// Whatever version made the pod.
TEST(LinkUpdates, AnEditWaitsForNoWindowAndNoSwitchover) {
  for (const Json& updates : {kSundays, kSupervised}) {
    Upgrade upgrade(updates);
    api::ReplicationLink& link = *upgrade.world->link;
    link.spec.source.postgres->managed->resources = {{"requests", {{"cpu", "2"}}}};
    for (const char* replica : {"west", "west-2"}) upgrade.renew(replica);
    EXPECT_EQ(upgrade.look(), "move east");
    EXPECT_TRUE(upgrade.state().whole);
    EXPECT_FALSE(upgrade.state().old_left);
  }
  Upgrade settings(kSundays);  // they are no part of the pod
  settings.world->link->spec.source.postgres->managed->parameters["work_mem"] = "8MB";
  settings.world->link->spec.source.postgres->managed->storage.size = "20Gi";
  EXPECT_EQ(settings.look(), "put off WaitsForWindow");
}

TEST(LinkUpdates, ASupervisedPrimaryStaysUntilASwitchover) {
  Upgrade upgrade(kSupervised);
  EXPECT_EQ(upgrade.look(), "replace west");
  EXPECT_TRUE(upgrade.state().old_left);
  upgrade.renew("west");
  EXPECT_EQ(upgrade.look(), "replace west-2");
  upgrade.renew("west-2");
  EXPECT_EQ(upgrade.look(), "put off WaitsForSwitchover");
  EXPECT_FALSE(upgrade.put_off.until);
  EXPECT_NE(upgrade.put_off.message.find("east"), std::string::npos) << upgrade.put_off.message;
  EXPECT_FALSE(upgrade.state().old_left) << "a person is waited for: others are not kept from it";
  upgrade.lead("west");
  EXPECT_EQ(upgrade.look(), "replace east");
  upgrade.renew("east");
  EXPECT_EQ(upgrade.look(), "nothing");
}

TEST(LinkUpdates, AWordLetsASupervisedPrimaryGoOnce) {
  for (const bool fails_over : {true, false}) {
    Upgrade upgrade(kSupervised);
    upgrade.world->fails_over = fails_over;
    for (const char* replica : {"west", "west-2"}) upgrade.renew(replica);
    EXPECT_EQ(upgrade.look(), "put off WaitsForSwitchover");
    upgrade.say("monday");
    for (int look = 0; look < 3; ++look) EXPECT_EQ(upgrade.look(), fails_over ? "move east" : "replace east");
    upgrade.renew("east");
    EXPECT_EQ(upgrade.look(), "nothing");
    EXPECT_EQ(upgrade.world->link->status.update->request, "monday");
    upgrade.config.origin = "3";
    upgrade.config.worker_image = "registry.example/twinspan-worker:3.0";
    for (const char* replica : {"west", "west-2"}) upgrade.renew(replica);
    EXPECT_EQ(upgrade.look(), "put off WaitsForSwitchover") << "an old value asks for nothing";
    upgrade.world->link->metadata.annotations.clear();
    EXPECT_EQ(upgrade.look(), "put off WaitsForSwitchover");
    upgrade.say("monday");
    EXPECT_EQ(upgrade.look(), "put off WaitsForSwitchover") << "nor when it comes back";
    upgrade.say("tuesday");
    EXPECT_EQ(upgrade.look(), fails_over ? "move east" : "replace east");
  }
}

TEST(LinkUpdates, AWordThatComesWhileNothingWaitsIsUsedUp) {
  Upgrade upgrade(kSupervised);
  for (const char* one : {"east", "west", "west-2"}) upgrade.renew(one);
  upgrade.say("early");
  EXPECT_EQ(upgrade.look(), "nothing");
  upgrade.config.origin = "3";
  upgrade.config.worker_image = "registry.example/twinspan-worker:3.0";
  for (const char* replica : {"west", "west-2"}) upgrade.renew(replica);
  EXPECT_EQ(upgrade.look(), "put off WaitsForSwitchover");
}

TEST(LinkUpdates, AWordDoesNotOpenTheWindowButCountsOnceReplicasWereReplacedInIt) {
  Json updates = kSundays;
  updates["primary"] = "Supervised";
  Upgrade upgrade(updates);
  upgrade.say("now");
  EXPECT_EQ(upgrade.look(), "put off WaitsForWindow");
  upgrade.world->link->metadata.annotations.clear();
  upgrade.at("2026-11-22T03:10:00Z");
  EXPECT_EQ(upgrade.look(), "replace west");
  upgrade.at("2026-11-24T12:00:00Z");
  for (const char* replica : {"west", "west-2"}) upgrade.renew(replica);
  EXPECT_EQ(upgrade.look(), "put off WaitsForSwitchover");
  upgrade.say("now");
  EXPECT_EQ(upgrade.look(), "move east");
}

// Who waits so serves: it is Ready, and nothing is under way.
TEST(LinkUpdates, ALinkThatWaitsIsReadyAndSaysSo) {
  Upgrade upgrade(kSundays);
  const LinkSeen seen = upgrade.world->seen();
  const LinkPlan plan = plan_link(seen, upgrade.config);
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.waits_for, WaitFor::kNothing);
  ASSERT_TRUE(plan.next_check);
  EXPECT_LE(*plan.next_check, std::chrono::hours(17)) << "the window opens then";
  const api::LinkStatus status = next_status(seen, plan);
  const auto is = [&](const char* type) {
    const api::Condition* one = api::find_condition(status.conditions, type);
    return one ? std::string(to_string(one->status)) + " " + one->reason : "absent";
  };
  EXPECT_EQ(is("Ready"), "True Replicating");
  EXPECT_EQ(is("Reconciling"), "False Settled");
  EXPECT_EQ(is("Stalled"), "False NotStalled");
  EXPECT_EQ(is("UpdateWaiting"), "True WaitsForWindow");
  World settled;
  EXPECT_FALSE(api::find_condition(next_status(settled.seen(), settled.plan()).conditions, "UpdateWaiting"));
}

}  // namespace
}  // namespace twinspan::controllers::testing
