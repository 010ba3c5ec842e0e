#include "sandbox/api/selector.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/table.hpp"

namespace twinspan::sandbox {
namespace {

TEST(LabelSelector, SelectsAsKubectlDoes) {
  const Json object = {{"metadata", {{"labels", {{"app", "web"}, {"tier", "gold"}, {"n", "5"}, {"a.b/c", "d"}}}}}};
  const std::pair<const char*, bool> cases[] = {
      {"", true},
      {"app=web", true},
      {"app==web", true},
      {"app!=web", false},
      {"app=api", false},
      {"missing!=x", true},
      {"app in (web,api)", true},
      {"app in (api)", false},
      {"app notin (api)", true},
      {"missing notin (a)", true},
      {"tier", true},
      {"!tier", false},
      {"!missing", true},
      {"n>4", true},
      {"n<4", false},
      {"app=web,tier=gold", true},
      {"app=web,tier=silver", false},
      {"a.b/c=d", true},
  };
  for (const auto& [text, expected] : cases) {
    const auto selector = LabelSelector::parse(text);
    ASSERT_TRUE(selector) << text;
    EXPECT_EQ(selector->matches(object), expected) << text;
  }
  for (const char* bad : {"app in web", "=x", "a b", "app=we b", "app in (a b)", ",", "app=a=b"})
    EXPECT_FALSE(LabelSelector::parse(bad)) << bad;
}

TEST(FieldSelector, KnowsTheFieldsOfAKind) {
  Catalog catalog;
  const KindPtr pods = catalog.find("", "v1", "pods"), secrets = catalog.find("", "v1", "secrets");
  const Json pod = {{"metadata", {{"name", "a"}, {"namespace", "n"}}},
                    {"spec", {{"nodeName", "here"}}},
                    {"status", {{"phase", "Running"}}}};
  const std::pair<const char*, bool> cases[] = {{"metadata.name=a", true},
                                                {"metadata.name!=a", false},
                                                {"spec.nodeName=here,status.phase==Running", true},
                                                {"status.podIP=", true},
                                                {"status.phase=Failed", false}};
  for (const auto& [text, expected] : cases)
    EXPECT_EQ(FieldSelector::parse(text, *pods)->matches(pod), expected) << text;
  EXPECT_FALSE(FieldSelector::parse("spec.containers=x", *pods));
  EXPECT_FALSE(FieldSelector::parse("spec.nodeName=here", *secrets));
}

TEST(JsonPath, FindsWhatPrinterColumnsName) {
  const Json object = Json::parse(
      R"({"status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}], "list": [1, 2]}, "metadata": {"labels": {"a.b/c": "x"}}})");
  const std::pair<const char*, Json> cases[] = {
      {".status.conditions[?(@.type==\"Ready\")].status", {"True"}},
      {".status.conditions[?(@.type!='Ready')].status", {"False"}},
      {".status.list[0]", {1}},
      {".status.list[-1]", {2}},
      {".status.list[*]", {1, 2}},
      {".metadata.labels['a.b/c']", {"x"}},
      {".metadata.labels.a\\.b/c", {"x"}},
      {".missing.x", Json::array()},
      {"{.status.list[1]}", {2}},
  };
  for (const auto& [path, expected] : cases) {
    const auto found = json_path(object, path);
    ASSERT_TRUE(found) << path;
    EXPECT_EQ(Json(*found), expected) << path;
  }
  EXPECT_FALSE(json_path(object, "status"));
  EXPECT_FALSE(json_path(object, ".status["));
}

TEST(Table, AgesReadAsKubectlWritesThem) {
  const WallTime start = *parse_rfc3339("2026-01-01T00:00:00Z");
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0s"},       {119, "119s"},  {120, "2m"},      {330, "5m30s"},  {3600, "60m"},
      {11000, "3h3m"}, {40000, "11h"}, {200000, "2d7h"}, {864000, "10d"}, {86400 * 800, "2y70d"}};
  for (const auto& [seconds, expected] : cases)
    EXPECT_EQ(age_of("2026-01-01T00:00:00Z", start + std::chrono::seconds(seconds)), expected);
}

}  // namespace
}  // namespace twinspan::sandbox
