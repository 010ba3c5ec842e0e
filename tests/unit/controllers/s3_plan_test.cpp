#include "controllers/s3/s3_plan.hpp"

#include <gtest/gtest.h>

#include "s3_world.hpp"

namespace twinspan::controllers::testing {
namespace {

Lines planned(const S3Seen& seen) { return lines(plan_s3(seen, s3_render_config())); }

TEST(S3Plan, NothingToDoWhereEverythingIsAsItShouldBe) {
  const LinkPlan plan = plan_s3(s3_world(), s3_render_config());
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.waits_for, WaitFor::kNothing);
}

TEST(S3Plan, ANewLinkGetsCertificatesThenItsWorkers) {
  S3Seen seen = s3_world();
  seen.set = nullptr;
  seen.common.account = seen.common.role = seen.common.binding = seen.common.budget = nullptr;
  seen.common.ca = nullptr;
  seen.leases = {nullptr};
  seen.common.endpoints.front().pod = nullptr;
  seen.common.endpoints.front().tls = nullptr;
  EXPECT_EQ(planned(seen), (Lines{"Apply ServiceAccount backups-worker", "Apply Role backups-worker",
                                  "Apply RoleBinding backups-worker", "Apply PodDisruptionBudget backups",
                                  "Create Lease backups-s3-0", "MakeAuthority"}));
  seen = s3_world();
  seen.set = nullptr;
  seen.common.endpoints.front().tls = nullptr;
  EXPECT_EQ(planned(seen), (Lines{"IssueCertificates s3", "Apply StatefulSet backups-s3"}));
}

TEST(S3Plan, WorkersFollowTheSpecAndTheImage) {
  for (const auto& [pointer, value] : {std::pair{"/spec/targets/0/s3/credentialsSecretRef/name", Json("other")},
                                       {"/spec/s3/resources/requests/cpu", Json("1")},
                                       {"/spec/s3/image", Json("mine:2")}}) {
    S3Seen seen = s3_world();
    Json json = s3_link_json();
    json[Json::json_pointer(pointer)] = value;
    seen.common.link = std::make_shared<CachedLink>(*decode_link(json));
    EXPECT_EQ(planned(seen), (Lines{"Apply StatefulSet backups-s3"})) << pointer;
  }
  // What the worker reads for itself replaces no pod.
  S3Seen seen = s3_world();
  Json json = s3_link_json();
  json["spec"]["s3"] = {{"bandwidth", {{"bytesPerSecond", 5}}}, {"listingIntervalSeconds", 3}};
  json["spec"]["source"]["s3"]["prefix"] = "daily/";
  seen.common.link = std::make_shared<CachedLink>(*decode_link(json));
  EXPECT_EQ(planned(seen), Lines{});
  RenderConfig newer = s3_render_config();
  newer.s3_worker_image = "registry.example/twinspan-operator:1.1";
  EXPECT_EQ(lines(plan_s3(s3_world(), newer)), (Lines{"Apply StatefulSet backups-s3"}));
}

// Of what is its turn's and what a person's.
TEST(S3Plan, WorkersOfAnotherVersionAreRenewedAtTheLinksTurn) {
  RenderConfig newer = s3_render_config();
  newer.s3_worker_image = "registry.example/twinspan-operator:1.1";
  newer.origin = "1.1";
  S3Seen seen = s3_world();
  EXPECT_TRUE(s3_roll_state(seen, newer).old_left);
  EXPECT_FALSE(s3_roll_state(seen, s3_render_config()).old_left);
  seen.common.turn = {false, "others first", std::chrono::seconds(7)};
  const LinkPlan waits = plan_s3(seen, newer);
  EXPECT_EQ(lines(waits), Lines{});
  EXPECT_EQ(waits.waits_for, WaitFor::kTurn);
  EXPECT_EQ(waits.next_check, std::chrono::seconds(7));
  Json scaled = s3_link_json();
  scaled["spec"]["s3"]["workers"] = 2;
  S3Seen edited = s3_world();
  edited.common.turn = seen.common.turn;
  edited.common.link = std::make_shared<CachedLink>(*decode_link(scaled));
  const Lines steps = lines(plan_s3(edited, newer));
  EXPECT_TRUE(std::ranges::find(steps, "Apply StatefulSet backups-s3") != steps.end());
}

TEST(S3Plan, APausedLinkIsLeftAlone) {
  Json json = s3_link_json();
  json["spec"]["paused"] = true;
  S3Seen seen = s3_world(json);
  seen.set = nullptr;
  EXPECT_EQ(planned(seen), Lines{});
}

TEST(S3Plan, AnotherLinksPodIsNeverTakenOver) {
  S3Seen seen = s3_world();
  auto pod = std::make_shared<Pod>(*seen.common.endpoints.front().pod);
  pod->link = "back";
  pod->endpoint = "ups-s3";
  seen.common.endpoints.front().pod = pod;
  seen.set = nullptr;
  seen.set_foreign_aside();
  const LinkPlan plan = plan_s3(seen, s3_render_config());
  EXPECT_EQ(lines(plan), Lines{});
  EXPECT_EQ(plan.foreign, (std::vector<Foreign>{{"Pod", "backups-s3-0"}}));
}

TEST(S3Plan, PodsOfItsOwnStatefulSetAreItsOwn) {
  S3Seen seen = s3_world();
  auto pod = std::make_shared<Pod>(*seen.common.endpoints.front().pod);
  pod->owner.clear();
  pod->controller = "StatefulSet/backups-s3";
  seen.common.endpoints.front().pod = pod;
  seen.set_foreign_aside();
  EXPECT_TRUE(seen.common.endpoints.front().pod);
  EXPECT_EQ(planned(seen), Lines{});
}

TEST(S3Plan, SomebodyElsesLeaseStopsTheWorkersBeforeTheyAreMade) {
  S3Seen seen = s3_world();
  seen.set = nullptr;
  seen.leases = {nullptr};
  seen.common.foreign = {{{"Lease", "backups-s3-0"}, false}};
  EXPECT_EQ(planned(seen), Lines{});
  seen.common.foreign[0].due = true;
  EXPECT_EQ(planned(seen), Lines{"Create Lease backups-s3-0"});
}

TEST(S3Plan, ALinkThatIsBeingDeletedIsLeftToItsOwnerReferences) {
  Json json = s3_link_json();
  json["metadata"]["deletionTimestamp"] = "2026-11-21T09:59:00Z";
  S3Seen seen = s3_world(json);
  EXPECT_EQ(planned(seen), Lines{});
  json["metadata"]["finalizers"] = {"twinspan.dev/cleanup"};
  EXPECT_EQ(planned(s3_world(json)), (Lines{"Patch ReplicationLink backups"}));
}

}  // namespace
}  // namespace twinspan::controllers::testing
