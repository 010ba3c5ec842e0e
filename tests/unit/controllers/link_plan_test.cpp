#include "controllers/link/link_plan.hpp"

#include <gtest/gtest.h>

#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

TEST(LinkPlan, ASettledLinkNeedsNothing) {
  const World world;
  const LinkPlan plan = world.plan();
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.waits_for, WaitFor::kNothing);
  EXPECT_EQ(plan.next_check, std::chrono::days(60));  // the certificates
}

// Nothing tells that a lease runs out: a look that sees it stand, or its holder silent, asks for another at its end.
TEST(LinkPlan, AnEndOfTheLeaseThatNothingTellsOfIsLookedFor) {
  using std::chrono::milliseconds;
  for (const bool heard : {false, true})
    for (const bool paused : {false, true})
      for (const milliseconds stood : {milliseconds(0), milliseconds(2499), milliseconds(2500), milliseconds(5999)}) {
        World world;
        if (!heard) world["east"].view.age = MemberView::kTrustedUnasked;
        world.link->spec.paused = paused;
        world.lease_unchanged_for = stood;
        ASSERT_EQ(world.seen().primary(), "east");
        const auto next = world.plan().next_check;
        if (heard && stood < milliseconds(2500))
          EXPECT_TRUE(!next || *next > std::chrono::minutes(1));
        else
          EXPECT_EQ(next, milliseconds(6000) - stood);
        world.lease_unchanged_for = milliseconds(6000);
        EXPECT_EQ(world.seen().primary(), "");
      }
}

// Earlier versions left one, which kept namespaces from ending once the operator was gone.
TEST(LinkPlan, AFormerFinalizerIsDroppedFromEveryLink) {
  for (const bool paused : {false, true})
    for (const bool deleting : {false, true}) {
      World world;
      world.link->metadata.finalizers = {"other/one", "twinspan.dev/cleanup"};
      world.link->spec.paused = paused;
      if (deleting) world.link->metadata.deletion_timestamp = "2026-11-21T09:59:00Z";
      const LinkPlan plan = world.plan();
      ASSERT_EQ(lines(plan), Lines{"Patch ReplicationLink orders"});
      const Json& meta = std::get<Patch>(plan.steps[0].effect).patch["metadata"];
      EXPECT_EQ(meta["finalizers"], Json::parse(R"(["other/one"])"));
      EXPECT_EQ(meta["resourceVersion"], "77");
    }
}

TEST(LinkPlan, FromNothingEverythingIsMadeInOrder) {
  World world;
  world.ca = world.owner = nullptr;
  world.lease.reset();
  world.account = world.role = world.binding = world.budget = world.ca_bundle = nullptr;
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
  EXPECT_EQ(std::count(next.begin(), next.end(), "Apply ConfigMap orders-ca"), 1);
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
              w.owner_secret = {OwnerSecret::State::kUsable, false};
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
  EXPECT_EQ(plan.waits_for, WaitFor::kAuthority);
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
  EXPECT_EQ(plan.waits_for, WaitFor::kPodStop);
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

TEST(LinkPlan, AnotherLinksObjectIsNeverTouchedAndTheRestGoesOn) {
  World world;
  world["west"].pod->link = "orders-west";
  world["west-2"].pod.reset();
  const LinkPlan plan = world.plan();
  EXPECT_EQ(lines(plan), Lines{"Create Pod orders-west-2-0"});
  EXPECT_EQ(plan.foreign, (std::vector<Foreign>{{"Pod", "orders-west-0"}}));
}

// What no cache has was found by trying to make it, and is tried again when it is due.
TEST(LinkPlan, WhatIsSomebodyElsesIsNotMadeNorWhatNeedsIt) {
  const auto planned = [](Foreign foreign, bool due, auto change) {
    World world;
    change(world);
    for (World::Member& member : world.members) member.pod.reset();
    world.foreign = {{foreign, due}};
    const LinkPlan plan = world.plan();
    EXPECT_EQ(plan.foreign, std::vector<Foreign>{foreign});
    return lines(plan);
  };
  const Lines pods{"Create Pod orders-east-0", "Create Pod orders-west-0", "Create Pod orders-west-2-0"};
  EXPECT_EQ(planned({"PodDisruptionBudget", "orders"}, false, [](World& w) { w.budget.reset(); }), pods);
  EXPECT_EQ(planned({"ServiceAccount", "orders-worker"}, false, [](World& w) { w.account.reset(); }), Lines{});
  EXPECT_EQ(planned({"Role", "orders-worker"}, false, [](World& w) { w.role.reset(); }), Lines{});
  EXPECT_EQ(planned({"RoleBinding", "orders-worker"}, false, [](World& w) { w.binding.reset(); }), Lines{});
  EXPECT_EQ(planned({"Lease", "orders-primary"}, false, [](World& w) { w.lease.reset(); }), Lines{});
  EXPECT_EQ(planned({"Secret", "orders-ca"}, false, [](World& w) { w.ca.reset(); }), Lines{});
  EXPECT_EQ(planned({"Secret", "orders-west-tls"}, false, [](World& w) { w["west"].tls.reset(); }),
            (Lines{"Create Pod orders-east-0", "Create Pod orders-west-2-0"}));
  EXPECT_EQ(planned({"PersistentVolumeClaim", "orders-west-data"}, false, [](World& w) { w["west"].claim.reset(); }),
            (Lines{"Create Pod orders-east-0", "Create Pod orders-west-2-0"}));
  EXPECT_EQ(planned({"Lease", "orders-primary"}, true, [](World& w) { w.lease.reset(); }),
            Lines{"Create Lease orders-primary"});
}

TEST(LinkPlan, AnEarlierLinksObjectsAreTakenOverAndItsVolumesUsedAsTheyAre) {
  World world;
  for (Marks* marks : std::vector<Marks*>{world.ca.get(), world.lease.get(), world.role.get(), world["west"].pod.get(),
                                          world["west"].tls.get()})
    marks->owner = "earlier-uid";
  for (Marks* marks : std::vector<Marks*>{world.owner.get(), world["west"].claim.get()})
    marks->made_for = "earlier-uid";
  EXPECT_EQ(lines(world.plan()),
            (Lines{"Apply Role orders-worker", "Patch Lease orders-primary", "Patch Secret orders-ca",
                   "Patch Secret orders-west-tls", "Patch Pod orders-west-0"}));
  const LinkPlan plan = world.plan();
  const Json& meta = std::get<Patch>(plan.steps[1].effect).patch["metadata"];
  EXPECT_EQ(meta["ownerReferences"][0]["uid"], "link-uid");
  EXPECT_EQ(meta["resourceVersion"], "5");
}

TEST(LinkPlan, WhoOwnsVolumesAndTheOwnersSecretFollowsTheDeletionPolicy) {
  World world;
  world.link->spec.deletion_policy = api::DeletionPolicy::kDelete;
  EXPECT_EQ(lines(world.plan()),
            (Lines{"Patch Secret orders-owner", "Patch PersistentVolumeClaim orders-east-data",
                   "Patch PersistentVolumeClaim orders-west-data", "Patch PersistentVolumeClaim orders-west-2-data"}));
  const LinkPlan owned = world.plan();
  EXPECT_EQ(std::get<Patch>(owned.steps[1].effect).patch["metadata"]["ownerReferences"][0]["uid"], "link-uid");
  for (World::Member& member : world.members) member.claim->owner = "link-uid";
  world.owner->owner = "link-uid";
  EXPECT_EQ(lines(world.plan()), Lines{});
  world.link->spec.deletion_policy = api::DeletionPolicy::kRetain;
  const LinkPlan kept = world.plan();
  ASSERT_EQ(kept.steps.size(), 4u);
  EXPECT_TRUE(std::get<Patch>(kept.steps[1].effect).patch["metadata"]["ownerReferences"].is_null());
}

TEST(LinkPlan, ANamedOwnerSecretIsAwaitedAndNeverMade) {
  using State = OwnerSecret::State;
  Json json = link_json();
  json["spec"]["postgres"]["ownerSecretRef"] = {{"name", "shop-db"}};
  for (const State state : {State::kUnknown, State::kMissing, State::kIncomplete, State::kUsable})
    for (const bool due : {false, true})
      for (const bool first : {false, true}) {
        World world(json);
        world.owner.reset();
        world.owner_secret = {state, due};
        if (first) world.lease->record = LeaseRecord{};
        world["west"].pod.reset();
        const LinkPlan plan = world.plan();
        Lines wanted;
        if (due) wanted.push_back("LookForOwner");
        // Data that exist are served also without the Secret.
        if (!first || state == State::kUsable) wanted.push_back("Create Pod orders-west-0");
        EXPECT_EQ(lines(plan), wanted) << static_cast<int>(state) << due << first;
        EXPECT_EQ(plan.owner_awaited.empty(), state == State::kUsable || state == State::kUnknown)
            << "nothing is said of a Secret that nobody has looked at";
        if (state == State::kMissing) {
          EXPECT_NE(plan.owner_awaited.find("spec.postgres.ownerSecretRef.name: Secret shop-db"), std::string::npos);
          EXPECT_LE(plan.next_check, OwnerSecret::kAwaitedLook);
        }
      }
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
  EXPECT_EQ(lines(world_.plan()), Lines{});  // deletionPolicy Retain
  world_.link->spec.deletion_policy = api::DeletionPolicy::kDelete;
  world_.owner->owner = "link-uid";
  for (World::Member& member : world_.members) member.claim->owner = "link-uid";
  for (const std::optional<bool> healthy : {std::optional<bool>(), std::optional(false)}) {
    world_.report("east").sql_healthy = healthy;
    EXPECT_EQ(lines(world_.plan()), Lines{}) << "a primary that does not see its slots has none to tell of";
  }
  world_.report("east").sql_healthy = true;
  EXPECT_EQ(lines(world_.plan()), Lines{"Remove PersistentVolumeClaim orders-old-data"});
  world_["old"].claim->handed_to = "orders";
  EXPECT_EQ(lines(world_.plan()), Lines{}) << "a person's volume, whatever the policy says";
}

TEST_F(RemovedEndpoint, StaysWhileItIsOrBecomesThePrimary) {
  world_.lease->record.holder_endpoint = "old";
  const Lines steps = lines(world_.plan());
  EXPECT_EQ(std::count(steps.begin(), steps.end(), "Remove Pod orders-old-0"), 0);
  EXPECT_EQ(world_.plan().waits_for, WaitFor::kPrimaryElsewhere);
  world_.lease->record.holder_endpoint = "east";
  world_.link->status.assignment->primary = "old";
  EXPECT_EQ(world_.plan().waits_for, WaitFor::kPrimaryElsewhere);
}

// The garbage collector follows owner references: nothing waits for this operator.
TEST(LinkPlan, ALinkThatIsBeingDeletedIsLeftToItsOwnerReferences) {
  World world;
  world.link->metadata.deletion_timestamp = "2026-11-21T09:59:00Z";
  world["west"].pod.reset();
  world.role.reset();
  EXPECT_EQ(lines(world.plan()), Lines{});
}

}  // namespace
}  // namespace twinspan::controllers::testing
