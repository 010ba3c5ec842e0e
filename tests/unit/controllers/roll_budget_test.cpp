#include "controllers/link/roll_budget.hpp"

#include <gtest/gtest.h>

#include "controllers/postgres/rollout.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

kube::Key key(int i) { return {"shop", "link-" + std::to_string(i)}; }

RenderConfig newer() {
  RenderConfig config = render_config();
  config.origin = "2";
  config.worker_image = "registry.example/twinspan-worker:2.0";
  return config;
}

// Links of one cluster, each three members, and operators that upgrade them.
class Fleet {
 public:
  explicit Fleet(int links) : worlds_(static_cast<size_t>(links)) {
    for (World& world : worlds_) world.fails_over = true;
  }
  World& operator[](int i) { return worlds_[static_cast<size_t>(i)]; }
  void restart(size_t most) { budget_ = std::make_unique<RollBudget>(most); }

  // Each link is looked at once, in this order.
  void look(const RenderConfig& config, bool comes_up) {
    for (size_t i = 0; i < worlds_.size(); ++i) {
      World& world = worlds_[i];
      budget_->hear_of(key(static_cast<int>(i)), worlds_.size());
      LinkSeen seen = world.seen();
      seen.turn = budget_->turn(key(static_cast<int>(i)), roll_state(seen, config));
      const Rollout rollout = plan_rollout(seen, config);
      if (const auto* one = std::get_if<Replace>(&rollout)) replace(world, one->endpoint, config, comes_up);
      if (const auto* one = std::get_if<MovePrimary>(&rollout)) move(world, one->from);
    }
    rolling_most = std::max(rolling_most, count([&](World& w) { return renewed(w, config) % 3 != 0; }));
  }
  size_t count(const std::function<bool(World&)>& which) {
    return static_cast<size_t>(std::ranges::count_if(worlds_, which));
  }
  static int renewed(World& world, const RenderConfig& config) {
    int count = 0;
    for (auto& member : world.members) count += member.pod->hash == pod_hash(*world.link, *member.spec, config);
    return count;
  }
  size_t rolling_most = 0;

 private:
  static void replace(World& world, const std::string& name, const RenderConfig& config, bool comes_up) {
    auto& member = world[name];
    member.pod = std::make_shared<Pod>(*member.pod);
    member.pod->hash = pod_hash(*world.link, *member.spec, config);
    member.pod->origin = config.origin;
    member.pod->ready = comes_up;
    member.pod->trouble = comes_up ? "" : "ImagePullBackOff: no such image";
    if (!comes_up) {
      member.view = {};
    } else if (!member.view.report) {
      member.view = world["west-2"].view;
      member.view.report->endpoint = name;
    }
  }
  static void move(World& world, const std::string& from) {
    const std::string to = from == "east" ? "west" : "east";
    world.lease = std::make_shared<Lease>(*world.lease);
    world.lease->record.holder_endpoint = to;
    world.link = std::make_shared<CachedLink>(*world.link);
    world.link->status.assignment->primary = to;
    for (auto& member : world.members) {
      member.spec =
          member.name == "east" ? &world.link->spec.source : &world.link->spec.targets[member.name == "west" ? 0 : 1];
      const bool primary = member.name == to;
      member.view.report->role = primary ? Role::kPrimary : Role::kReplica;
      member.view.report->state = primary ? MemberState::kRunning : MemberState::kStreaming;
      member.view.report->upstream = primary ? "" : to;
      if (primary) member.view.report->downstreams = world["east"].view.report->downstreams;
    }
    auto& downstreams = world[to].view.report->downstreams;
    const MemberReport::Downstream streams{"streaming", "sync", {}, {}, {}, {}};
    downstreams.clear();
    for (auto& member : world.members)
      if (member.name != to) downstreams[member.name] = streams;
  }

  std::vector<World> worlds_;
  std::unique_ptr<RollBudget> budget_;
};

TEST(RollBudget, AllAreRenewedAFewAtATime) {
  for (const size_t most : {1U, 3U, 20U}) {
    Fleet fleet(4);
    fleet.restart(most);
    const auto done = [&] { return fleet.count([](World& world) { return Fleet::renewed(world, newer()) == 3; }); };
    for (int round = 0; round < 40 && done() < 4; ++round) fleet.look(newer(), true);
    EXPECT_EQ(done(), 4U) << most;
    EXPECT_EQ(fleet.rolling_most, std::min<size_t>(most, 4));
  }
}

TEST(RollBudget, AnImageThatDoesNotComeUpStopsThereAndIsTakenBackAtOnce) {
  Fleet fleet(6);
  fleet.restart(2);
  const auto touched = [&] { return fleet.count([](World& w) { return Fleet::renewed(w, newer()) != 0; }); };
  for (int round = 0; round < 8; ++round) fleet.look(newer(), false);
  EXPECT_EQ(touched(), 2U);
  for (int again = 0; again < 3; ++again) {  // who begins anew knows of them once it has heard of all
    fleet.restart(2);
    for (int round = 0; round < 8; ++round) fleet.look(newer(), false);
    EXPECT_EQ(touched(), 2U);
  }
  RenderConfig back = render_config();
  back.origin = "1";
  fleet.restart(2);
  fleet.look(back, true);
  EXPECT_EQ(touched(), 0U);
}

TEST(RollBudget, NoneIsNone) {
  Fleet fleet(3);
  fleet.restart(0);
  for (int round = 0; round < 5; ++round) fleet.look(newer(), true);
  EXPECT_EQ(fleet.rolling_most, 0U);
  RollBudget budget(0);
  budget.hear_of(key(1), 1);
  const RollTurn turn = budget.turn(key(1), {true, false, true, true});
  EXPECT_FALSE(turn.now);
  EXPECT_EQ(turn.waits_for, "--links-rolling-most is 0");
}

// A link that something else keeps from it takes nobody's turn; one that a person edits needs none.
TEST(RollBudget, WhoCanNotBeginTakesNoTurnAndAnEditNeedsNone) {
  Fleet fleet(3);
  fleet.restart(1);
  fleet[0].report("west").state = MemberState::kDiverged;
  fleet[0].report("west-2").state = MemberState::kDiverged;
  for (int round = 0; round < 20; ++round) fleet.look(newer(), true);
  EXPECT_EQ(Fleet::renewed(fleet[0], newer()), 0);
  EXPECT_EQ(Fleet::renewed(fleet[1], newer()), 3);
  EXPECT_EQ(Fleet::renewed(fleet[2], newer()), 3);

  Fleet edited(2);
  edited.restart(0);
  RenderConfig config = newer();
  for (auto& member : edited[1].members) member.pod->origin = config.origin;  // made by this version, outdated since
  for (int round = 0; round < 10; ++round) edited.look(config, true);
  EXPECT_EQ(Fleet::renewed(edited[0], config), 0);
  EXPECT_EQ(Fleet::renewed(edited[1], config), 3);
}

TEST(RollBudget, NamesWhoseTurnItIsAndLooksAgainTheLaterTheMoreWait) {
  RollBudget budget(5);
  for (int i = 0; i < 3000; ++i) budget.hear_of(key(i), 3000);
  const RollState wants{true, false, true, true};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(budget.turn(key(i), wants).now);
  RollTurn last;
  for (int i = 5; i < 3000; ++i) last = budget.turn(key(i), wants);
  EXPECT_FALSE(last.now);
  EXPECT_EQ(last.waits_for, "its turn comes after others' (5 of at most 5: shop/link-0, shop/link-1, shop/link-2, …)");
  EXPECT_GT(last.look_again, std::chrono::seconds(10));
  budget.forget(key(3));
  EXPECT_TRUE(budget.turn(key(2000), wants).now);
  EXPECT_TRUE(budget.turn(key(0), {false, false, false, false}).now) << "not whole yet: it keeps its turn";
  EXPECT_FALSE(budget.turn(key(2001), wants).now);
  budget.turn(key(0), {false, false, false, true});
  EXPECT_TRUE(budget.turn(key(2001), wants).now);
}

}  // namespace
}  // namespace twinspan::controllers::testing
