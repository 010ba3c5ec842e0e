#include "worker/kafka/carry_spec.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "unit/worker_kafka/given.hpp"
#include "worker/kafka/mounted_access.hpp"

namespace twinspan::worker_kafka {
namespace {

using std::chrono::milliseconds;

TEST(CarrySpec, EverySettingReachesTheLane_KF3_KF4_KF7) {
  Json json = given::link_json();
  json["spec"]["source"]["kafka"]["requestTimeoutSeconds"] = 10;
  json["spec"]["targets"][0]["kafka"]["requestTimeoutSeconds"] = 20;
  json["spec"]["kafka"].merge_patch(Json::parse(R"({
    "topicPrefix": "west.", "compression": "Lz4", "checkpointIntervalMilliseconds": 5000, "transactionTimeoutSeconds": 90,
    "start": "Latest", "intoExisting": "Append", "replicationFactor": 3, "throttle": {"bytesPerSecond": 2048},
    "filter": {"includePatterns": ["important"], "excludePatterns": ["test"], "headers": {"region": "w"},
               "minTimestamp": "2024-01-01T00:00:00.0001Z"},
    "transform": {"addHeaders": {"from": "${source}"}, "removeHeaders": ["id"], "mapHeaders": {"region": {"w": "e"}}},
    "limits": {"maxBytes": 1048576, "maxMessages": 100, "batchSize": 10, "partitionsAtOnce": 4}})"));
  const auto spec = carry_spec_of(given::link(json));
  ASSERT_TRUE(spec) << spec.error().message;
  const auto lane = lane_settings(*spec);
  ASSERT_TRUE(lane) << lane.error().message;
  EXPECT_EQ(lane->state_topic, "__twinspan.streams.west-east.state");
  EXPECT_EQ(lane->transactional_id, "twinspan.streams.west-east.0");
  EXPECT_EQ(lane->start, kafka_engine::Start::kLatest);
  EXPECT_TRUE(lane->into_existing);
  EXPECT_EQ(lane->checkpoint, milliseconds(5000));
  EXPECT_EQ(lane->transaction_timeout, milliseconds(90000));
  EXPECT_EQ(lane->request_timeout, milliseconds(20000));
  EXPECT_EQ(lane->source_request_timeout, milliseconds(10000));
  EXPECT_EQ(lane->fetch_bytes, 1048576);
  EXPECT_EQ(lane->bytes_per_second, 2048);
  EXPECT_EQ(lane->transaction_records, 100);
  EXPECT_EQ(lane->partitions_at_once, 4);
  const kafka_engine::RecordRules& rules = lane->rules;
  EXPECT_EQ(rules.source, "west");
  EXPECT_EQ(rules.codec, kafka_engine::Codec::kLz4);
  EXPECT_EQ(rules.batch_records, 10);
  EXPECT_EQ(rules.include_patterns, std::vector<std::string>{"important"});
  EXPECT_EQ(rules.exclude_patterns, std::vector<std::string>{"test"});
  EXPECT_EQ(rules.headers.at("region"), "w");
  EXPECT_EQ(rules.min_time, 1704067200001);  // a record of the millisecond before is earlier
  EXPECT_EQ(rules.add_headers.at("from"), "${source}");
  EXPECT_EQ(rules.remove_headers, std::vector<std::string>{"id"});
  EXPECT_EQ(rules.map_headers.at("region").at("w"), "e");
  const auto wish = topic_wish(*spec);
  ASSERT_TRUE(wish);
  EXPECT_EQ(wish->prefix, "west.");
  EXPECT_EQ(wish->replication_factor, 3);
  EXPECT_TRUE(wish->choice.chooses("inventory.a"));
}

TEST(CarrySpec, WhereNothingIsAskedForBatchesPass) {
  const auto lane = lane_settings(*carry_spec_of(given::link()));
  ASSERT_TRUE(lane);
  kafka_engine::RecordRules nothing;
  nothing.source = "west";
  EXPECT_EQ(lane->rules, nothing);
  EXPECT_EQ(lane->start, kafka_engine::Start::kEarliest);
  EXPECT_FALSE(lane->into_existing);
  EXPECT_FALSE(lane->bytes_per_second || lane->transaction_records || lane->partitions_at_once);
}

TEST(CarrySpec, MoreThanFitsIsNeverAskedFor) {
  Json json = given::link_json();
  json["spec"]["kafka"]["limits"] = {{"maxBytes", 1 << 30}};
  auto lane = lane_settings(*carry_spec_of(given::link(json)));
  EXPECT_EQ(lane->fetch_bytes, lane->buffer_bytes);
  json["spec"]["kafka"]["limits"] = {{"maxBytes", 1024}};
  lane = lane_settings(*carry_spec_of(given::link(json)));
  EXPECT_EQ(lane->partition_fetch_bytes, 1024);
}

TEST(CarrySpec, WhereThePodRunsIsNoReasonToBeginAnew) {
  Json json = given::link_json();
  const auto before = carry_spec_of(given::link(json));
  json["spec"]["kafka"]["nodeSelector"] = {{"disk", "fast"}};
  json["spec"]["kafka"]["image"] = "worker:2";
  json["spec"]["kafka"]["resources"] = {{"limits", {{"cpu", "2"}}}};
  EXPECT_EQ(*before, *carry_spec_of(given::link(json)));
  json["spec"]["kafka"]["throttle"] = {{"bytesPerSecond", 4096}};
  EXPECT_FALSE(*before == *carry_spec_of(given::link(json)));
}

TEST(MountedAccess, SecretsAreReadAnewAndMissedByName_SEC1) {
  given::Folder folder;
  Json json = given::link_json();
  json["spec"]["source"]["kafka"].merge_patch(Json::parse(R"({
    "tls": {"caSecretRef": {"name": "west-ca"}, "secretRef": {"name": "west-client"}},
    "sasl": {"mechanism": "PLAIN", "secretRef": {"name": "west-user"}}, "connectionTimeoutSeconds": 7})"));
  const api::Endpoint endpoint = given::link(json).spec.source;
  const std::vector<std::tuple<std::string, std::string, std::string>> files{
      {"west/ca/ca.crt", "west-ca", "ca.crt"},
      {"west/tls/tls.crt", "west-client", "tls.crt"},
      {"west/tls/tls.key", "west-client", "tls.key"},
      {"west/sasl/username", "west-user", "username"},
      {"west/sasl/password", "west-user", "password"}};
  for (const auto& [file, secret, key] : files) {
    const auto missed = mounted_access(endpoint, folder.path());
    ASSERT_FALSE(missed);
    EXPECT_EQ(missed.error().message, "Secret " + secret + " does not exist, or has no key " + key);
    folder.write(file, key + " of " + secret);
  }
  const auto mounted = mounted_access(endpoint, folder.path());
  ASSERT_TRUE(mounted) << mounted.error().message;
  const auto access = access_of(*mounted);
  ASSERT_TRUE(access);
  EXPECT_EQ(access->brokers.at(0), (kafka::Address{"west.example", 9092}));
  EXPECT_EQ(access->tls->ca_pem, "ca.crt of west-ca");
  EXPECT_TRUE(access->tls->verify);
  EXPECT_EQ(access->tls->identity->key_pem, "tls.key of west-client");
  EXPECT_EQ(access->sasl->mechanism, kafka::SaslMechanism::kPlain);
  EXPECT_EQ(access->sasl->password, "password of west-user");
  EXPECT_EQ(access->patience, milliseconds(7000));
  folder.write("west/sasl/password", "another");
  EXPECT_FALSE(*mounted == *mounted_access(endpoint, folder.path())) << "a rotation is not seen";
}

}  // namespace
}  // namespace twinspan::worker_kafka
