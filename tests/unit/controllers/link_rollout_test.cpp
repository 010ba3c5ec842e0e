#include <gtest/gtest.h>

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

}  // namespace
}  // namespace twinspan::controllers::testing
