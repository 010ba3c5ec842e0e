#include "sandbox/api/schema.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan::sandbox {
namespace {

const Json kSchema = Json::parse(R"({
  "type": "object", "required": ["engine"],
  "properties": {
    "engine": {"type": "string", "enum": ["Postgres", "Kafka"]},
    "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]*$"},
    "count": {"type": "integer", "minimum": 1, "maximum": 5, "default": 2},
    "ratio": {"type": "number"},
    "port": {"x-kubernetes-int-or-string": true},
    "when": {"type": "string", "format": "date-time"},
    "paused": {"type": "boolean", "default": false},
    "maybe": {"type": "string", "nullable": true},
    "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "nested": {"type": "object", "properties": {"mode": {"type": "string", "default": "Async"}}},
    "targets": {"type": "array", "minItems": 1, "maxItems": 2, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
      "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "size": {"type": "integer", "default": 1}},
        "x-kubernetes-validations": [{"rule": "self.size >= oldSelf.size", "message": "never shrinks", "fieldPath": ".size"}]}},
    "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}
  },
  "x-kubernetes-validations": [{"rule": "!has(self.name) || self.name != 'bad'", "message": "name is bad"}]
})");

std::string first(const Causes& causes) { return causes.empty() ? "" : causes[0].field + ": " + causes[0].message; }

TEST(Schema, WordsItsRefusalsAsTheRealServerDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({})", "spec.engine: Required value"},
      {R"({"engine": "X"})", R"(spec.engine: Unsupported value: "X": supported values: "Postgres", "Kafka")"},
      {R"({"engine": 1})",
       R"(spec.engine: Invalid value: "integer": spec.engine in body must be of type string: "integer")"},
      {R"({"engine": null})",
       R"(spec.engine: Invalid value: "null": spec.engine in body must be of type string: "null")"},
      {R"({"engine": "Kafka", "count": 0})",
       "spec.count: Invalid value: 0: spec.count in body should be greater than or equal to 1"},
      {R"({"engine": "Kafka", "count": 6})",
       "spec.count: Invalid value: 6: spec.count in body should be less than or equal to 5"},
      {R"({"engine": "Kafka", "count": 1.5})",
       R"(spec.count: Invalid value: "number": spec.count in body must be of type integer: "number")"},
      {R"({"engine": "Kafka", "name": "a"})",
       R"(spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long)"},
      {R"({"engine": "Kafka", "name": "abcde"})", "spec.name: Too long: may not be more than 4 bytes"},
      {R"({"engine": "Kafka", "name": "AB"})",
       R"(spec.name: Invalid value: "AB": spec.name in body should match '^[a-z]*$')"},
      {R"({"engine": "Kafka", "when": "x"})",
       R"(spec.when: Invalid value: "x": spec.when in body must be of type date-time: "x")"},
      {R"({"engine": "Kafka", "port": true})",
       R"(spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean")"},
      {R"({"engine": "Kafka", "targets": []})",
       "spec.targets: Invalid value: 0: spec.targets in body should have at least 1 items"},
      {R"({"engine": "Kafka", "targets": [{"name":"a"},{"name":"b"},{"name":"c"}]})",
       "spec.targets: Too many: 3: must have at most 2 items"},
      {R"({"engine": "Kafka", "targets": [{"name":"a"},{"name":"a"}]})",
       R"(spec.targets[1]: Duplicate value: {"name":"a"})"},
      {R"({"engine": "Kafka", "targets": [{}]})", "spec.targets[0].name: Required value"},
      {R"({"engine": "Kafka", "tags": ["a", "a"]})", R"(spec.tags[1]: Duplicate value: "a")"},
      {R"({"engine": "Kafka", "labels": {"x": 1}})",
       R"(spec.labels[x]: Invalid value: "integer": spec.labels[x] in body must be of type string: "integer")"},
      {R"({"engine": "Kafka", "maybe": null, "ratio": 1, "port": "http", "name": "ab", "count": 5, "when": "2026-01-01T00:00:00Z"})",
       ""},
  };
  for (const auto& [value, expected] : cases)
    EXPECT_EQ(first(validate(Json::parse(value), SchemaView(kSchema), "spec")), expected) << value;
}

TEST(Schema, PrunesWhatIsNotDeclaredAndNamesIt) {
  Json value = Json::parse(
      R"({"engine": "Kafka", "bogus": 1, "open": {"any": 1}, "labels": {"x": "y"}, "targets": [{"name": "a", "b": 1}]})");
  std::vector<std::string> unknown;
  prune(value, SchemaView(kSchema), "spec", unknown);
  EXPECT_EQ(unknown, (std::vector<std::string>{"unknown field \"spec.bogus\"", "unknown field \"spec.targets[0].b\""}));
  EXPECT_EQ(value, Json::parse(
                       R"({"engine": "Kafka", "open": {"any": 1}, "labels": {"x": "y"}, "targets": [{"name": "a"}]})"));
}

TEST(Schema, DefaultsWhatIsAbsentInWhatIsThere) {
  Json value = Json::parse(R"({"paused": null, "nested": {}, "targets": [{"name": "a"}]})");
  set_defaults(value, SchemaView(kSchema));
  EXPECT_EQ(
      value,
      Json::parse(
          R"({"count": 2, "paused": false, "nested": {"mode": "Async"}, "targets": [{"name": "a", "size": 1}]})"));
}

TEST(Schema, TransitionRulesCompareItemsByTheirKey) {
  const Json before =
      Json::parse(R"({"engine": "Kafka", "targets": [{"name": "a", "size": 3}, {"name": "b", "size": 1}]})");
  const Json after =
      Json::parse(R"({"engine": "Kafka", "targets": [{"name": "b", "size": 2}, {"name": "a", "size": 2}]})");
  const Causes causes = validate_rules(after, &before, SchemaView(kSchema), "spec");
  ASSERT_EQ(causes.size(), 1u);
  EXPECT_EQ(causes[0].field, "spec.targets[1].size");
  EXPECT_TRUE(validate_rules(after, nullptr, SchemaView(kSchema), "spec").empty()) << "nothing was there before";
}

TEST(Schema, RulesRefuseWithTheirMessage) {
  EXPECT_EQ(first(validate_rules({{"name", "bad"}}, nullptr, SchemaView(kSchema), "spec")),
            "spec: Invalid value: \"object\": name is bad");
}

TEST(Schema, ADefinitionThatCannotBeServedIsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"properties": {}})", "x.type"},
      {R"({"type": "object", "properties": {"a": {}}})", "x.properties[a].type"},
      {R"({"type": "object", "properties": {"a": {"type": "array"}}})", "x.properties[a].items"},
      {R"({"type": "object", "x-kubernetes-validations": [{"rule": "self.nothing == 1"}]})",
       "x.x-kubernetes-validations[0].rule"},
      {R"j({"type": "object", "x-kubernetes-validations": [{"rule": "frobnicate(self)"}]})j",
       "x.x-kubernetes-validations[0].rule"},
      {R"({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}})", "x.properties[a].default"},
      {R"j({"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}})j", "x.properties[a].pattern"},
  };
  for (const auto& [schema, field] : cases) {
    const Causes causes = check_schema(Json::parse(schema), "x");
    ASSERT_FALSE(causes.empty()) << schema;
    EXPECT_EQ(causes[0].field, field);
  }
  EXPECT_TRUE(check_schema(kSchema, "x").empty()) << first(check_schema(kSchema, "x"));
}

TEST(Schema, BuiltInKindsKnowTheirLists) {
  const SchemaView containers = builtin_schema("core.v1.Pod").property("spec").property("containers");
  EXPECT_EQ(containers.list_type(), ListType::kMap);
  EXPECT_EQ(containers.list_keys(), std::vector<std::string>{"name"});
  EXPECT_EQ(containers.merge_key(), "name");
  EXPECT_TRUE(builtin_schema("core.v1.Service").property("spec").property("selector").atomic_map());
  EXPECT_FALSE(builtin_schema("core.v1.Nothing"));
}

}  // namespace
}  // namespace twinspan::sandbox
