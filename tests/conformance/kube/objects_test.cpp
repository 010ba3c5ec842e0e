// Objects: creation, reading, lists, updates, patches, deletion.
#include "suite.hpp"

namespace twinspan::kube::conformance {
namespace {

using Objects = Suite;

TEST_F(Objects, TheServerFillsInMetadata) {
  const auto made = client.create(kConfigMaps, config_map("a", {{"k", "v"}}));
  ASSERT_TRUE(ok(made));
  const Json& metadata = made->at("metadata");
  EXPECT_FALSE(metadata.value("uid", "").empty());
  EXPECT_FALSE(metadata.value("resourceVersion", "").empty());
  EXPECT_TRUE(parse_rfc3339(metadata.value("creationTimestamp", "")));
  EXPECT_EQ(made->at("data"), Json({{"k", "v"}}));
  const auto read = client.get(kConfigMaps, key("a"));
  ASSERT_TRUE(ok(read));
  EXPECT_EQ(read->at("metadata").at("uid"), metadata.at("uid"));
  EXPECT_EQ(read->at("metadata").at("resourceVersion"), metadata.at("resourceVersion"));
  EXPECT_EQ(read->at("kind"), "ConfigMap");
  EXPECT_EQ(read->at("apiVersion"), "v1");
}

TEST_F(Objects, GenerateNameMakesDifferentNames) {
  Json object = config_map("x");
  object["metadata"].erase("name");
  object["metadata"]["generateName"] = "some-";
  const auto first = client.create(kConfigMaps, object), second = client.create(kConfigMaps, object);
  ASSERT_TRUE(ok(first));
  ASSERT_TRUE(ok(second));
  const std::string one = first->at("metadata").at("name"), two = second->at("metadata").at("name");
  EXPECT_TRUE(one.starts_with("some-") && one.size() > 5) << one;
  EXPECT_NE(one, two);
}

TEST_F(Objects, ASecondCreationIsRefused) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a"))));
  EXPECT_TRUE(refused(client.create(kConfigMaps, config_map("a")), Code::kAlreadyExists, "a"));
}

TEST_F(Objects, WhatIsNotThereIsNotFound) {
  EXPECT_TRUE(refused(client.get(kConfigMaps, key("none")), Code::kNotFound, "none"));
  EXPECT_TRUE(refused(client.merge_patch(kConfigMaps, key("none"), {{"data", {{"a", "b"}}}}), Code::kNotFound, "none"));
  EXPECT_TRUE(refused(client.remove(kConfigMaps, key("none")), Code::kNotFound, "none"));
  EXPECT_TRUE(refused(client.get({"nowhere.dev", "v1", "things", "Thing"}, key("a")), Code::kNotFound));
  Json elsewhere = config_map("a");
  elsewhere["metadata"]["namespace"] = "conformance-no-such-namespace";
  EXPECT_TRUE(refused(client.create(kConfigMaps, elsewhere), Code::kNotFound, "conformance-no-such-namespace"));
}

TEST_F(Objects, ABadNameIsRefusedNamingTheField) {
  EXPECT_TRUE(refused(client.create(kConfigMaps, config_map("Not_A_Name")), Code::kInvalid, "metadata.name"));
}

TEST_F(Objects, ListsComeInPagesOfOneVersion) {
  std::vector<std::string> expected;
  for (int i = 0; i < 7; ++i) {
    expected.push_back("item-" + std::to_string(i));
    Json object = config_map(expected.back());
    object["metadata"]["labels"]["paged"] = "yes";
    ASSERT_TRUE(ok(client.create(kConfigMaps, object)));
  }
  for (const int page : {0, 1, 3, 7, 500})
    EXPECT_EQ(names(kConfigMaps, {.label_selector = "paged=yes", .page = page}), expected) << "page " << page;
  EXPECT_EQ(names(kConfigMaps,
                  {.label_selector = "paged=yes", .resource_version = version(kConfigMaps, "item-6"), .page = 0}),
            expected);

  const std::string path = kConfigMaps.path(ns, "") + "?limit=3&labelSelector=paged%3Dyes";
  const auto first = client.raw("GET", path, nullptr);
  ASSERT_TRUE(ok(first));
  ASSERT_EQ(first->at("items").size(), 3u);
  const std::string token = first->at("metadata").value("continue", "");
  ASSERT_FALSE(token.empty());
  // A page that is asked for later still shows the version of the first one.
  ASSERT_TRUE(ok(client.remove(kConfigMaps, key("item-4"))));
  Json late = config_map("item-5-late");
  late["metadata"]["labels"]["paged"] = "yes";
  ASSERT_TRUE(ok(client.create(kConfigMaps, late)));
  const auto second = client.raw("GET", path + "&continue=" + token, nullptr);
  ASSERT_TRUE(ok(second));
  std::vector<std::string> rest;
  for (const Json& item : second->at("items")) rest.push_back(item["metadata"]["name"]);
  EXPECT_EQ(rest, (std::vector<std::string>{"item-3", "item-4", "item-5"}));
  EXPECT_EQ(second->at("metadata").at("resourceVersion"), first->at("metadata").at("resourceVersion"));
}

TEST_F(Objects, ListsOfAllNamespacesHoldThisOne) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("everywhere"))));
  int found = 0;
  ASSERT_TRUE(ok(client.list(kConfigMaps, "", {.page = 2}, [&](Json&& item) {
    if (item["metadata"]["namespace"] == ns && item["metadata"]["name"] == "everywhere") ++found;
  })));
  EXPECT_EQ(found, 1);
}

TEST_F(Objects, LabelSelectorsSelect) {
  const std::vector<std::pair<std::string, Json>> objects = {{"a", {{"app", "db"}, {"tier", "one"}}},
                                                             {"b", {{"app", "db"}, {"tier", "two"}}},
                                                             {"c", {{"app", "web"}}},
                                                             {"d", Json::object()}};
  for (const auto& [name, labels] : objects) {
    Json object = config_map(name);
    object["metadata"]["labels"] = labels;
    ASSERT_TRUE(ok(client.create(kConfigMaps, object)));
  }
  const auto select = [&](const std::string& selector) {
    std::string out;
    for (const auto& name : names(kConfigMaps, {.label_selector = selector}))
      if (name.size() == 1) out += name;  // a cluster may put objects of its own into every namespace
    return out;
  };
  EXPECT_EQ(select("app=db"), "ab");
  EXPECT_EQ(select("app==db,tier=two"), "b");
  EXPECT_EQ(select("app!=db"), "cd");
  EXPECT_EQ(select("app in (db,web)"), "abc");
  EXPECT_EQ(select("tier notin (one)"), "bcd");
  EXPECT_EQ(select("tier"), "ab");
  EXPECT_EQ(select("!tier,app"), "c");
  EXPECT_TRUE(refused(client.list(kConfigMaps, ns, {.label_selector = "a=(b"}, [](Json&&) {}), Code::kInvalid));
}

TEST_F(Objects, FieldSelectorsSelectByName) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a"))));
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("b"))));
  EXPECT_EQ(names(kConfigMaps, {.field_selector = "metadata.name=b"}), std::vector<std::string>{"b"});
  EXPECT_EQ(names(kConfigMaps, {.field_selector = "metadata.name=c"}), std::vector<std::string>{});
}

TEST_F(Objects, AnUpdateNeedsTheCurrentVersion) {
  auto first = client.create(kConfigMaps, config_map("a", {{"n", "1"}}));
  ASSERT_TRUE(ok(first));
  Json second = *first;
  second["data"]["n"] = "2";
  const auto written = client.update(kConfigMaps, second);
  ASSERT_TRUE(ok(written));
  EXPECT_NE(written->at("metadata").at("resourceVersion"), first->at("metadata").at("resourceVersion"));
  (*first)["data"]["n"] = "3";
  EXPECT_TRUE(refused(client.update(kConfigMaps, *first), Code::kConflict, "a"));
  EXPECT_EQ(client.get(kConfigMaps, key("a"))->at("data").at("n"), "2");
}

TEST_F(Objects, AnUpdateThatChangesNothingKeepsTheVersion) {
  const auto made = client.create(kConfigMaps, config_map("a", {{"n", "1"}}));
  ASSERT_TRUE(ok(made));
  const auto written = client.update(kConfigMaps, *made);
  ASSERT_TRUE(ok(written));
  EXPECT_EQ(written->at("metadata").at("resourceVersion"), made->at("metadata").at("resourceVersion"));
}

TEST_F(Objects, AnUpdateCannotExchangeTheObject) {
  auto made = client.create(kConfigMaps, config_map("a"));
  ASSERT_TRUE(ok(made));
  (*made)["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000";
  EXPECT_TRUE(refused(client.update(kConfigMaps, *made), Code::kConflict));
}

TEST_F(Objects, AMergePatchChangesWhatItNames) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a", {{"stays", "1"}, {"goes", "2"}, {"changes", "3"}}))));
  const auto patched = client.merge_patch(kConfigMaps, key("a"),
                                          Json::parse(R"({"data": {"goes": null, "changes": "4", "comes": "5"}})"));
  ASSERT_TRUE(ok(patched));
  EXPECT_EQ(patched->at("data"), Json({{"stays", "1"}, {"changes", "4"}, {"comes", "5"}}));
}

TEST_F(Objects, AMergePatchMayCarryAVersionAsPrecondition) {
  const auto made = client.create(kConfigMaps, config_map("a", {{"n", "1"}}));
  ASSERT_TRUE(ok(made));
  Json patch = {{"metadata", {{"resourceVersion", made->at("metadata").at("resourceVersion")}}},
                {"data", {{"n", "2"}}}};
  ASSERT_TRUE(ok(client.merge_patch(kConfigMaps, key("a"), patch)));
  patch["data"]["n"] = "3";
  EXPECT_TRUE(refused(client.merge_patch(kConfigMaps, key("a"), patch), Code::kConflict));
  EXPECT_EQ(client.get(kConfigMaps, key("a"))->at("data").at("n"), "2");
}

TEST_F(Objects, DeletionHonoursItsPreconditions) {
  const auto made = client.create(kConfigMaps, config_map("a"));
  ASSERT_TRUE(ok(made));
  const std::string uid = made->at("metadata").at("uid"), old = made->at("metadata").at("resourceVersion");
  ASSERT_TRUE(ok(client.merge_patch(kConfigMaps, key("a"), {{"data", {{"n", "1"}}}})));
  EXPECT_TRUE(
      refused(client.remove(kConfigMaps, key("a"), {.uid = "00000000-0000-0000-0000-000000000000"}), Code::kConflict));
  EXPECT_TRUE(refused(client.remove(kConfigMaps, key("a"), {.resource_version = old}), Code::kConflict));
  EXPECT_TRUE(ok(client.get(kConfigMaps, key("a"))));
  EXPECT_TRUE(ok(client.remove(kConfigMaps, key("a"), {.uid = uid, .resource_version = version(kConfigMaps, "a")})));
  EXPECT_TRUE(refused(client.get(kConfigMaps, key("a")), Code::kNotFound));
}

TEST_F(Objects, AFinalizerHoldsAnObjectUntilItIsTakenOff) {
  Json object = config_map("a");
  object["metadata"]["finalizers"] = {"twinspan.dev/held"};
  ASSERT_TRUE(ok(client.create(kConfigMaps, object)));
  ASSERT_TRUE(ok(client.remove(kConfigMaps, key("a"))));
  const auto held = client.get(kConfigMaps, key("a"));
  ASSERT_TRUE(ok(held));
  EXPECT_TRUE(parse_rfc3339(held->at("metadata").value("deletionTimestamp", "")));
  const Json another = Json::parse(R"({"metadata": {"finalizers": ["twinspan.dev/held", "twinspan.dev/more"]}})");
  EXPECT_TRUE(refused(client.merge_patch(kConfigMaps, key("a"), another), Code::kInvalid, "metadata.finalizers"));
  ASSERT_TRUE(ok(client.merge_patch(kConfigMaps, key("a"), Json::parse(R"({"metadata": {"finalizers": null}})"))));
  EXPECT_TRUE(refused(client.get(kConfigMaps, key("a")), Code::kNotFound));
}

TEST_F(Objects, AnObjectCreatedAgainIsAnotherOne) {
  const auto first = client.create(kConfigMaps, config_map("a"));
  ASSERT_TRUE(ok(first));
  ASSERT_TRUE(ok(client.remove(kConfigMaps, key("a"))));
  const auto second = client.create(kConfigMaps, config_map("a"));
  ASSERT_TRUE(ok(second));
  EXPECT_NE(first->at("metadata").at("uid"), second->at("metadata").at("uid"));
}

TEST_F(Objects, SecretsCarryStringDataAsBase64) {
  Json secret = {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "s"}, {"namespace", ns}}}};
  secret["stringData"] = {{"password", "hunter2"}};
  const auto made = client.create(kSecrets, secret);
  ASSERT_TRUE(ok(made));
  EXPECT_EQ(made->at("data").at("password"), "aHVudGVyMg==");
  EXPECT_FALSE(made->contains("stringData"));
  EXPECT_EQ(made->at("type"), "Opaque");
}

TEST_F(Objects, TheServerTellsItIsReady) {
  const auto ready = client.raw("GET", "/readyz", nullptr);
  ASSERT_TRUE(ok(ready));
  EXPECT_EQ(*ready, "ok");
  const auto found = client.raw("GET", "/version", nullptr);
  ASSERT_TRUE(ok(found));
  EXPECT_EQ(found->at("major"), "1");
}

}  // namespace
}  // namespace twinspan::kube::conformance
