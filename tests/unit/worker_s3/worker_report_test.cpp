#include "worker/s3/worker_report.hpp"

#include <gtest/gtest.h>

namespace twinspan::worker_s3 {
namespace {

api::ReplicationLink link() {
  auto parsed = api::parse_replication_link(Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "backups", "namespace": "shop", "generation": 3},
    "spec": {"engine": "S3",
      "source": {"name": "sgp", "s3": {"endpoint": "https://sgp1.example", "bucket": "backups-sgp1", "prefix": "a/",
                 "credentialsSecretRef": {"name": "one"}}},
      "targets": [{"name": "nyc", "s3": {"endpoint": "https://nyc3.example", "bucket": "backups-nyc3"}},
                  {"name": "ams", "s3": {"endpoint": "https://ams3.example", "bucket": "backups-ams3"}}],
      "s3": {"objectsAtOnce": {"max": 20}, "priorities": [{"prefix": "daily/", "priority": 100}],
             "deletes": {"mode": "Replicate", "maxPerSync": 7}, "retries": {"backoffBaseSeconds": 9}}}})"));
  return parsed.value_or(api::ReplicationLink{});
}

TargetSnapshot target(const std::string& name, bool verified = false) {
  TargetSnapshot seen;
  seen.name = name;
  seen.state = MemberState::kStreaming;
  s3::ReplicationStatus engine;
  engine.lag_seconds = 12.4;
  engine.queue_length = 7;
  engine.active_transfers = 5;
  engine.sync.total = 10;
  engine.sync.replicated = 4;
  engine.sync.complete = true;
  engine.sync.started_at = *parse_rfc3339("2026-11-21T09:00:00Z");
  engine.sync.completed_at = *parse_rfc3339("2026-11-21T09:10:00Z");
  if (verified) {
    engine.verification.emplace();
    engine.verification->complete = true;
    engine.verification->consistent = name != "nyc";
    engine.verification->missing = name == "nyc";
    engine.verification->checked = 10;
    if (name == "nyc") engine.verification->missing_sample = {"daily/1"};
    engine.verification->started_at = *parse_rfc3339("2026-11-21T09:20:00Z");
    engine.verification->finished_at = *parse_rfc3339("2026-11-21T09:30:00Z");
  }
  seen.engine = std::move(engine);
  return seen;
}

struct Given {
  api::ReplicationLink link = worker_s3::link();
  ReportInput input;
  Given() {
    input.link = &link;
    input.instance = "i1";
    input.holds_lease = true;
    input.shares = {0};
    input.targets = {target("nyc"), target("ams")};
  }
  Json details() const { return worker_report(input).details; }
};

TEST(WorkerReport, SaysOfEachEndpointHowItIsAndSumsTheSync) {
  const Given given;
  const MemberReport report = worker_report(given.input);
  EXPECT_EQ(report.endpoint, "s3");
  EXPECT_EQ(report.state, MemberState::kRunning);
  EXPECT_EQ(report.generation, 3);
  const Json& rows = report.details["endpoints"];
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["name"], "nyc");
  EXPECT_EQ(rows[0]["lagSeconds"], 12.0);
  EXPECT_EQ(rows[0]["queueLength"], 7);
  EXPECT_EQ(rows[2]["name"], "sgp");
  EXPECT_EQ(rows[2]["state"], "Running");
  EXPECT_EQ(report.details["sync"]["total"], 20);
  EXPECT_EQ(report.details["sync"]["completedAt"], "2026-11-21T09:10:00Z");
  EXPECT_FALSE(report.details.contains("stalled"));
  EXPECT_FALSE(report.details.contains("verification"));
}

TEST(WorkerReport, ARefusalStallsAndIsShownAtTheEndpointThatRefuses) {
  Given given;
  TargetSnapshot& nyc = given.input.targets[0];
  const Error denied{Code::kDenied, "AccessDenied: no", false};
  nyc.stall = stall_of("sgp", "backups-sgp1", denied);
  nyc.at_fault = "sgp";
  nyc.state = MemberState::kFailed;
  nyc.message = "sgp: AccessDenied: no";
  nyc.engine.reset();
  const MemberReport report = worker_report(given.input);
  EXPECT_EQ(report.state, MemberState::kFailed);
  EXPECT_EQ(report.details["stalled"]["reason"], "AccessDenied");
  EXPECT_EQ(report.details["stalled"]["message"], "sgp: bucket backups-sgp1: AccessDenied: no");
  EXPECT_EQ(report.details["endpoints"][2]["state"], "Failed");
  EXPECT_FALSE(report.details["endpoints"][0].contains("lagSeconds"));  // not measured is not zero
  EXPECT_EQ(stall_of("sgp", "b", {Code::kUnavailable, "", true}), std::nullopt);
}

TEST(WorkerReport, AVerificationCountsOnceEveryTargetHasAResult) {
  Given given;
  given.input.verify_request = "7";
  given.input.targets = {target("nyc", true), target("ams")};
  EXPECT_FALSE(given.details().contains("verification"));
  given.input.targets = {target("nyc", true), target("ams", true)};
  const Json verification = given.details()["verification"];
  EXPECT_EQ(verification["consistent"], false);
  EXPECT_EQ(verification["checked"], 20);
  EXPECT_EQ(verification["missingSample"], Json::array({"nyc: daily/1"}));
  EXPECT_EQ(verification["request"], "7");
  EXPECT_TRUE(api::parse_verification_status(verification));
}

TEST(WorkerReport, SaysWhichSharesItCopiesAndOfEachHowItIs) {
  Given given;
  given.input.division = {4, 3};
  given.input.shares = {0, 2};
  given.input.targets = {target("nyc", true), target("nyc", true), target("ams", true), target("ams", true)};
  given.input.targets[1].share = given.input.targets[3].share = 2;
  const Json details = given.details();
  EXPECT_EQ(details["division"], (Json{{"generation", 4}, {"shares", 3}}));
  EXPECT_EQ(details["shares"], (Json{0, 2}));
  EXPECT_EQ(details["endpoints"].size(), 5u);
  EXPECT_EQ(details["sync"]["total"], 40);
  EXPECT_EQ(details["verification"]["checked"], 40);
  EXPECT_EQ(details["verification"]["reports"].size(), 4u);
  EXPECT_EQ(details["verification"]["reports"][0]["key"], ".twinspan/verification/shop/backups/nyc~0-of-3.json");
  const std::string text = metrics_text("shop", "backups", worker_report(given.input), given.input.targets);
  EXPECT_NE(text.find("twinspan_s3_queue_length{namespace=\"shop\",link=\"backups\",endpoint=\"ams\",share=\"2\"} 7"),
            std::string::npos);
}

TEST(WorkerReport, WithALeaseButNoShareYetItWaitsForTheOthers) {
  Given given;
  given.input.shares.clear();
  given.input.targets.clear();
  EXPECT_EQ(worker_report(given.input).state, MemberState::kStarting);
  EXPECT_NE(worker_report(given.input).message.find("divided before"), std::string::npos);
}

TEST(WorkerReport, WithoutTheLeaseItWaitsAndPausedItRests) {
  Given given;
  given.input.holds_lease = false;
  given.input.lease_holder = "backups-s3-0/old";
  given.input.targets.clear();
  EXPECT_EQ(worker_report(given.input).state, MemberState::kStarting);
  EXPECT_NE(worker_report(given.input).message.find("backups-s3-0/old"), std::string::npos);
  given.link.spec.paused = true;
  EXPECT_EQ(worker_report(given.input).state, MemberState::kStopped);
}

std::vector<RouteSpec> routes_of(const api::ReplicationLink& link) { return worker_s3::routes_of(link, {}, {0}); }

TEST(RouteSpec, EachTargetHasOneForEachShare) {
  EXPECT_TRUE(worker_s3::routes_of(link(), {4, 3}, {}).empty());
  const auto routes = worker_s3::routes_of(link(), {4, 3}, {0, 2});
  ASSERT_EQ(routes.size(), 4u);
  EXPECT_EQ(routes[1].target.name, "nyc");
  EXPECT_EQ(engine_settings(routes[1]).share, (s3::Share{2, 3, 4}));
  // Another division is another share, though it has the same keys.
  EXPECT_NE(routes, worker_s3::routes_of(link(), {5, 3}, {0, 2}));
  EXPECT_TRUE(engine_settings(routes_of(link()).front()).share.whole());
}

TEST(RouteSpec, DivisionIsTheOperatorsWhereThereAreSeveralWorkers) {
  api::ReplicationLink many = link();
  EXPECT_EQ(division_of(many).value(), Division{});
  many.spec.s3.workers = 3;
  EXPECT_FALSE(division_of(many));
  many.status.division = api::DivisionStatus{7, 2};  // it has not followed the spec yet
  EXPECT_EQ(division_of(many).value(), (Division{7, 2}));
}

TEST(RouteSpec, CarriesTheSpecToTheEngine) {
  const auto routes = routes_of(link());
  ASSERT_EQ(routes.size(), 2u);
  const s3::Settings settings = engine_settings(routes[0]);
  EXPECT_EQ(settings.link, "shop/backups/nyc");
  EXPECT_EQ(settings.objects_at_once.max, 20);
  EXPECT_EQ(settings.objects_at_once.min, 3);
  EXPECT_EQ(settings.priorities[0].priority, 100);
  EXPECT_EQ(settings.deletes.mode, s3::DeleteMode::kReplicate);
  EXPECT_EQ(settings.deletes.max_per_sync, 7u);
  EXPECT_EQ(settings.retries.backoff_base, std::chrono::seconds(9));
  EXPECT_FALSE(settings.same_endpoint);
}

TEST(WorkerReport, OfATwoWayLinkBothAreThePrimaryAndConflictsAreCounted) {
  Given given;
  given.link.spec.topology = api::Topology::kActiveActive;
  given.input.targets = {target("nyc")};
  given.input.targets[0].engine->sync.conflicts = 3;
  const Json details = given.details();
  for (const Json& row : details["endpoints"]) EXPECT_EQ(row["role"], "Primary");
  EXPECT_EQ(details["sync"]["conflicts"], 3);
  EXPECT_TRUE(engine_settings(routes_of(given.link)[0]).both_ways);
  EXPECT_FALSE(engine_settings(routes_of(link())[0]).both_ways);
  EXPECT_FALSE(Given().details()["sync"].contains("conflicts"));
}

TEST(RouteSpec, OnlyWhatTheEngineDoesIsAReasonToBeginAnew) {
  api::ReplicationLink other = link();
  other.spec.s3.verification.schedule = "0 4 * * *";
  other.spec.s3.node_selector["disk"] = "fast";
  other.spec.lag_threshold.seconds = 5;
  EXPECT_EQ(routes_of(other), routes_of(link()));
  other.spec.s3.bandwidth.bytes_per_second = 5;
  EXPECT_NE(routes_of(other), routes_of(link()));
}

TEST(Notifications, KeysAreDecodedAsFormsAre) {
  EXPECT_EQ(notified_keys(R"({"Records": [{"s3": {"object": {"key": "a/b+c%2Bd%25.txt"}}}]})"),
            (std::vector<std::string>{"a/b c+d%.txt"}));
  for (const char* nothing : {"", " ", "{}", "[1]", R"({"Records": [1]})", R"({"Records": [{"s3": {"object": {}}}]})"})
    EXPECT_TRUE(notified_keys(nothing).empty()) << nothing;
}

}  // namespace
}  // namespace twinspan::worker_s3
