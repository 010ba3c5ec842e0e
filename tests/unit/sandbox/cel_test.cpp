#include "sandbox/api/cel.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan::sandbox::cel {
namespace {

Json evaluated(const std::string& expression, const Json& self = Json::object(), const Json* old_self = nullptr) {
  const auto program = compile(expression);
  if (!program) return "syntax: " + program.error().message;
  const auto value = (*program)->evaluate(self, old_self);
  return value ? *value : Json("error: " + value.error().message);
}

TEST(Cel, EvaluatesTheLanguage) {
  const Json self = {{"name", "orders"},
                     {"size", "10Gi"},
                     {"count", 3},
                     {"ratio", 1.5},
                     {"tags", {"a", "b"}},
                     {"targets", {{{"name", "west"}}, {{"name", "east"}, {"from", "west"}}}},
                     {"labels", {{"x", "y"}}}};
  const std::pair<const char*, Json> cases[] = {
      {"1 + 2 * 3", 7},
      {"(1 + 2) * 3", 9},
      {"-self.count + 1", -2},
      {"7 / 2", 3},
      {"7 % 2", 1},
      {"1.5 * 2.0", 3.0},
      {"'a' + \"b\"", "ab"},
      {"[1, 2] + [3]", {1, 2, 3}},
      {"self.count > 2 && self.count <= 3", true},
      {"self.count == 3 ? 'three' : 'other'", "three"},
      {"has(self.name) && !has(self.missing)", true},
      {"self.tags.size() == 2 && size('äöü') == 3", true},
      {"'a' in self.tags && !('c' in self.tags) && 'x' in self.labels", true},
      {"self.targets.all(t, !has(t.from) || self.targets.exists(o, o.name == t.from))", true},
      {"self.targets.exists_one(t, t.name == 'west')", true},
      {"self.targets.filter(t, has(t.from)).size()", 1},
      {"self.targets.map(t, t.name)", {"west", "east"}},
      {"self.targets.map(t, has(t.from), t.name)", {"east"}},
      {"self.labels.all(k, self.labels[k] == 'y')", true},
      {"self.name.matches('^[a-z]+$') && self.name.startsWith('or') && self.name.endsWith('ers') && "
       "self.name.contains('rde')",
       true},
      {"self.name.upperAscii().substring(0, 2)", "OR"},
      {"'a-b-c'.split('-').join('+')", "a+b+c"},
      {"self.tags[1] == 'b' && self.labels['x'] == 'y'", true},
      {"quantity(self.size).compareTo(quantity('9Gi'))", 1},
      {"quantity('1Gi').isGreaterThan(quantity('1G'))", true},
      {"duration('1h').getMinutes()", 60},
      {"timestamp('2026-01-02T00:00:00Z') > timestamp('2026-01-01T00:00:00Z')", true},
      {"int('12') + int(3.7)", 15},
      {"string(self.count) == '3'", true},
      {"{'a': 1}.a", 1},
      {"r'\\d' == '\\\\d'", true},
      // Either side of a logical operator may decide alone.
      {"self.missing == 1 || true", true},
      {"false && self.missing == 1", false},
  };
  for (const auto& [expression, expected] : cases) EXPECT_EQ(evaluated(expression, self), expected) << expression;
}

TEST(Cel, WhatCannotBeEvaluatedIsAnErrorNotFalse) {
  const Json self = {{"tags", {"a"}}};
  for (const char* expression :
       {"self.missing == 1", "self.tags[1] == 'a'", "1 / 0 == 1", "9223372036854775807 + 1 == 0", "'a' < 1",
        "'a' + 1 == 2", "quantity('x').sign() == 1"})
    EXPECT_TRUE(evaluated(expression, self).dump().starts_with("\"error: "))
        << expression << " " << evaluated(expression, self);
}

TEST(Cel, SyntaxErrorsNameThePlace) {
  for (const char* expression :
       {"", "1 +", "self.", "(1", "[1", "'open", "a b", "self.all(1, true)", "has(self)", "#"}) {
    const auto program = compile(expression);
    EXPECT_FALSE(program) << expression;
  }
  EXPECT_NE(compile("self.a ==").error().message.find("<input>:1:10"), std::string::npos)
      << compile("self.a ==").error().message;
}

TEST(Cel, ChecksFieldsAndTypesBeforeAnyObjectIsThere) {
  const Json schema = {
      {"type", "object"},
      {"properties",
       {{"name", {{"type", "string"}}},
        {"count", {{"type", "integer"}}},
        {"list",
         {{"type", "array"}, {"items", {{"type", "object"}, {"properties", {{"name", {{"type", "string"}}}}}}}}}}}};
  const auto sound = [&](const char* expression) {
    return (*compile(expression))->check(SchemaView(schema), true).has_value();
  };
  for (const char* good : {"self.name == 'a'", "self.count > 1", "self.list.all(i, i.name != '')",
                           "self.metadata.name.size() < 9", "has(self.name) ? true : false", "self == oldSelf"})
    EXPECT_TRUE(sound(good)) << good;
  for (const char* bad :
       {"self.nme == 'a'", "self.name == 1", "self.count.startsWith('a')", "self.list.all(i, i.nme != '')",
        "unknown(self)", "other == 1", "self.metadata.labels.x == 'a'", "self.name && true", "self.count + 1",
        "self.name.optional()"})
    EXPECT_FALSE(sound(bad)) << bad;
}

TEST(Cel, OldSelfIsWhatWasThere) {
  const Json old_self = {{"a", 1}};
  EXPECT_EQ(evaluated("self.a >= oldSelf.a", {{"a", 2}}, &old_self), true);
  EXPECT_TRUE((*compile("self.a >= oldSelf.a"))->uses("oldSelf"));
  EXPECT_FALSE((*compile("self.a >= 1"))->uses("oldSelf"));
}

}  // namespace
}  // namespace twinspan::sandbox::cel
