// What tests/bad_manifests does not reach: what is allowed, who of two is at fault, several errors at once.
#include "api/validate.hpp"

#include <gtest/gtest.h>

#include "api/postgres_parameters.hpp"

namespace twinspan::api {
namespace {

Endpoint endpoint(std::string name, std::optional<std::string> from = {}) {
  return {.name = std::move(name),
          .site = {},
          .from = std::move(from),
          .postgres = PostgresEndpoint{ManagedPostgres{}, {}},
          .kafka = {},
          .s3 = {}};
}

ReplicationLink link(std::string name = "orders",
                     std::vector<Endpoint> targets = {endpoint("west"), endpoint("west-2")}) {
  ReplicationLink link;
  link.metadata.name = std::move(name);
  link.metadata.ns = "shop";
  link.metadata.creation_timestamp = "2026-01-01T00:00:00Z";
  link.spec.source = endpoint("east");
  link.spec.targets = std::move(targets);
  return link;
}

FailoverPolicy policy(std::string name, std::string of = "orders", std::string created = "2026-01-01T00:00:00Z") {
  FailoverPolicy policy;
  policy.metadata.name = std::move(name);
  policy.metadata.ns = "shop";
  policy.metadata.creation_timestamp = std::move(created);
  policy.spec.link_ref.name = std::move(of);
  policy.spec.services.emplace_back();
  policy.spec.services.back().name = "orders-rw";
  return policy;
}

TEST(ValidateLink, AcceptsTreesOfAnyDepth) {
  EXPECT_EQ(to_string(validate(link())), "");
  EXPECT_EQ(to_string(validate(
                link("orders", {endpoint("a", "east"), endpoint("b", "a"), endpoint("c", "b"), endpoint("d", "a")}))),
            "");
}

TEST(ValidateLink, NamesEveryMemberOfACircleAndNobodyElse) {
  const auto errors =
      validate(link("orders", {endpoint("a", "c"), endpoint("b", "a"), endpoint("c", "b"), endpoint("d", "a")}));
  ASSERT_EQ(errors.size(), 3u) << to_string(errors);
  EXPECT_EQ(errors[0], (FieldError{"spec.targets[0].from", "leads in a circle: a → c → b → a"}));
  EXPECT_EQ(errors[2].field, "spec.targets[2].from");
}

TEST(ValidateLink, ReportsAllThatIsWrongAtOnce) {
  ReplicationLink wrong = link();
  wrong.spec.topology = Topology::kStar;
  wrong.spec.source.postgres->managed->parameters = {{"ssl", "off"}, {"port", "1"}};
  wrong.spec.targets[1].from = "nowhere";
  EXPECT_EQ(validate(wrong).size(), 4u) << to_string(validate(wrong));
}

TEST(ValidateLink, SourceFollowsNobody) {
  ReplicationLink wrong = link();
  wrong.spec.source.from = "west";
  ASSERT_EQ(validate(wrong).size(), 1u);
  EXPECT_EQ(validate(wrong)[0].field, "spec.source.from");
}

TEST(ValidateLink, YoungerLinkIsAtFaultForAPodNameOfBoth) {
  ReplicationLink older = link("a", {endpoint("b-c")}), younger = link("a-b", {endpoint("c")});
  younger.metadata.creation_timestamp = "2026-01-02T00:00:00Z";
  EXPECT_EQ(validate(older, {younger}).size(), 0u);
  ASSERT_EQ(validate(younger, {older}).size(), 1u);
  EXPECT_EQ(validate(younger, {older})[0].field, "spec.targets[0].name");
  older.metadata.ns = "elsewhere";
  EXPECT_EQ(validate(younger, {older}).size(), 0u);
}

TEST(ValidateLink, VolumesMayGrow) {
  const ReplicationLink before = link();
  ReplicationLink after = before;
  after.spec.source.postgres->managed->storage.size = "10240Mi";
  EXPECT_EQ(to_string(validate_change(before, after)), "");
  after.spec.source.postgres->managed->storage.size = "11Gi";
  after.spec.targets.pop_back();
  EXPECT_EQ(to_string(validate_change(before, after)), "");
}

TEST(ValidatePolicy, YoungerPolicyIsAtFault) {
  const ReplicationLink orders = link();
  const FailoverPolicy older = policy("z"), younger = policy("a", "orders", "2026-01-02T00:00:00Z");
  EXPECT_EQ(to_string(validate(older, &orders, {older, younger})), "");
  EXPECT_EQ(validate(younger, &orders, {older, younger}).size(), 2u);  // link and Service
}

TEST(ValidatePolicy, OfTheSameSecondTheNameDecides) {
  const ReplicationLink orders = link();
  const FailoverPolicy first = policy("a"), second = policy("b");
  EXPECT_EQ(validate(first, &orders, {second}).size(), 0u);
  EXPECT_EQ(validate(second, &orders, {first}).size(), 2u);
}

TEST(ValidatePolicy, OneBeingDeletedStandsInNobodysWay) {
  const ReplicationLink orders = link();
  FailoverPolicy older = policy("a");
  older.metadata.deletion_timestamp = "2026-01-03T00:00:00Z";
  EXPECT_EQ(to_string(validate(policy("b"), &orders, {older})), "");
}

TEST(ValidatePolicy, UnknownEndpointsAreAnsweredWithTheKnownOnes) {
  const ReplicationLink orders = link();
  FailoverPolicy wrong = policy("a");
  wrong.spec.desired_primary = "north";
  const auto errors = validate(wrong, &orders, {});
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].message, "\"north\" is no endpoint of link orders (east, west, west-2)");
}

TEST(PostgresParameters, OrdinaryOnesPass) {
  const ParameterBounds sync{DurabilityMode::kSync, 3};
  for (const auto& [name, value] : std::map<std::string, std::string>{{"max_connections", "200"},
                                                                      {"work_mem", "8MB"},
                                                                      {"shared_buffers", "1GB"},
                                                                      {"wal_level", "logical"},
                                                                      {"fsync", "on"},
                                                                      {"full_page_writes", "true"},
                                                                      {"synchronous_commit", "remote_apply"},
                                                                      {"pg_stat_statements.track", "all"},
                                                                      {"max_wal_senders", "10"},
                                                                      {"DateStyle", "ISO"},
                                                                      {"log_statement", "ddl"}})
    EXPECT_EQ(refuse_parameter(name, value, sync), std::nullopt) << name;
}

TEST(PostgresParameters, WhatIsSoAlreadyPasses) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"fsync", "ON"},
                                                                      {"full_page_writes", "yes"},
                                                                      {"ssl", "true"},
                                                                      {"hot_standby", "1"},
                                                                      {"archive_mode", "off"},
                                                                      {"Port", "5432"},
                                                                      {"zero_damaged_pages", "false"},
                                                                      {"recovery_target_timeline", "Latest"}})
    EXPECT_EQ(refuse_parameter(name, value, {}), std::nullopt) << name;
}

TEST(PostgresParameters, EveryRefusalNamesWhatWasExpected) {
  for (const ParameterRule& rule : parameter_rules()) {
    std::string name(rule.name);
    if (name.ends_with('*')) name.back() = 'x';
    if (!rule.agents) {
      EXPECT_TRUE(must_be_equal_everywhere(name)) << name << ": a rule that says nothing";
      continue;
    }
    const auto refused = refuse_parameter(name, "something", {});
    ASSERT_TRUE(refused) << name;
    EXPECT_NE(refused->find(rule.why), std::string::npos) << name;
    if (rule.value.empty()) continue;
    EXPECT_NE(refused->find("is \"something\", must be " + std::string(rule.value)), std::string::npos) << *refused;
    EXPECT_EQ(refuse_parameter(name, rule.value, {}), std::nullopt) << name;
  }
}

TEST(PostgresParameters, NamesAreTheSameInUpperAndLowerCase) {
  EXPECT_TRUE(belongs_to_agent("SSL_Ca_File"));
  EXPECT_TRUE(must_be_equal_everywhere("Max_Connections"));
  EXPECT_EQ(peoples_parameters({{"TimeZone", "Europe/Berlin"}, {"fsync", "on"}, {"DateStyle", "ISO"}}),
            (Parameters{{"datestyle", "ISO"}, {"timezone", "Europe/Berlin"}}));
  EXPECT_EQ(fingerprint({{"TimeZone", "UTC"}, {"fsync", "on"}}), fingerprint({{"timezone", "UTC"}}));
  EXPECT_NE(fingerprint({{"a", "bc"}}), fingerprint({{"ab", "c"}}));
}

TEST(PostgresParameters, OnlyWhatIsNobodysMayBeAltered) {
  const Parameters of_link{{"work_mem", "8MB"}};
  const ParameterBounds sync{DurabilityMode::kSync, 3};
  EXPECT_TRUE(may_be_altered("log_statement", "ddl", of_link, sync));
  EXPECT_FALSE(may_be_altered("work_mem", "1MB", of_link, sync)) << "the link says otherwise";
  EXPECT_FALSE(may_be_altered("synchronous_standby_names", "", of_link, sync));
  EXPECT_FALSE(may_be_altered("fsync", "on", of_link, sync)) << "right by chance";
  EXPECT_FALSE(may_be_altered("max_connections", "500", of_link, sync)) << "on one member only";
  EXPECT_FALSE(may_be_altered("synchronous_commit", "off", of_link, sync));
  EXPECT_TRUE(may_be_altered("synchronous_commit", "off", of_link, {DurabilityMode::kAsync, 3}));
}

TEST(PostgresParameters, OffIsRefusedHoweverItIsSpelt) {
  for (const char* off : {"off", "OFF", "of", "false", "f", "no", "n", "0", "False"}) {
    EXPECT_NE(refuse_parameter("fsync", off, {}), std::nullopt) << off;
    EXPECT_NE(refuse_parameter("full_page_writes", off, {}), std::nullopt) << off;
  }
}

TEST(PostgresParameters, SynchronousCommitIsFreeInAsync) {
  for (const char* value : {"off", "local", "remote_write"}) {
    EXPECT_EQ(refuse_parameter("synchronous_commit", value, {DurabilityMode::kAsync, 3}), std::nullopt);
    EXPECT_NE(refuse_parameter("synchronous_commit", value, {DurabilityMode::kSync, 3}), std::nullopt);
  }
}

TEST(PostgresParameters, SendersSufficeForEveryEndpoint) {
  EXPECT_NE(refuse_parameter("max_wal_senders", "4", {DurabilityMode::kAsync, 3}), std::nullopt);
  EXPECT_EQ(refuse_parameter("max_wal_senders", "5", {DurabilityMode::kAsync, 3}), std::nullopt);
  EXPECT_NE(refuse_parameter("max_wal_senders", "many", {DurabilityMode::kAsync, 3}), std::nullopt);
}

}  // namespace
}  // namespace twinspan::api
