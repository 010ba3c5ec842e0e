#include "controllers/link/link_plan.hpp"

#include <gtest/gtest.h>

#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

TEST(LinkPlan, ASettledLinkNeedsNothing) {
  const World world;
  const LinkPlan plan = world.plan();
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.waiting_reason, "");
  EXPECT_EQ(plan.next_check, std::chrono::days(60));  // the certificates
}

TEST(LinkPlan, AFreshLinkGetsItsFinalizerBeforeAnythingElse) {
  World world;
  world.link->metadata.finalizers = {"other/one"};
  world.members[0].pod.reset();
  const LinkPlan plan = world.plan();
  ASSERT_EQ(lines(plan), Lines{"Patch ReplicationLink orders"});
  const Json& meta = std::get<Patch>(plan.steps[0].effect).patch["metadata"];
  EXPECT_EQ(meta["finalizers"], Json::parse(R"(["other/one", "twinspan.dev/cleanup"])"));
  EXPECT_EQ(meta["resourceVersion"], "77");
}

TEST(LinkPlan, FromNothingEverythingIsMadeInOrder) {
  World world;
  world.ca = world.owner = nullptr;
  world.lease.reset();
  world.account = world.role = world.binding = world.budget = nullptr;
  for (World::Member& member : world.members) {
    member.pod.reset();
    member.claim.reset();
    member.tls.reset();
  }
  EXPECT_EQ(lines(world.plan()),
            (Lines{"Apply ServiceAccount orders-worker", "Apply Role orders-worker", "Apply RoleBinding orders-worker",
                   "Apply PodDisruptionBudget orders", "Create Lease orders-primary", "MakeOwner", "MakeAuthority",
                   "Create PersistentVolumeClaim orders-east-data", "Create PersistentVolumeClaim orders-west-data",
                   "Create PersistentVolumeClaim orders-west-2-data"}));
  // The next look finds the authority: certificates before pods.
  world.ca = World().ca;
  const Lines next = lines(world.plan());
  EXPECT_EQ(Lines(next.end() - 3, next.end()),
            (Lines{"Create Pod orders-east-0", "Create Pod orders-west-0", "Create Pod orders-west-2-0"}));
  EXPECT_EQ(std::count(next.begin(), next.end(), "IssueCertificates west"), 1);
}

TEST(LinkPlan, OneThingMissingIsOneThingMade) {
  const auto without = [](auto change) {
    World world;
    change(world);
    return lines(world.plan());
  };
  EXPECT_EQ(without([](World& w) { w.role.reset(); }), Lines{"Apply Role orders-worker"});
  EXPECT_EQ(without([](World& w) { w.role->hash.clear(); }), Lines{"Apply Role orders-worker"});  // somebody changed it
  EXPECT_EQ(without([](World& w) { w.budget.reset(); }), Lines{"Apply PodDisruptionBudget orders"});
  EXPECT_EQ(without([](World& w) { w.lease.reset(); })[0], "Create Lease orders-primary");
  EXPECT_EQ(without([](World& w) { w.owner.reset(); }), Lines{"MakeOwner"});
  EXPECT_EQ(without([](World& w) {
              w.owner.reset();
              w.owner_is_theirs = true;
            }),
            Lines{});
  EXPECT_EQ(without([](World& w) { w["west"].tls.reset(); }), Lines{"IssueCertificates west"});
  EXPECT_EQ(without([](World& w) { w["west"].tls->hash.clear(); }), Lines{"IssueCertificates west"});
  EXPECT_EQ(without([](World& w) { w["west"].tls->bundle_hash = "before"; }), Lines{"IssueCertificates west"});
  EXPECT_EQ(without([](World& w) { w["west"].tls->renew_at = w.now; }), Lines{"IssueCertificates west"});
  EXPECT_EQ(without([](World& w) { w["west"].tls->renew_at = w.now + std::chrono::seconds(1); }), Lines{});
  EXPECT_EQ(without([](World& w) { w.ca->renew_at = w.now; }), Lines{"MakeAuthority"});
  EXPECT_EQ(without([](World& w) { w["west"].claim.reset(); }), Lines{"Create PersistentVolumeClaim orders-west-data"});
  EXPECT_EQ(without([](World& w) { w["west"].pod.reset(); }), Lines{"Create Pod orders-west-0"});
  EXPECT_EQ(without([](World& w) { w["west"].pod->role.clear(); }), Lines{"Patch Pod orders-west-0"});
}

TEST(LinkPlan, ADamagedAuthorityIsNeverReplacedByItself) {
  World world;
  world.ca->issuer_key_pem.clear();
  world.ca->hash.clear();
  const LinkPlan plan = world.plan();
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.waiting_reason, "AuthorityDamaged");
}

TEST(LinkPlan, VolumesGrowAndNeverShrink) {
  for (const auto& [there, grows] :
       {std::pair{"10Gi", false}, {"10240Mi", false}, {"5Gi", true}, {"20Gi", false}, {"", false}}) {
    World world;
    world["west"].claim->requested = there;
    EXPECT_EQ(lines(world.plan()), grows ? Lines{"Patch PersistentVolumeClaim orders-west-data"} : Lines{}) << there;
  }
}

TEST(LinkPlan, PausedMovesNothing) {
  World world;
  world.link->spec.paused = true;
  world["west"].pod.reset();
  world["east"].pod->hash = "old";
  world.role.reset();
  EXPECT_EQ(lines(world.plan()), Lines{});
}

TEST(LinkPlan, APodThatIsStoppingIsWaitedFor) {
  World world;
  world["west"].pod->terminating = true;
  const LinkPlan plan = world.plan();
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.waiting_reason, "PodStopping");
}

TEST(LinkPlan, AnEndedPodIsMadeAnewButNotInAHurry) {
  World world;
  world["west"].pod->phase = "Failed";
  EXPECT_EQ(lines(world.plan()), Lines{"Remove Pod orders-west-0"});
  world["west"].pod->created = world.now - std::chrono::seconds(4);
  const LinkPlan plan = world.plan();
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.next_check, std::chrono::seconds(6));
}

TEST(LinkPlan, AnotherLinksObjectIsNeverTouched) {
  World world;
  world["west"].pod->link = "orders-west";
  world["west-2"].pod.reset();
  const LinkPlan plan = world.plan();
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.taken, "Pod orders-west-0");
  EXPECT_EQ(plan.taken_field, "spec.targets[0].name");
}

class RemovedEndpoint : public ::testing::Test {
 protected:
  RemovedEndpoint() {
    world_.add("old", nullptr);
    world_.report("east").downstreams["old"] = {"streaming", "async", {}, {}, {}, {}};
  }
  World world_;
};

TEST_F(RemovedEndpoint, LosesItsPodFirst) {
  EXPECT_EQ(lines(world_.plan()), Lines{"Remove Pod orders-old-0"});
  world_["old"].pod->terminating = true;
  EXPECT_EQ(lines(world_.plan()), Lines{});
}

TEST_F(RemovedEndpoint, KeepsItsVolumeUntilItsSlotIsGone) {
  world_["old"].pod.reset();
  EXPECT_EQ(lines(world_.plan()), Lines{"Remove Secret orders-old-tls"});
  world_["old"].tls.reset();
  EXPECT_EQ(lines(world_.plan()), Lines{});
  world_.report("east").downstreams.erase("old");
  world_.report("east").generation = 2;  // has not seen the spec that lacks it
  EXPECT_EQ(lines(world_.plan()), Lines{});
  world_.report("east").generation = 3;
  EXPECT_EQ(lines(world_.plan()), Lines{"Remove PersistentVolumeClaim orders-old-data"});
  world_.link->metadata.annotations["twinspan.dev/keep-data"] = "true";
  EXPECT_EQ(lines(world_.plan()), Lines{});
}

TEST_F(RemovedEndpoint, StaysWhileItIsOrBecomesThePrimary) {
  world_.lease->record.holder_endpoint = "old";
  const Lines steps = lines(world_.plan());
  EXPECT_EQ(std::count(steps.begin(), steps.end(), "Remove Pod orders-old-0"), 0);
  EXPECT_EQ(world_.plan().waiting_reason, "PrimaryRemoved");
  world_.lease->record.holder_endpoint = "east";
  world_.link->status.assignment->primary = "old";
  EXPECT_EQ(world_.plan().waiting_reason, "PrimaryRemoved");
}

class Deletion : public ::testing::Test {
 protected:
  Deletion() { world_.link->metadata.deletion_timestamp = "2026-11-21T09:59:00Z"; }
  void remove_pods() {
    for (World::Member& member : world_.members) member.pod.reset();
  }
  void remove_all() {
    remove_pods();
    for (World::Member& member : world_.members) {
      member.claim.reset();
      member.tls.reset();
    }
    world_.ca = world_.owner = nullptr;
    world_.lease.reset();
    world_.account = world_.role = world_.binding = world_.budget = nullptr;
  }
  World world_;
};

TEST_F(Deletion, StopsPodsBeforeTakingAwayWhatTheyNeed) {
  EXPECT_EQ(lines(world_.plan()),
            (Lines{"Remove Pod orders-east-0", "Remove Pod orders-west-0", "Remove Pod orders-west-2-0"}));
  for (World::Member& member : world_.members) member.pod->terminating = true;
  EXPECT_EQ(lines(world_.plan()), Lines{});
  EXPECT_EQ(world_.plan().waiting_reason, "Terminating");
}

TEST_F(Deletion, ThenRemovesTheRestThenTheFinalizer) {
  remove_pods();
  const Lines rest = lines(world_.plan());
  EXPECT_EQ(rest.size(), 3u + 3u + 7u);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), "Remove Lease orders-primary"), 1);
  EXPECT_EQ(std::count(rest.begin(), rest.end(), "Patch ReplicationLink orders"), 0);
  remove_all();
  const LinkPlan plan = world_.plan();
  ASSERT_EQ(lines(plan), Lines{"Patch ReplicationLink orders"});
  EXPECT_EQ(std::get<Patch>(plan.steps[0].effect).patch["metadata"]["finalizers"], Json::array());
}

TEST_F(Deletion, KeepsVolumesThatAreAskedToBeKept) {
  remove_all();
  world_["west"].claim = World()["west"].claim;
  EXPECT_EQ(lines(world_.plan()), Lines{"Remove PersistentVolumeClaim orders-west-data"});
  world_.link->metadata.annotations["twinspan.dev/keep-data"] = "true";
  EXPECT_EQ(lines(world_.plan()), Lines{"Patch ReplicationLink orders"});
}

TEST_F(Deletion, HappensToPausedAndInvalidLinksToo) {
  world_.link->spec.paused = true;
  world_.link->invalid = Error{Code::kInvalid, "spec.source: missing", false};
  EXPECT_EQ(lines(world_.plan()).size(), 3u);
}

TEST_F(Deletion, LeavesOthersObjectsAlone) {
  remove_all();
  world_["west"].pod = World()["west"].pod;
  world_["west"].pod->link = "orders-west";
  world_.owner = World().owner;
  world_.owner->link = "somebody";
  EXPECT_EQ(lines(world_.plan()), Lines{"Patch ReplicationLink orders"});
}

TEST_F(Deletion, WithoutOurFinalizerIsNotOurs) {
  world_.link->metadata.finalizers = {"other/one"};
  EXPECT_EQ(lines(world_.plan()), Lines{});
}

}  // namespace
}  // namespace twinspan::controllers::testing
