// Custom objects: schema, defaults, pruning, CEL rules, the status subresource.
#include "suite.hpp"

namespace twinspan::kube::conformance {
namespace {

using Definition = WidgetSuite;

TEST_F(Definition, DefaultsAreFilledIn) {
  const auto made = client.create(kWidgets, widget("w", {{"size", 1}}));
  ASSERT_TRUE(ok(made));
  EXPECT_EQ(made->at("spec"), Json({{"size", 1}, {"color", "Green"}, {"shape", {{"corners", 4}}}}));
  EXPECT_EQ(made->at("metadata").at("generation"), 1);
}

TEST_F(Definition, UnknownFieldsArePruned) {
  const auto made = client.create(kWidgets, widget("w", {{"size", 1}, {"unknown", 5}, {"extra", {{"any", {1, 2}}}}}));
  ASSERT_TRUE(ok(made));
  EXPECT_FALSE(made->at("spec").contains("unknown"));
  EXPECT_EQ(made->at("spec").at("extra"), Json({{"any", {1, 2}}}));
}

TEST_F(Definition, RefusalsNameTheField) {
  const std::vector<std::pair<const char*, const char*>> table = {
      {R"({})", "spec.size"},
      {R"({"size": "three"})", "spec.size"},
      {R"({"size": 1.5})", "spec.size"},
      {R"({"size": 0})", "spec.size"},
      {R"({"size": 101})", "spec.size"},
      {R"({"size": null})", "spec.size"},
      {R"({"size": 1, "color": "Blue"})", "spec.color"},
      {R"({"size": 1, "shape": {"corners": true}})", "spec.shape.corners"},
      {R"({"size": 1, "parts": [{"count": 1}]})", "spec.parts[0].name"},
      {R"({"size": 1, "parts": [{"name": "UPPER"}]})", "spec.parts[0].name"},
      {R"({"size": 1, "parts": [{"name": "a"}, {"name": "a"}]})", "spec.parts[1]"},
      {R"({"size": 1, "parts": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]})", "spec.parts"},
      {R"({"size": 1, "parts": "many"})", "spec.parts"},
      {R"({"size": 1, "serial": "123456789012345678901"})", "spec.serial"},
      {R"({"size": 5, "max": 4})", "size must not be larger than max"},
  };
  for (const auto& [spec, field] : table)
    EXPECT_TRUE(refused(client.create(kWidgets, widget("w", Json::parse(spec))), Code::kInvalid, field)) << spec;
  Json without = widget("w", {});
  without.erase("spec");
  EXPECT_TRUE(refused(client.create(kWidgets, without), Code::kInvalid, "spec"));
  EXPECT_TRUE(refused(client.get(kWidgets, key("w")), Code::kNotFound));
}

TEST_F(Definition, UpdatesAndPatchesAreCheckedToo) {
  auto made = client.create(kWidgets, widget("w", {{"size", 1}}));
  ASSERT_TRUE(ok(made));
  EXPECT_TRUE(
      refused(client.merge_patch(kWidgets, key("w"), {{"spec", {{"size", 1000}}}}), Code::kInvalid, "spec.size"));
  (*made)["spec"]["color"] = "Blue";
  EXPECT_TRUE(refused(client.update(kWidgets, *made), Code::kInvalid, "spec.color"));
  EXPECT_TRUE(refused(client.apply(kWidgets, widget("w", {{"size", -1}}), "one"), Code::kInvalid, "spec.size"));
}

TEST_F(Definition, TransitionRulesCompareWithTheOldObject) {
  ASSERT_TRUE(ok(client.create(kWidgets, widget("w", {{"size", 1}, {"serial", "a"}}))));
  EXPECT_TRUE(refused(client.merge_patch(kWidgets, key("w"), {{"spec", {{"serial", "b"}}}}), Code::kInvalid,
                      "serial is immutable"));
  EXPECT_TRUE(ok(client.merge_patch(kWidgets, key("w"), {{"spec", {{"serial", "a"}, {"size", 2}}}})));
}

TEST_F(Definition, AnUpdateMustCarryAVersion) {
  ASSERT_TRUE(ok(client.create(kWidgets, widget("w", {{"size", 1}}))));
  EXPECT_TRUE(refused(client.update(kWidgets, widget("w", {{"size", 2}})), Code::kInvalid, "resourceVersion"));
}

TEST_F(Definition, OnlySpecMovesTheGeneration) {
  ASSERT_TRUE(ok(client.create(kWidgets, widget("w", {{"size", 1}}))));
  const auto status = client.merge_patch(kWidgets, key("w"), {{"status", {{"phase", "Ready"}}}}, Subresource::kStatus);
  ASSERT_TRUE(ok(status));
  EXPECT_EQ(status->at("status"), Json({{"phase", "Ready"}, {"seen", -1}}));
  EXPECT_EQ(status->at("metadata").at("generation"), 1);
  const auto labelled = client.merge_patch(kWidgets, key("w"), {{"metadata", {{"labels", {{"a", "b"}}}}}});
  ASSERT_TRUE(ok(labelled));
  EXPECT_EQ(labelled->at("metadata").at("generation"), 1);
  const auto spec = client.merge_patch(kWidgets, key("w"), {{"spec", {{"size", 2}}}});
  ASSERT_TRUE(ok(spec));
  EXPECT_EQ(spec->at("metadata").at("generation"), 2);
  EXPECT_EQ(spec->at("status"), Json({{"phase", "Ready"}, {"seen", -1}}));
}

TEST_F(Definition, EachSideOfTheStatusSubresourceKeepsToItsOwn) {
  Json object = widget("w", {{"size", 1}});
  object["status"] = {{"phase", "Claimed"}};
  const auto made = client.create(kWidgets, object);
  ASSERT_TRUE(ok(made));
  EXPECT_EQ(made->at("status"), Json({{"seen", -1}})) << "its default, and nothing of what was given";
  for (const Json& one : made->at("metadata").value("managedFields", Json::array()))
    EXPECT_FALSE(one.at("fieldsV1").contains("f:status")) << one.dump() << ": a default belongs to nobody";
  const auto main = client.merge_patch(kWidgets, key("w"), {{"status", {{"phase", "Claimed"}}}});
  ASSERT_TRUE(ok(main));
  EXPECT_EQ(main->at("status"), Json({{"seen", -1}}));
  const auto status = client.merge_patch(
      kWidgets, key("w"), {{"spec", {{"size", 50}}}, {"status", {{"phase", "Ready"}}}}, Subresource::kStatus);
  ASSERT_TRUE(ok(status));
  EXPECT_EQ(status->at("spec").at("size"), 1);
  EXPECT_EQ(status->at("status").at("phase"), "Ready");
  EXPECT_TRUE(refused(client.merge_patch(kWidgets, key("w"), {{"status", {{"phase", 5}}}}, Subresource::kStatus),
                      Code::kInvalid, "status.phase"));
}

TEST_F(Definition, AStatusThatIsTakenAwayHasItsDefaultAgain) {
  ASSERT_TRUE(ok(client.create(kWidgets, widget("w", {{"size", 1}}))));
  ASSERT_TRUE(ok(client.merge_patch(kWidgets, key("w"), {{"status", {{"seen", 1}}}}, Subresource::kStatus)));
  const auto taken = client.merge_patch(kWidgets, key("w"), {{"status", nullptr}}, Subresource::kStatus);
  ASSERT_TRUE(ok(taken));
  EXPECT_EQ(taken->at("status"), Json({{"seen", -1}}));
  const auto read = client.get(kWidgets, key("w"));
  ASSERT_TRUE(ok(read));
  EXPECT_EQ(read->at("status"), Json({{"seen", -1}}));
}

TEST_F(Definition, AStatusPatchHonoursItsVersion) {
  const auto made = client.create(kWidgets, widget("w", {{"size", 1}}));
  ASSERT_TRUE(ok(made));
  Json patch = {{"metadata", {{"resourceVersion", made->at("metadata").at("resourceVersion")}}},
                {"status", {{"seen", 1}}}};
  ASSERT_TRUE(ok(client.merge_patch(kWidgets, key("w"), patch, Subresource::kStatus)));
  patch["status"]["seen"] = 2;
  EXPECT_TRUE(refused(client.merge_patch(kWidgets, key("w"), patch, Subresource::kStatus), Code::kConflict));
}

TEST_F(Definition, AStatusPatchThatChangesNothingKeepsTheVersion) {
  ASSERT_TRUE(ok(client.create(kWidgets, widget("w", {{"size", 1}}))));
  const Json patch = {{"status", {{"phase", "Ready"}}}};
  const auto first = client.merge_patch(kWidgets, key("w"), patch, Subresource::kStatus);
  const auto second = client.merge_patch(kWidgets, key("w"), patch, Subresource::kStatus);
  ASSERT_TRUE(ok(first));
  ASSERT_TRUE(ok(second));
  EXPECT_EQ(first->at("metadata").at("resourceVersion"), second->at("metadata").at("resourceVersion"));
}

TEST_F(Definition, LargeIntegersSurvive) {
  ASSERT_TRUE(ok(client.create(kWidgets, widget("w", {{"size", 1}}))));
  const int64_t large = 9007199254740993;  // 2^53 + 1: no double
  const auto written = client.merge_patch(kWidgets, key("w"), {{"status", {{"seen", large}}}}, Subresource::kStatus);
  ASSERT_TRUE(ok(written));
  EXPECT_EQ(written->at("status").at("seen").get<int64_t>(), large);
}

TEST_F(Definition, ADefinitionWithoutASchemaTypeIsRefused) {
  Json crd = {{"apiVersion", "apiextensions.k8s.io/v1"},
              {"kind", "CustomResourceDefinition"},
              {"metadata", {{"name", "wrong.conformance.twinspan.dev"}}}};
  crd["spec"] = {{"group", "conformance.twinspan.dev"},
                 {"scope", "Namespaced"},
                 {"names", {{"plural", "bad"}, {"kind", "Bad"}}},
                 {"versions",
                  {{{"name", "v1"},
                    {"served", true},
                    {"storage", true},
                    {"schema", {{"openAPIV3Schema", {{"type", "object"}}}}}}}}};
  // The name must be PLURAL.GROUP.
  EXPECT_TRUE(refused(client.create(kCustomResourceDefinitions, crd), Code::kInvalid, "metadata.name"));
}

}  // namespace
}  // namespace twinspan::kube::conformance
