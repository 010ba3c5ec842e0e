// What tests/bad_manifests does not reach of Kafka links: what CEL says already, what is allowed, patterns.
#include "api/validate_kafka.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/kafka_topics.hpp"

namespace twinspan::api {
namespace {

Json manifest() {
  return Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink", "metadata": {"name": "orders", "namespace": "shop"},
    "spec": {"engine": "Kafka",
      "source": {"name": "us-west", "kafka": {"brokers": ["west-1.example:9092"], "tls": {}}},
      "targets": [{"name": "us-east", "kafka": {"brokers": ["[2001:db8::1]:9092"], "tls": {}}}],
      "kafka": {"topics": {"include": ["orders.*"]}}}})");
}

ReplicationLink link_of(const Json& json) {
  const auto link = parse_replication_link(json);
  EXPECT_TRUE(link) << link.error().message;
  return *link;
}

std::vector<std::string> fields_of(const ReplicationLink& link) {
  std::vector<std::string> fields;
  for (const FieldError& error : validate(link)) fields.push_back(error.field);
  return fields;
}

TEST(ValidateKafka, AcceptsALinkWithAllThatThisVersionHas) {
  Json json = manifest();
  json["spec"]["lagThreshold"] = {{"seconds", 10}, {"records", 1000}};
  json["spec"]["kafka"] = Json::parse(R"({
    "topics": {"include": ["orders.*", "(eu|us)\\.payments", "__audit"], "exclude": [".*-retry"]}, "topicPrefix": "west.",
    "filter": {"includePatterns": ["\"region\":\"eu\""], "excludePatterns": ["(?i)test"], "headers": {"tenant": "a"},
               "minTimestamp": "2026-01-01T00:00:00Z"},
    "transform": {"addHeaders": {"from": "${source}/${topic}-${partition}@${offset} ${now}", "cost": "$5"},
                  "removeHeaders": ["trace"], "mapHeaders": {"env": {"prod": "dr"}}},
    "compression": "Zstd", "throttle": {"bytesPerSecond": 1048576}, "limits": {"maxBytes": 1073741824},
    "checkpointIntervalMilliseconds": 9999, "transactionTimeoutSeconds": 10, "start": "Latest", "intoExisting": "Append",
    "replicationFactor": 3, "workers": 1,
    "groups": {"include": ["billing", "(eu|us)\\.audit.*"], "exclude": ["console-consumer-.*"], "syncIntervalSeconds": 3600}})");
  EXPECT_EQ(to_string(validate(link_of(json))), "");
  EXPECT_EQ(lag_threshold_seconds(link_of(manifest()).spec), 60);
}

TEST(ValidateKafka, GroupsAreCarriedWhereTheyAreAskedForAndOnceASecondUnlessTheSpecSaysOtherwise_KF6) {
  Json json = manifest();
  EXPECT_FALSE(link_of(json).spec.kafka.groups);
  json["spec"]["kafka"]["groups"] = {{"include", {".*"}}};
  const ReplicationLink link = link_of(json);
  ASSERT_TRUE(link.spec.kafka.groups);
  EXPECT_EQ(link.spec.kafka.groups->sync_interval_seconds, 1);
  EXPECT_EQ(to_string(validate(link)), "");
}

// Any pattern of groups is judged as those of topics are, and named by its place.
TEST(ValidateKafka, PatternsOfGroupsAreNamedByTheirPlace_KF6) {
  ReplicationLink link = link_of(manifest());
  link.spec.kafka.groups = KafkaGroups{{"billing", "("}, {"[", ".*"}, 1};
  EXPECT_EQ(fields_of(link),
            (std::vector<std::string>{"spec.kafka.groups.include[1]", "spec.kafka.groups.exclude[0]"}));
}

// Who has CEL switched off, or a spec of another version.
TEST(ValidateKafka, SaysWhatCelSays) {
  ReplicationLink link = link_of(manifest());
  link.spec.kafka.delivery = KafkaDelivery::kIdempotent;
  link.spec.kafka.groups.emplace();
  link.spec.kafka.conflict = Json::object();
  link.spec.kafka.workers = 2;
  link.spec.kafka.checkpoint_interval_milliseconds = 60000;
  link.spec.source.kafka->brokers = {"west-1.example:65536", "https://west:9092", "west-1.example"};
  link.spec.source.kafka->tls->ca_secret_ref = SecretReference{""};
  link.spec.targets[0].kafka->tls.reset();
  link.spec.targets[0].kafka->sasl = KafkaSasl{KafkaMechanism::kPLAIN, {""}};
  const std::vector<std::string> fields = fields_of(link);
  for (const char* field :
       {"spec.kafka.delivery", "spec.kafka.groups.include", "spec.kafka.conflict", "spec.kafka.workers",
        "spec.kafka.checkpointIntervalMilliseconds", "spec.source.kafka.brokers[0]", "spec.source.kafka.brokers[1]",
        "spec.source.kafka.brokers[2]", "spec.source.kafka.tls.caSecretRef.name",
        "spec.targets[0].kafka.sasl.mechanism", "spec.targets[0].kafka.sasl.secretRef.name"})
    EXPECT_NE(std::find(fields.begin(), fields.end(), field), fields.end())
        << field << " in " << to_string(validate(link));
}

TEST(ValidateKafka, OfALinkOfAnotherEngineIsNotWritten) {
  ReplicationLink link;
  EXPECT_FALSE(to_json(link.spec).contains("kafka"));
  EXPECT_TRUE(to_json(link_of(manifest()).spec).contains("kafka"));
}

TEST(ValidateKafka, APodNameOfTwoLinksIsTheYoungersFault) {
  ReplicationLink older = link_of(manifest()), younger;
  older.metadata.creation_timestamp = "2026-01-01T00:00:00Z";
  younger.metadata.name = "or";
  younger.metadata.ns = "shop";
  younger.metadata.creation_timestamp = "2026-01-02T00:00:00Z";
  older.metadata.name = "or-ders";
  younger.spec.source.name = "ders-kafka";
  younger.spec.source.postgres = PostgresEndpoint{ManagedPostgres{}, {}};
  younger.spec.targets.push_back(younger.spec.source);
  younger.spec.targets[0].name = "west";
  ASSERT_EQ(validate(younger, {older}).size(), 1u) << to_string(validate(younger, {older}));
  EXPECT_EQ(validate(younger, {older})[0].field, "spec.source.name");
}

TEST(ValidateKafka, WarnsOfPlainText) {
  Json json = manifest();
  json["spec"]["source"]["kafka"].erase("tls");
  std::vector<std::string> warnings;
  warn_kafka(link_of(json), warnings);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(warnings[0].starts_with("spec.source.kafka.tls: "));
}

TEST(KafkaPatterns, AreRe2AndBounded) {
  EXPECT_EQ(pattern_trouble("orders\\..*"), "");
  for (const char* wrong : {"[", "(a)\\1", "(?=a)", "*", "((a{100}){100}){100}"})
    EXPECT_NE(pattern_trouble(wrong), "") << wrong;
}

TEST(KafkaTopicRules, APatternHasToMatchTheWholeNameAndExcludeWins) {
  const KafkaTopicRules rules({{"orders.*", "(eu|us)\\.payments", "__audit", "a.b"}, {".*-retry"}});
  for (const char* topic : {"orders", "orders-2", "eu.payments", "__audit", "a.b"})
    EXPECT_TRUE(rules.carries(topic)) << topic;
  for (const char* topic : {"my-orders", "orders-retry", "euXpayments", "payments", "aXb", ""})
    EXPECT_FALSE(rules.carries(topic)) << topic;
}

TEST(KafkaTopicRules, InternalTopicsAreReachedByNoPattern) {
  const KafkaTopicRules rules({{".*", "__audit"}, {}});
  EXPECT_TRUE(rules.carries("__audit"));
  for (const char* topic : {"__other", "__consumer_offsets", "__transaction_state", "__twinspan.orders.state"})
    EXPECT_FALSE(rules.carries(topic)) << topic;
  EXPECT_FALSE(KafkaTopicRules({{"__twinspan.orders.state"}, {}}).carries("__twinspan.orders.state"));
}

TEST(KafkaTopicRules, SamplesAreCarried) {
  for (const char* pattern : {"orders", "orders.*", "orders\\..*", "(eu|us)\\.orders", ".*", ".+-events", "[a-c]x"}) {
    const KafkaTopicRules rules({{pattern}, {}});
    EXPECT_TRUE(!rules.samples().empty() || std::string(pattern) == ".+-events") << pattern;
    for (const std::string& sample : rules.samples()) EXPECT_TRUE(rules.carries(sample)) << pattern << " " << sample;
  }
  EXPECT_TRUE(KafkaTopicRules({{"orders"}, {"ord.*"}}).samples().empty());
}

}  // namespace
}  // namespace twinspan::api
