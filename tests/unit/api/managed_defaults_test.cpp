// spec.postgres.managed stands for all endpoints, and what an endpoint says for itself goes before it.
#include "api/managed_defaults.hpp"

#include <gtest/gtest.h>

#include "api/accepted.hpp"
#include "api/validate.hpp"
#include "manifest.hpp"
#include "tests/places.hpp"

namespace twinspan::api {
namespace {

// east says nothing, west and far what the tests give them.
Json link_with(const char* common, const char* west = "{}", const char* far = "{}") {
  Json spec = {{"engine", "Postgres"},
               {"source", {{"name", "east"}}},
               {"targets",
                {{{"name", "west"}, {"postgres", {{"managed", Json::parse(west)}}}},
                 {{"name", "far"}, {"postgres", {{"managed", Json::parse(far)}}}}}},
               {"postgres", {{"managed", Json::parse(common)}}}};
  return {{"metadata", {{"name", "orders"}, {"namespace", "shop"}, {"generation", 1}}}, {"spec", std::move(spec)}};
}

ReplicationLink parsed(const Json& json) {
  auto link = parse_replication_link(json);
  if (!link) throw std::runtime_error(link.error().message);
  return std::move(*link);
}

const ManagedPostgres& managed(const LinkSpec& spec, const char* endpoint) {
  return *find_endpoint(spec, endpoint)->postgres->managed;
}

std::vector<std::string> fields(const std::vector<FieldError>& errors) {
  std::vector<std::string> out;
  for (const FieldError& error : errors) out.push_back(error.field);
  return out;
}
using Fields = std::vector<std::string>;

constexpr const char* kCommon = R"({
  "image": "worker:2", "sharedMemory": "512Mi", "storage": {"size": "20Gi", "storageClassName": "fast"},
  "resources": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "2Gi"}},
  "parameters": {"work_mem": "8MB", "shared_buffers": "1GB"},
  "nodeSelector": {"disk": "ssd"}, "affinity": {"nodeAffinity": {}}, "tolerations": [{"key": "db", "operator": "Exists"}],
  "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]})";

// A field of `managed`, with values that differ; the empty one too, where that is a word of its own.
struct Field {
  const char* name;
  bool by_key;
  std::vector<Json> values;
};
std::vector<Field> all_fields() {
  return {
      {"version", false, {15}},
      {"image", false, {"worker:1", "worker:2"}},
      {"storage", true, {{{"size", "20Gi"}, {"storageClassName", "fast"}}, {{"size", "40Gi"}, {"ephemeral", false}}}},
      {"resources",
       true,
       {Json::parse(R"({"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "2Gi"}})"),
        Json::parse(R"({"requests": {"cpu": 4}, "limits": {"cpu": "8", "memory": "4Gi"}})")}},
      {"sharedMemory", false, {"512Mi", "1Gi"}},
      {"parameters", true, {{{"work_mem", "8MB"}, {"jit", "on"}}, {{"jit", "off"}, {"shared_buffers", "1GB"}}}},
      {"nodeSelector", false, {{{"disk", "ssd"}}, {{"zone", "b"}}, Json::object()}},
      {"affinity", false, {{{"nodeAffinity", Json::object()}}, Json::object()}},
      {"tolerations", false, {Json::array({{{"key", "db"}}}), Json::array({{{"key", "far"}}}), Json::array()}},
      {"topologySpreadConstraints",
       false,
       {Json::parse(R"([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}])"),
        Json::array()}},
      {"podTemplate",
       true,
       {Json::parse(R"({"labels": {"team": "shop", "tier": "db"}, "annotations": {"scrape": "true"}})"),
        Json::parse(R"({"labels": {"team": "other"}, "priorityClassName": "high",
                        "env": [{"name": "LEVEL", "value": "3"}]})")}}};
}

// Whatever the link and an endpoint say of a field, or leave out, it is as if all of it stood in the endpoint.
TEST(ManagedDefaults, AreAsIfWrittenIntoEveryEndpoint) {
  const Json crd = test::read_manifests(test::in_source("/crds/replicationlinks.yaml")).front();
  Json unknown = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["postgres"]
                    ["properties"]["managed"]["properties"];
  for (const Field& field : all_fields()) {
    EXPECT_EQ(unknown.erase(field.name), 1U) << field.name;
    std::vector<Json> said{nullptr};  // null says nothing
    said.insert(said.end(), field.values.begin(), field.values.end());
    for (const Json& common : said)
      for (const Json& own : said) {
        SCOPED_TRACE(std::string(field.name) + ": " + common.dump() + ", " + own.dump());
        Json in_the_end = own.is_null() ? common : own;
        if (field.by_key && !own.is_null() && !common.is_null()) {
          Json values = common.flatten();
          values.update(own.flatten());
          in_the_end = values.unflatten();
        }
        Json link = link_with("{}");
        link["spec"]["postgres"]["managed"][field.name] = common;
        link["spec"]["targets"][0]["postgres"]["managed"][field.name] = own;
        Json written_out = link;
        written_out["spec"].erase("postgres");
        written_out["spec"]["source"]["postgres"]["managed"][field.name] = common;
        written_out["spec"]["targets"][0]["postgres"]["managed"][field.name] = in_the_end;
        written_out["spec"]["targets"][1]["postgres"]["managed"][field.name] = common;
        EXPECT_EQ(without_managed_defaults(parsed(link).spec), parsed(written_out).spec);
      }
  }
  EXPECT_TRUE(unknown.empty()) << unknown.dump() << ": how they are taken over is judged by nobody";
}

TEST(ManagedDefaults, VariablesAreTakenByNameInTheLinksOrder) {
  const ReplicationLink link =
      parsed(link_with(R"({"podTemplate": {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)/b"}]}})",
                       R"({"podTemplate": {"env": [{"name": "C", "value": "3"}, {"name": "A", "value": "2"}]}})"));
  std::string text;
  for (const EnvVariable& one : managed(link.spec, "west").pod_template->env) text += one.name + "=" + one.value + " ";
  EXPECT_EQ(text, "A=2 B=$(A)/b C=3 ");
  EXPECT_EQ(managed(link.spec, "far").pod_template, link.spec.postgres.managed->pod_template);
  EXPECT_FALSE(managed(parsed(link_with("{}")).spec, "west").pod_template);
}

TEST(ManagedDefaults, AnEndpointThatSaysNothingHasAll) {
  const ReplicationLink link = parsed(link_with(kCommon));
  for (const char* endpoint : {"east", "west", "far"})
    EXPECT_EQ(managed(link.spec, endpoint), *link.spec.postgres.managed) << endpoint;
  EXPECT_EQ(managed(link.spec, "east").storage.size, "20Gi");
}

TEST(ManagedDefaults, WithoutThemAnEndpointHasTheSchemasOwn) {
  const ReplicationLink link = parsed(link_with("{}"));
  EXPECT_EQ(managed(link.spec, "east"), ManagedPostgres{});
  EXPECT_EQ(managed(link.spec, "west").storage.size, "10Gi");
  EXPECT_EQ(managed(link.spec, "west").version, 15);
  Json none = link_with("{}");
  none["spec"].erase("postgres");
  EXPECT_FALSE(parsed(none).spec.source.postgres) << "nobody said that it is managed";
  EXPECT_EQ(fields(validate(parsed(none))), Fields{"spec.source.postgres"});
}

TEST(ManagedDefaults, ParametersResourcesAndStorageAreTakenKeyByKey) {
  const ReplicationLink link =
      parsed(link_with(kCommon, R"({"parameters": {"work_mem": "64MB", "jit": "off"}, "storage": {"size": "40Gi"},
                                    "resources": {"requests": {"cpu": "4"}, "limits": {"cpu": 8}}})"));
  const ManagedPostgres& west = managed(link.spec, "west");
  EXPECT_EQ(managed(parsed(link_with(kCommon, R"({"parameters": {"Work_Mem": "9MB"}})")).spec, "west").parameters,
            (std::map<std::string, std::string>{{"Work_Mem", "9MB"}, {"shared_buffers", "1GB"}}));
  EXPECT_EQ(west.parameters,
            (std::map<std::string, std::string>{{"jit", "off"}, {"shared_buffers", "1GB"}, {"work_mem", "64MB"}}));
  EXPECT_EQ(west.resources,
            Json::parse(R"({"requests": {"cpu": "4", "memory": "2Gi"}, "limits": {"cpu": 8, "memory": "2Gi"}})"));
  EXPECT_EQ(west.storage.size, "40Gi");
  EXPECT_EQ(west.storage.storage_class_name, "fast");
  EXPECT_EQ(managed(link.spec, "far"), *link.spec.postgres.managed) << "the others are as they were";
}

TEST(ManagedDefaults, EverythingElseIsReplacedAlsoByWhatIsEmpty) {
  const ReplicationLink link =
      parsed(link_with(kCommon, R"({"image": "worker:3", "nodeSelector": {"zone": "b"}, "tolerations": [],
                                    "affinity": {"podAffinity": {}}, "topologySpreadConstraints": []})",
                       R"({"nodeSelector": {}, "sharedMemory": "1Gi", "tolerations": null, "affinity": {}})"));
  const ManagedPostgres &west = managed(link.spec, "west"), &far = managed(link.spec, "far");
  EXPECT_EQ(west.image, "worker:3");
  EXPECT_EQ(west.node_selector, (std::map<std::string, std::string>{{"zone", "b"}}));
  EXPECT_TRUE(west.tolerations.empty());
  EXPECT_TRUE(west.topology_spread_constraints.empty());
  EXPECT_EQ(west.affinity, Json::parse(R"({"podAffinity": {}})"));
  EXPECT_TRUE(far.node_selector.empty());
  EXPECT_EQ(far.shared_memory, "1Gi");
  EXPECT_EQ(far.tolerations.size(), 1u) << "null says nothing";
  EXPECT_EQ(far.affinity, Json::object());
}

TEST(ManagedDefaults, AnEmptyDirTakesNoClassOver) {
  const ReplicationLink link = parsed(link_with(kCommon, R"({"storage": {"ephemeral": true}})"));
  EXPECT_FALSE(managed(link.spec, "west").storage.storage_class_name);
  EXPECT_EQ(to_string(validate(link)), "");
  const ReplicationLink other =
      parsed(link_with(R"({"storage": {"ephemeral": true}})", R"({"storage": {"storageClassName": "fast"}})"));
  EXPECT_EQ(fields(validate(other)), Fields{"spec.targets[0].postgres.managed.storage.storageClassName"});
}

TEST(ManagedDefaults, AreOfManagedEndpointsOfPostgresLinksOnly) {
  Json json = link_with(kCommon);
  json["spec"]["targets"][0]["postgres"] = {{"external", {{"host", "db"}, {"credentialsSecretRef", {{"name", "s"}}}}}};
  EXPECT_FALSE(parsed(json).spec.targets[0].postgres->managed);
  json["spec"]["targets"][0] = {{"name", "west"}, {"s3", {{"endpoint", "https://s3.shop"}, {"bucket", "orders"}}}};
  EXPECT_FALSE(parsed(json).spec.targets[0].postgres);
}

TEST(ManagedDefaults, ErrorsNameThePlaceWhereTheValueStands) {
  const auto errors = [](const char* common, const char* west = "{}") {
    return fields(validate(parsed(link_with(common, west))));
  };
  EXPECT_EQ(errors(R"({"parameters": {"fsync": "off"}})"), Fields{"spec.postgres.managed.parameters[fsync]"})
      << "once, though three endpoints have it";
  EXPECT_EQ(errors("{}", R"({"parameters": {"fsync": "off"}})"),
            Fields{"spec.targets[0].postgres.managed.parameters[fsync]"});
  EXPECT_EQ(errors(R"({"parameters": {"fsync": "on"}})", R"({"parameters": {"fsync": "off"}})"),
            Fields{"spec.targets[0].postgres.managed.parameters[fsync]"});
  EXPECT_EQ(errors(R"({"parameters": {"max_connections": "200"}})", R"({"parameters": {"max_connections": "300"}})"),
            Fields{"spec.targets[0].postgres.managed.parameters[max_connections]"});
  EXPECT_EQ(errors(R"({"parameters": {"work_mem": "8MB", "WORK_MEM": "9MB"}})"),
            Fields{"spec.postgres.managed.parameters[work_mem]"});
  EXPECT_EQ(errors(R"({"resources": {"limits": {"memory": "much"}}})", R"({"resources": {"limits": {"cpu": "more"}}})"),
            (Fields{"spec.postgres.managed.resources.limits[memory]",
                    "spec.targets[0].postgres.managed.resources.limits[cpu]"}));
  EXPECT_EQ(errors(R"({"storage": {"size": "0"}})"), Fields{"spec.postgres.managed.storage.size"});
  EXPECT_EQ(errors(R"({"sharedMemory": "4k"})", R"({"sharedMemory": "8k"})"),
            (Fields{"spec.postgres.managed.sharedMemory", "spec.targets[0].postgres.managed.sharedMemory"}));
  EXPECT_EQ(errors(R"({"podTemplate": {"labels": {"a b": "1"}, "env": [{"name": "PGPORT", "value": "1"}]}})",
                   R"({"podTemplate": {"labels": {"team": "-"}, "env": [{"name": "PGPORT", "value": "2"}]}})"),
            (Fields{"spec.postgres.managed.podTemplate.labels[a b]", "spec.postgres.managed.podTemplate.env[PGPORT]",
                    "spec.targets[0].postgres.managed.podTemplate.labels[team]",
                    "spec.targets[0].postgres.managed.podTemplate.env[PGPORT]"}));
  EXPECT_EQ(errors(R"({"nodeSelector": {"a": "b c"}})", R"({"tolerations": [{"key": "a b", "operator": "Exists"}]})"),
            (Fields{"spec.postgres.managed.nodeSelector[a]", "spec.targets[0].postgres.managed.tolerations[0].key"}));
  const auto wrong = parse_replication_link(link_with(R"({"parameters": {"work_mem": 8}})"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "spec.postgres.managed.parameters[work_mem]: is 8, must be a string");
}

TEST(ManagedDefaults, TooManyParametersTogetherAreAnEndpointsFault) {
  Json json = link_with("{}");
  for (int i = 0; i < 150; ++i) {
    json["spec"]["postgres"]["managed"]["parameters"]["a" + std::to_string(i)] = "1";
    json["spec"]["targets"][1]["postgres"]["managed"]["parameters"]["b" + std::to_string(i)] = "1";
  }
  const auto link = parse_replication_link(json);
  ASSERT_FALSE(link);
  EXPECT_TRUE(link.error().message.starts_with("spec.targets[1].postgres.managed.parameters: is "))
      << link.error().message;
}

TEST(ManagedDefaults, WhatNeverChangesMayMoveFromEndpointsToTheLinkAndBack) {
  const auto own = R"({"storage": {"size": "20Gi", "storageClassName": "fast", "ephemeral": false}})";
  Json at_endpoints = link_with("{}", own, own);
  at_endpoints["spec"]["source"]["postgres"]["managed"] = Json::parse(own);
  const ReplicationLink before = parsed(at_endpoints), after = parsed(link_with(own));
  EXPECT_EQ(to_string(validate_change(before, after)), "");
  EXPECT_EQ(to_string(validate_change(after, before)), "");
  const ReplicationLink slow = parsed(link_with(R"({"storage": {"size": "20Gi", "storageClassName": "slow"}})"));
  EXPECT_EQ(fields(validate_change(after, slow)), Fields{"spec.postgres.managed.storage.storageClassName"});
  EXPECT_EQ(fields(validate_change(after, parsed(link_with("{}", own, own)))),
            Fields{"spec.postgres.managed.storage.storageClassName"})
      << "taken away, it is another one";
}

TEST(ManagedDefaults, WhatIsAcceptedStandsByItself) {
  const ReplicationLink link = parsed(link_with(kCommon, R"({"tolerations": [], "storage": {"size": "40Gi"}})"));
  Json accepted = accept(link.spec, 1).spec;
  EXPECT_FALSE(accepted["postgres"].contains("managed"));
  const LinkSpec again = parse_link_spec(accepted).value();
  EXPECT_EQ(again, without_managed_defaults(link.spec));
  // Other defaults beside what was accepted reach nobody.
  accepted["postgres"]["managed"] = Json::parse(R"({"tolerations": [{"key": "x"}], "storage": {"size": "1Gi"}})");
  EXPECT_EQ(managed(parse_link_spec(accepted).value(), "west"), managed(again, "west"));
}

}  // namespace
}  // namespace twinspan::api
