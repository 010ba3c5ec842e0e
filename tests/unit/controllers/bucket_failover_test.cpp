#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/conditions.hpp"
#include "controllers/s3/bucket_routing.hpp"
#include "controllers/s3/bucket_story.hpp"
#include "controllers/s3/bucket_words.hpp"
#include "controllers/s3/wakefulness.hpp"

namespace twinspan::controllers {
namespace {

const WallTime kNow = *parse_rfc3339("2026-11-21T10:00:00Z");

api::ReplicationLink link() {
  return *api::parse_replication_link(Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink", "metadata": {"name": "backups", "namespace": "shop"},
    "spec": {"engine": "S3",
      "source": {"name": "sgp", "s3": {"endpoint": "https://sgp1.example", "region": "sgp1", "bucket": "a-sgp",
                 "credentialsSecretRef": {"name": "spaces-sgp"}}},
      "targets": [{"name": "nyc", "s3": {"endpoint": "https://nyc3.example", "bucket": "a-nyc", "prefix": "copy/"}}]}})"));
}

api::FailoverPolicy policy() {
  return *api::parse_failover_policy(Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "FailoverPolicy",
    "metadata": {"name": "backups", "namespace": "shop", "uid": "u", "generation": 2},
    "spec": {"linkRef": {"name": "backups"}, "configMaps": [{"name": "where"}],
      "services": [{"name": "alias", "selects": "Primary",
                    "externalNames": {"sgp": "sgp1.example", "nyc": "nyc3.example"}},
                   {"name": "gateway", "selects": "Primary", "port": 9000,
                    "selectors": {"sgp": {"app": "gateway-sgp"}, "nyc": {"app": "gateway-nyc"}}}]}})"));
}

struct Written {
  std::map<std::string, ServiceFacts> services;
  std::map<std::string, ConfigMapFacts> maps;
  BucketRoutingSeen seen(const RefusedObjects& refused = {}) const {
    return read_bucket_routing(policy(), link(), services, maps, {}, refused);
  }
  void point(const std::string& to) {
    for (const api::PolicyService& service : policy().spec.services)
      services[service.name] = *decode_service(render_bucket_service(policy(), service, to));
    maps["where"] = *decode_config_map(render_bucket_config_map(policy(), policy().spec.config_maps[0], link(), to));
  }
};

TEST(BucketRouting, WhatIsWrittenIsReadBackAsWrittenWhereverItPoints) {
  Written written;
  EXPECT_EQ(written.seen().routing, Routing::kUnknown) << "nothing is there";
  for (const std::string to : {"sgp", "nyc", ""}) {
    written.point(to);
    const BucketRoutingSeen seen = written.seen();
    EXPECT_EQ(seen.routing, to.empty() ? Routing::kWithdrawn : Routing::kTo);
    EXPECT_EQ(seen.routed_to, to);
    EXPECT_EQ(seen.config_maps[0].ready, !to.empty());
    EXPECT_EQ(seen.services[1].endpoint.value_or(""), to);
  }
}

// What a quota refuses would keep every move waiting, and no failover would ever be over.
TEST(BucketRouting, WhatIsRefusedKeepsNoOtherFromBeingWhereClientsAreSent) {
  for (const Foreign& object :
       {Foreign{"Service", "alias"}, Foreign{"Service", "gateway"}, Foreign{"ConfigMap", "where"}}) {
    const RefusedObjects refused{{object, "exceeded quota"}};
    Written written;
    written.point("nyc");
    written.services.erase(object.name);
    written.maps.erase(object.name);
    EXPECT_EQ(written.seen().routing, Routing::kUnknown) << object.name;
    EXPECT_EQ(written.seen(refused).routed_to, "nyc") << object.name;
    EXPECT_EQ(written.seen(refused).routing, Routing::kTo) << object.name;
  }
  // Refused as a whole, turned alone: with the port of before it leads where its selector says; and not turned, nowhere
  // else.
  const RefusedObjects refused{{{"Service", "gateway"}, "denied"}, {{"Service", "alias"}, "denied"}};
  Written written;
  written.point("nyc");
  written.services["gateway"].ports = {80};
  EXPECT_EQ(written.seen().routing, Routing::kUnknown);
  EXPECT_EQ(written.seen(refused).routed_to, "nyc");
  for (const char* name : {"gateway", "alias"}) {
    const ServiceFacts before = written.services[name];
    Written other;
    other.point("sgp");
    written.services[name] = other.services[name];
    EXPECT_EQ(written.seen(refused).routing, Routing::kUnknown) << name;
    written.services[name] = before;
  }
}

TEST(BucketRouting, AnythingThatPointsElsewhereOrWasChangedMakesTheWholeUnknown) {
  for (const std::string what : {"alias", "gateway", "where", "foreign selector", "foreign type"}) {
    Written written;
    written.point("nyc");
    Written other;
    other.point("sgp");
    if (what == "where")
      written.maps["where"] = other.maps["where"];
    else if (what == "foreign selector")
      written.services["gateway"].selector["theirs"] = "x";
    else if (what == "foreign type")
      written.services["alias"].type = "ClusterIP";
    else
      written.services[what] = other.services[what];
    EXPECT_EQ(written.seen().routing, Routing::kUnknown) << what;
  }
  Written written;
  written.point("nyc");
  written.maps["where"].data["theirs"] = "x";
  EXPECT_EQ(written.seen().routing, Routing::kTo) << "other keys of a ConfigMap are theirs";
}

TEST(BucketRouting, AConfigMapNamesTheSecretAndNothingOfIt) {
  const Json map = render_bucket_config_map(policy(), policy().spec.config_maps[0], link(), "sgp");
  EXPECT_EQ(map["data"], Json::parse(R"({"primary": "sgp", "endpoint": "https://sgp1.example", "region": "sgp1",
    "bucket": "a-sgp", "prefix": "", "pathStyle": "true", "credentialsSecret": "spaces-sgp", "caSecret": ""})"));
  const Json withdrawn = render_bucket_config_map(policy(), policy().spec.config_maps[0], link(), "");
  for (const auto& [key, value] : withdrawn["data"].items()) EXPECT_EQ(value, "") << key << " of withdrawn clients";
}

// An operator that stood still and wakes: its cache shows leases as they were.
TEST(Wakefulness, SilenceIsCountedOnlyWhileOneLooksWithoutAGap) {
  Wakefulness awake{std::chrono::milliseconds(5000)};
  const auto at = [](int seconds) { return BootTime(std::chrono::seconds(seconds)); };
  EXPECT_EQ(awake.since(at(10)), at(10));
  EXPECT_EQ(awake.since(at(12)), at(10));
  EXPECT_EQ(awake.since(at(17)), at(10));
  EXPECT_EQ(awake.since(at(48)), at(48)) << "it stood still";
  EXPECT_EQ(awake.since(at(49)), at(48));
}

FlowSeen seen() {
  FlowSeen seen;
  seen.words = kBucketWords;
  seen.source = "sgp";
  PlaceSeen sgp, nyc;
  sgp.name = "sgp";
  sgp.reach = Reach::kUnreachable;
  sgp.reach_for = std::chrono::milliseconds(4000);
  sgp.failures = 4;
  nyc.name = "nyc";
  nyc.reach = Reach::kReachable;
  nyc.writable = true;
  nyc.complete_once = true;
  nyc.missing = 3;
  nyc.listed_at = "2026-11-21T09:59:00Z";
  seen.places = {sgp, nyc};
  seen.workers = {{"backups-s3-0", true, Epoch{1}, false}};
  seen.assignment = Assignment{{1}, "sgp", "", Cause::kInitial};
  seen.routing = Routing::kTo;
  seen.routed_to = "sgp";
  return seen;
}

bool warned(const std::vector<Told>& told, const std::string& reason) {
  return std::any_of(told.begin(), told.end(), [&](const Told& one) { return one.warning && one.reason == reason; });
}

// The whole of a failover, as an operator lives through it, each step from what the one before left in the status.
TEST(BucketStory, AFailoverIsToldFromTheFirstSilenceToTheRecordWithWhatIsMissing) {
  api::FailoverPolicy story = policy();
  FlowSeen world = seen();
  Written written;
  written.point("sgp");
  WallTime now = kNow;
  std::vector<std::string> steps;
  for (int turn = 0; turn < 10 && story.status.history.empty(); ++turn) {
    world.current = *bucket_move_of(story.status);
    world.routing = written.seen().routing;
    world.routed_to = written.seen().routed_to;
    const FlowDecision decision = decide(world, bucket_rules_of(story));
    const api::PolicyStatus after = next_bucket_status(story, world, decision, written.seen(), now);
    if (turn == 0) {
      const auto told = bucket_events_of(story.status, after);
      EXPECT_TRUE(warned(told, "FailoverStarted") && warned(told, "KeysMissing"));
      EXPECT_EQ(after.current->detected_at, "2026-11-21T09:59:56.000000Z") << "when it first did not answer";
    }
    if (after.current) steps.push_back(after.current->step);
    story.status = after;
    if (decision.assign) world.assignment = decision.assign;
    world.workers[0].adopted = world.assignment->epoch;
    if (decision.route_to) written.point(*decision.route_to);
    now += std::chrono::milliseconds(500);
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"Stopping", "Rerouting"}));
  ASSERT_EQ(story.status.history.size(), 1u);
  const api::FailoverRecord& record = story.status.history[0];
  EXPECT_EQ(record.from + ">" + record.to, "sgp>nyc");
  EXPECT_EQ(record.outcome, "Completed");
  EXPECT_EQ(record.missing_keys, 3);
  EXPECT_EQ(record.listed_at, "2026-11-21T09:59:00Z");
  EXPECT_EQ(record.recovery_milliseconds, 5000);
  EXPECT_EQ(story.status.lost, "3 keys");
  EXPECT_EQ(story.status.primary, "nyc");
  EXPECT_NE(record.message->find("not counted"), std::string::npos) << "what can't be known is said";
}

TEST(BucketStory, ARefusedFailoverIsWarnedOfWithTheReason) {
  api::FailoverPolicy story = policy();
  story.spec.candidates.max_missing_keys = 2;
  const FlowDecision decision = decide(seen(), bucket_rules_of(story));
  const api::PolicyStatus after = next_bucket_status(story, seen(), decision, {}, kNow);
  EXPECT_TRUE(warned(bucket_events_of(story.status, after), "TooManyKeysMissing"));
  EXPECT_EQ(after.possible, "False");
  EXPECT_EQ(api::find_condition(after.conditions, "PrimaryHealthy")->status, api::ConditionStatus::kFalse);
  EXPECT_FALSE(after.current.has_value());
}

TEST(BucketStory, AnUnknownNumberOfMissingKeysIsNotShownAsNone) {
  FlowSeen world = seen();
  world.places[1].missing.reset();
  world.current = FlowMove{FlowStep::kRerouting, {2}, "sgp", "nyc", Cause::kPrimaryUnreachable, {}, ""};
  world.assignment = Assignment{{2}, "nyc", "sgp", Cause::kPrimaryUnreachable};
  world.routed_to = "nyc";
  api::FailoverPolicy story = policy();
  FlowSeen before = world;
  before.routed_to = "sgp";
  story.status = next_bucket_status(story, before, decide(before, bucket_rules_of(story)), {}, kNow);
  const api::PolicyStatus after = next_bucket_status(story, world, decide(world, bucket_rules_of(story)), {}, kNow);
  ASSERT_EQ(after.history.size(), 1u);
  EXPECT_FALSE(after.history[0].missing_keys.has_value());
  EXPECT_FALSE(after.lost.has_value());
}

TEST(BucketStory, RefusedCredentialsWaitForAPerson) {
  FlowSeen world = seen();
  world.places[0].reach = Reach::kRefused;
  world.places[0].message = "AccessDenied";
  const FlowDecision decision = decide(world, bucket_rules_of(policy()));
  const api::PolicyStatus after = next_bucket_status(policy(), world, decision, {}, kNow);
  EXPECT_EQ(api::find_condition(after.conditions, "Stalled")->status, api::ConditionStatus::kTrue);
  EXPECT_FALSE(after.current.has_value());
}

}  // namespace
}  // namespace twinspan::controllers
