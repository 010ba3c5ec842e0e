#include "controllers/s3/s3_status.hpp"

#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "controllers/link/link_status.hpp"
#include "s3_world.hpp"

namespace twinspan::controllers::testing {
namespace {

api::LinkStatus status_of(const S3Seen& seen) { return next_s3_status(seen, plan_s3(seen, s3_render_config())); }

// "True Replicating"
std::string condition(const api::LinkStatus& status, const char* type) {
  const api::Condition* found = api::find_condition(status.conditions, type);
  return found ? std::string(to_string(found->status)) + " " + found->reason : "";
}
std::string message(const api::LinkStatus& status, const char* type) {
  const api::Condition* found = api::find_condition(status.conditions, type);
  return found ? found->message : "";
}

TEST(S3Status, ShowsWhatTheWorkerSays) {
  const api::LinkStatus status = status_of(s3_world());
  EXPECT_EQ(condition(status, "Ready"), "True Replicating");
  EXPECT_EQ(condition(status, "Reconciling"), "False Settled");
  EXPECT_EQ(condition(status, "Stalled"), "False NotStalled");
  EXPECT_EQ(condition(status, "LagWithinThreshold"), "True LagWithinThreshold");
  EXPECT_EQ(condition(status, "Consistent"), "");  // nobody has looked yet
  EXPECT_EQ(status.primary, "sgp");
  EXPECT_EQ(status.replicas, "1/1");
  EXPECT_EQ(status.lag, "12s");
  ASSERT_EQ(status.endpoints.size(), 2u);
  EXPECT_EQ(status.endpoints[0].role, "Primary");
  EXPECT_EQ(status.endpoints[1].queue_length, 7);
  EXPECT_EQ(status.endpoints[1].active_transfers, 5);
  EXPECT_EQ(status.endpoints[1].pod, "backups-s3-0");
  EXPECT_EQ(status.sync->replicated, 4980);
}

TEST(S3Status, LagIsJudgedBy300SecondsWhereTheSpecSaysNothing) {
  for (const auto& [lag, threshold, expected] : {std::tuple{299.0, -1, "True LagWithinThreshold"},
                                                 {301.0, -1, "False LagOverThreshold"},
                                                 {301.0, 400, "True LagWithinThreshold"},
                                                 {12.0, 5, "False LagOverThreshold"}}) {
    Json json = s3_link_json();
    if (threshold >= 0) json["spec"]["lagThreshold"]["seconds"] = threshold;
    S3Seen seen = s3_world(json);
    s3_report(seen).details["endpoints"][1]["lagSeconds"] = lag;
    EXPECT_EQ(condition(status_of(seen), "LagWithinThreshold"), expected) << lag;
  }
  S3Seen seen = s3_world();
  s3_report(seen).details["endpoints"][1].erase("lagSeconds");
  EXPECT_EQ(condition(status_of(seen), "LagWithinThreshold"), "Unknown LagNotMeasured");
  EXPECT_EQ(status_of(seen).lag, std::nullopt);
}

TEST(S3Status, OfATwoWayLinkBothArePrimaryAndTheTargetsLagCounts) {
  Json json = s3_link_json();
  json["spec"]["topology"] = "ActiveActive";
  S3Seen seen = s3_world(json);
  s3_report(seen).details["sync"]["conflicts"] = 2;
  const api::LinkStatus status = status_of(seen);
  for (const api::EndpointStatus& row : status.endpoints) EXPECT_EQ(row.role, "Primary");
  EXPECT_EQ(condition(status, "Ready"), "True Replicating");
  EXPECT_EQ(status.replicas, "1/1");
  EXPECT_EQ(status.lag, "12s");
  EXPECT_EQ(status.sync->conflicts, 2);
  s3_report(seen).details["endpoints"][1]["lagSeconds"] = 400;
  EXPECT_EQ(condition(status_of(seen), "LagWithinThreshold"), "False LagOverThreshold");
}

TEST(S3Status, DeniedCredentialsStallTheLinkInTheServersWords) {
  S3Seen seen = s3_world();
  s3_report(seen).details["stalled"] = {{"reason", "AccessDenied"},
                                        {"message", "nyc: bucket backups-nyc3: AccessDenied"}};
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "Ready"), "False AccessDenied");
  EXPECT_EQ(condition(status, "Stalled"), "True AccessDenied");
  EXPECT_EQ(condition(status, "Reconciling"), "False Stalled");
  EXPECT_EQ(message(status, "Stalled"), "nyc: bucket backups-nyc3: AccessDenied");
}

TEST(S3Status, AFirstSyncIsNotReadyYet) {
  S3Seen seen = s3_world();
  s3_report(seen).details["endpoints"][1]["state"] = "Initializing";
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False Synchronizing");
  EXPECT_EQ(status_of(seen).replicas, "0/1");
  s3_report(seen).holds_lease = false;
  s3_report(seen).message = "another worker still holds the lease";
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False Starting");
}

TEST(S3Status, DifferencesThatAVerificationFoundAreACondition) {
  S3Seen seen = s3_world();
  s3_report(seen).details["verification"] = {{"consistent", false},
                                             {"checked", 5003},
                                             {"missing", 3},
                                             {"different", 0},
                                             {"missingSample", {"daily/2024-01-01.tar.gz"}},
                                             {"reports", {{{"name", "nyc"}, {"key", ".twinspan/r.json"}}}}};
  api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "Consistent"), "False DifferencesFound");
  EXPECT_NE(message(status, "Consistent").find("3 keys missing"), std::string::npos);
  EXPECT_NE(message(status, "Consistent").find("named in .twinspan/r.json"), std::string::npos);
  EXPECT_EQ(status.verification->missing_sample, (std::vector<std::string>{"daily/2024-01-01.tar.gz"}));
  EXPECT_EQ(urgency_of(status_of(s3_world()), status), Urgency::kNow);
  s3_report(seen).details["verification"] = {{"consistent", true}, {"checked", 5003}};
  status = status_of(seen);
  EXPECT_EQ(condition(status, "Consistent"), "True Verified");
}

TEST(S3Status, ASilentWorkerIsUnknownAndWhatItDidStays) {
  S3Seen seen = s3_world();
  MemberView& view = seen.common.endpoints.front().member;
  view.failures = 9;
  view.age = std::chrono::seconds(30);
  view.error = "connection refused";
  Json json = s3_link_json();
  json["status"]["sync"] = {{"total", 7}};
  seen.common.link = std::make_shared<CachedLink>(*decode_link(json));
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "Ready"), "Unknown WorkerNotHeard");
  EXPECT_NE(message(status, "Ready").find("connection refused"), std::string::npos);
  EXPECT_EQ(status.endpoints[1].state, "Unknown");
  EXPECT_EQ(status.endpoints[1].lag_seconds, std::nullopt);
  EXPECT_EQ(status.sync->total, 7);
  view.report.reset();
  seen.common.endpoints.front().pod = nullptr;
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False Starting");
}

TEST(S3Status, CountersThatOnlyMoveAreWrittenLazily) {
  S3Seen seen = s3_world();
  const api::LinkStatus before = status_of(seen);
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kNone);
  s3_report(seen).details["endpoints"][1]["queueLength"] = 8;
  s3_report(seen).details["sync"]["total"] = 5004;
  EXPECT_EQ(urgency_of(before, status_of(seen)), Urgency::kLazy);
}

TEST(S3Status, ASpecThatMayNotBeIsSaid) {
  Json json = s3_link_json();
  json["spec"]["s3"]["compression"] = "Gzip";
  json["spec"]["s3"]["restore"] = true;  // and compressed: one of the two
  S3Seen seen = s3_world(json);
  const api::LinkStatus status = next_s3_status(seen, {});
  EXPECT_EQ(condition(status, "Stalled"), "True InvalidSpec");
  EXPECT_NE(message(status, "Ready").find("spec.s3.compression"), std::string::npos);
}

}  // namespace
}  // namespace twinspan::controllers::testing
