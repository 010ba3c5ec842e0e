#include "api/types.hpp"

#include <gtest/gtest.h>

#include <random>

#include "api/validate.hpp"
#include "manifest.hpp"

namespace twinspan::api {
namespace {

Json link_json() {
  return Json::parse(R"({"apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "orders", "namespace": "shop", "uid": "u1", "resourceVersion": "42", "generation": 3,
                 "labels": {"team": "shop"}, "finalizers": ["twinspan.dev/link"], "creationTimestamp": "2026-01-01T00:00:00Z",
                 "ownerReferences": [{"uid": "not-it"}, {"uid": "owner", "controller": true}]},
    "spec": {"engine": "Postgres",
             "source": {"name": "east", "postgres": {"managed": {"storage": {"size": "20Gi"}, "parameters": {"work_mem": "8MB"},
                        "tolerations": [{"key": "db", "operator": "Exists"}],
                        "resources": {"requests": {"cpu": "250m", "memory": 1024}}}}},
             "targets": [{"name": "west", "from": "east", "postgres": {"managed": {}}}]},
    "status": {"observedGeneration": 3, "primary": "east", "epoch": 7,
               "assignment": {"epoch": 7, "primary": "east", "previous": "west", "cause": "ProcessDied"},
               "conditions": [{"type": "Ready", "status": "True", "reason": "Replicating", "message": "1 of 1 replicas stream",
                               "lastTransitionTime": "2026-01-01T00:00:00Z"}],
               "endpoints": [{"name": "west", "role": "Replica", "state": "Streaming", "lagBytes": 0, "lagSeconds": 0.4}]}})");
}

Json policy_json() {
  return Json::parse(
      R"({"metadata": {"name": "orders", "namespace": "shop"}, "spec": {"linkRef": {"name": "orders"}}})");
}

TEST(Types, ReadsWhatIsThere) {
  const auto link = parse_replication_link(link_json());
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_EQ(link->metadata.ns, "shop");
  EXPECT_EQ(link->metadata.generation, 3);
  EXPECT_EQ(link->metadata.owner_uid, "owner");
  EXPECT_FALSE(link->metadata.deleting());
  const ManagedPostgres& managed = *link->spec.source.postgres->managed;
  EXPECT_EQ(managed.storage.size, "20Gi");
  EXPECT_EQ(managed.parameters.at("work_mem"), "8MB");
  EXPECT_EQ(managed.tolerations.at(0)["key"], "db");
  EXPECT_EQ(managed.resources["requests"]["memory"], 1024);
  EXPECT_EQ(link->spec.targets.at(0).from, "east");
  EXPECT_EQ(link->status.assignment->cause, "ProcessDied");
  EXPECT_EQ(link->status.conditions.at(0).status, ConditionStatus::kTrue);
  EXPECT_EQ(link->status.endpoints.at(0).lag_bytes, 0);
  EXPECT_EQ(link->status.endpoints.at(0).lag_seconds, 0.4);
}

TEST(Types, FillsInTheSchemasDefaults) {
  const auto link = parse_replication_link(link_json());
  ASSERT_TRUE(link);
  EXPECT_EQ(link->spec.topology, Topology::kActivePassive);
  EXPECT_FALSE(link->spec.paused);
  EXPECT_EQ(lag_threshold_seconds(link->spec), 1);
  EXPECT_EQ(link->spec.postgres.database, "app");
  EXPECT_EQ(link->spec.postgres.durability.mode, DurabilityMode::kAsync);
  EXPECT_EQ(link->spec.postgres.durability.replicas, 1);
  EXPECT_EQ(link->spec.postgres.diverged, Diverged::kHalt);
  EXPECT_EQ(link->spec.targets[0].postgres->managed->version, 15);
  EXPECT_EQ(link->spec.targets[0].postgres->managed->storage.size, "10Gi");
  const auto policy = parse_failover_policy(policy_json());
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->spec.mode, FailoverMode::kAutomatic);
  EXPECT_EQ(policy->spec.lease.duration_seconds, 5);
  EXPECT_EQ(policy->spec.lease.renew_seconds, 1);
  EXPECT_EQ(policy->spec.triggers.unreachable_seconds, 3);
  EXPECT_EQ(policy->spec.triggers.consecutive_failures, 3);
  EXPECT_EQ(policy->spec.promotion.timeout_seconds, 30);
  EXPECT_EQ(policy->spec.failback.mode, FailbackMode::kManual);
  EXPECT_EQ(policy->spec.desired_primary, "");
}

TEST(Types, WhatIsNotMeasuredIsAbsentAndNotZero) {
  auto json = link_json();
  json["status"]["endpoints"][0].erase("lagBytes");
  json["status"]["endpoints"][0]["lagSeconds"] = nullptr;
  const auto link = parse_replication_link(json);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->status.endpoints[0].lag_bytes, std::nullopt);
  EXPECT_EQ(link->status.endpoints[0].lag_seconds, std::nullopt);
  const Json written = to_json(link->status.endpoints[0]);
  EXPECT_FALSE(written.contains("lagBytes"));
  EXPECT_FALSE(written.contains("lagSeconds"));
}

TEST(Types, ComeBackEqualAfterWriting) {
  const auto link = parse_replication_link(link_json());
  ASSERT_TRUE(link);
  auto again = parse_replication_link(to_json(*link));
  ASSERT_TRUE(again) << again.error().message;
  again->metadata.owner_uid = "owner";  // owner references are not written
  EXPECT_EQ(*again, *link);
  EXPECT_EQ(to_json(*link)["apiVersion"], "twinspan.dev/v1alpha1");
  EXPECT_EQ(to_json(*link)["spec"]["source"]["postgres"]["managed"]["tolerations"],
            link_json()["spec"]["source"]["postgres"]["managed"]["tolerations"]);
  EXPECT_EQ(to_json(*link)["spec"]["source"]["postgres"]["managed"]["resources"],
            link_json()["spec"]["source"]["postgres"]["managed"]["resources"]);
}

TEST(Types, EmptyListsAreWrittenSoThatAMergePatchEmptiesThem) {
  const Json status = to_json(PolicyStatus{});
  EXPECT_EQ(status["history"], Json::array());
  EXPECT_EQ(status["conditions"], Json::array());
  EXPECT_FALSE(status.contains("current"));
}

TEST(Types, ErrorsNameFieldValueAndWhatWasExpected) {
  const auto message = [](const std::string& pointer, Json value) {
    Json json = link_json();
    json[Json::json_pointer(pointer)] = std::move(value);
    const auto link = parse_replication_link(json);
    return link ? std::string("accepted") : link.error().message;
  };
  EXPECT_EQ(message("/spec/engine", "Oracle"), "spec.engine: is \"Oracle\", must be one of Postgres, Kafka, S3");
  EXPECT_EQ(message("/spec/targets/0/name", "West"),
            "spec.targets[0].name: is \"West\", must be a DNS label: lower-case letters, digits and '-'");
  EXPECT_EQ(message("/spec/targets/0/postgres/managed/version", "fifteen"),
            "spec.targets[0].postgres.managed.version: is \"fifteen\", must be an integer from 15 to 15");
  EXPECT_EQ(message("/spec/source/postgres/managed/parameters/work_mem", 8),
            "spec.source.postgres.managed.parameters[work_mem]: is 8, must be a string");
  EXPECT_EQ(message("/spec/source/name", nullptr), "spec.source.name: is required");
  EXPECT_EQ(message("/spec/paused", "no"), "spec.paused: is \"no\", must be true or false");
  EXPECT_EQ(message("/kind", "Link"), "kind: is \"Link\", must be ReplicationLink");
  EXPECT_EQ(message("/metadata/generation", "x"), "metadata.generation: is \"x\", must be an integer");
  EXPECT_EQ(message("/spec/source/name", std::string(1000, 'a')).size() < 200, true);
}

TEST(Types, EnumsSpellAsInTheSchema) {
  EXPECT_EQ(to_string(DurabilityMode::kSemiSync), "SemiSync");
  EXPECT_EQ(parse_durability_mode("SemiSync"), DurabilityMode::kSemiSync);
  EXPECT_EQ(parse_durability_mode("semisync"), std::nullopt);
}

// Whatever stands anywhere in an object, the parsers answer and never crash.
TEST(Types, SurviveAnythingAnywhere) {
  std::mt19937 random(1);
  const std::vector<Json> junk = {nullptr,
                                  true,
                                  -1,
                                  18446744073709551615ull,
                                  1e300,
                                  "",
                                  "\xff\xfe",
                                  std::string(5000, 'x'),
                                  Json::array(),
                                  Json::object(),
                                  Json::array({1, "a", nullptr}),
                                  Json{{"name", 5}},
                                  Json{{"", ""}}};
  Json with_defaults = link_json();
  with_defaults["spec"]["targets"].push_back({{"name", "far"}});
  with_defaults["spec"]["postgres"]["managed"] = Json::parse(
      R"({"storage": {"storageClassName": "fast"}, "parameters": {"shared_buffers": "1GB"},
          "resources": {"limits": {"memory": "2Gi"}}, "nodeSelector": {"disk": "ssd"}, "affinity": {"nodeAffinity": {}},
          "tolerations": [{"key": "db"}], "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]})");
  const std::vector<Json> starts = {link_json(), with_defaults, policy_json()};
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    Json json = starts[random() % starts.size()];
    for (int changes = 1 + static_cast<int>(random() % 3); changes > 0; --changes) {
      Json flat = json.flatten();
      auto at = flat.begin();
      std::advance(at, random() % flat.size());
      Json::json_pointer where(at.key());
      for (size_t up = random() % 4; up > 0 && !where.parent_pointer().empty(); --up) where = where.parent_pointer();
      json[where] = junk[random() % junk.size()];
    }
    if (auto link = parse_replication_link(json)) {
      validate(*link, {*link});
      to_json(*link);
    } else {
      EXPECT_EQ(link.error().code, Code::kInvalid);
      ++refused;
    }
    if (auto policy = parse_failover_policy(json)) {
      validate(*policy, nullptr, {*policy});
      to_json(*policy);
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace twinspan::api
