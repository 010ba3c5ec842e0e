// Server-side apply: creation, change, removal of fields, ownership.
#include "suite.hpp"

namespace twinspan::kube::conformance {
namespace {

using Apply = Suite;

// The managers that own `path` ("f:data/f:a") by an Apply.
std::vector<std::string> owners(const Json& object, const std::string& path) {
  std::vector<std::string> out;
  for (const Json& entry : object.at("metadata").value("managedFields", Json::array())) {
    const auto fields = entry.find("fieldsV1");
    if (fields == entry.end() || entry.value("operation", "") != "Apply") continue;
    if (fields->contains(Json::json_pointer("/" + path))) out.push_back(entry.value("manager", ""));
  }
  return out;
}

TEST_F(Apply, CreatesWhatIsNotThere) {
  const auto made = client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "one");
  ASSERT_TRUE(ok(made));
  EXPECT_EQ(made->at("data"), Json({{"x", "1"}}));
  EXPECT_EQ(owners(*made, "f:data/f:x"), std::vector<std::string>{"one"});
}

TEST_F(Apply, TheSameAgainChangesNothing) {
  const auto first = client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "one");
  ASSERT_TRUE(ok(first));
  const auto second = client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "one");
  ASSERT_TRUE(ok(second));
  EXPECT_EQ(first->at("metadata").at("resourceVersion"), second->at("metadata").at("resourceVersion"));
}

TEST_F(Apply, FieldsNoLongerAppliedAreRemoved) {
  ASSERT_TRUE(ok(client.apply(kConfigMaps, config_map("a", {{"x", "1"}, {"y", "2"}}), "one")));
  const auto next = client.apply(kConfigMaps, config_map("a", {{"y", "3"}}), "one");
  ASSERT_TRUE(ok(next));
  EXPECT_EQ(next->at("data"), Json({{"y", "3"}}));
}

TEST_F(Apply, FieldsOfOthersStay) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a", {{"theirs", "0"}}))));
  ASSERT_TRUE(ok(client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "one")));
  ASSERT_TRUE(ok(client.apply(kConfigMaps, config_map("a", {{"z", "9"}}), "two")));
  const auto next = client.apply(kConfigMaps, config_map("a", Json::object()), "one");
  ASSERT_TRUE(ok(next));
  EXPECT_EQ(next->at("data"), Json({{"theirs", "0"}, {"z", "9"}}));
}

TEST_F(Apply, ForceTakesOwnershipOver) {
  ASSERT_TRUE(ok(client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "one")));
  const auto taken = client.apply(kConfigMaps, config_map("a", {{"x", "2"}}), "two");
  ASSERT_TRUE(ok(taken));
  EXPECT_EQ(taken->at("data"), Json({{"x", "2"}}));
  EXPECT_EQ(owners(*taken, "f:data/f:x"), std::vector<std::string>{"two"});
  // One has lost it: leaving it out does not remove it any more.
  const auto left = client.apply(kConfigMaps, config_map("a", Json::object()), "one");
  ASSERT_TRUE(ok(left));
  EXPECT_EQ(left->at("data"), Json({{"x", "2"}}));
}

TEST_F(Apply, AnEqualValueIsOwnedTogether) {
  ASSERT_TRUE(ok(client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "one")));
  const auto both = client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "two");
  ASSERT_TRUE(ok(both));
  EXPECT_EQ(owners(*both, "f:data/f:x").size(), 2u);
  const auto left = client.apply(kConfigMaps, config_map("a", Json::object()), "one");
  ASSERT_TRUE(ok(left));
  EXPECT_EQ(left->at("data"), Json({{"x", "1"}}));
}

TEST_F(Apply, LabelsAndFinalizersAreOwnedOneByOne) {
  Json object = config_map("a");
  object["metadata"]["labels"] = {{"a", "1"}};
  object["metadata"]["finalizers"] = {"twinspan.dev/one"};
  ASSERT_TRUE(ok(client.apply(kConfigMaps, object, "one")));
  object["metadata"]["labels"] = {{"b", "2"}};
  object["metadata"]["finalizers"] = {"twinspan.dev/two"};
  const auto both = client.apply(kConfigMaps, object, "two");
  ASSERT_TRUE(ok(both));
  EXPECT_EQ(both->at("metadata").at("labels"), Json({{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(both->at("metadata").at("finalizers").size(), 2u);
  object["metadata"]["labels"] = Json::object();
  object["metadata"].erase("finalizers");
  const auto left = client.apply(kConfigMaps, object, "two");
  ASSERT_TRUE(ok(left));
  EXPECT_EQ(left->at("metadata").at("labels"), Json({{"a", "1"}}));
  EXPECT_EQ(left->at("metadata").at("finalizers"), Json::array({"twinspan.dev/one"}));
  ASSERT_TRUE(ok(client.merge_patch(kConfigMaps, key("a"), Json::parse(R"({"metadata": {"finalizers": null}})"))));
}

// What was judged by its uid is what is written: not what took its place, and nothing that is no longer there.
TEST_F(Apply, AUidIsAPrecondition) {
  Json object = config_map("a", {{"x", "1"}});
  object["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000";
  EXPECT_TRUE(refused(client.apply(kConfigMaps, object, "twinspan"), Code::kConflict));
  const auto made = client.create(kConfigMaps, config_map("a", {{"x", "2"}}));
  ASSERT_TRUE(ok(made));
  EXPECT_TRUE(refused(client.apply(kConfigMaps, object, "twinspan"), Code::kConflict));
  EXPECT_TRUE(
      refused(client.merge_patch(kConfigMaps, key("a"), {{"metadata", {{"uid", "another"}}}}), Code::kConflict));
  object["metadata"]["uid"] = made->at("metadata").at("uid");
  EXPECT_TRUE(ok(client.apply(kConfigMaps, object, "twinspan")));
}

// Creation has to be refused where somebody was first, so it is a POST; what it wrote is then turned over to the
// applier.
TEST_F(Apply, WhatWasCreatedIsTheAppliersOnceItSaysSo) {
  const auto made = client.create(kConfigMaps, config_map("a", {{"x", "1"}, {"y", "1"}}), {}, "owner");
  ASSERT_TRUE(ok(made));
  Json managed = made->at("metadata").at("managedFields");
  for (Json& entry : managed) {
    EXPECT_EQ(entry["manager"], "owner") << "whatever the user agent is called";
    entry["operation"] = "Apply";
  }
  ASSERT_TRUE(ok(client.merge_patch(
      kConfigMaps, key("a"),
      {{"metadata", {{"resourceVersion", made->at("metadata").at("resourceVersion")}, {"managedFields", managed}}}})));
  const auto left = client.apply(kConfigMaps, config_map("a", {{"x", "2"}}), "owner");
  ASSERT_TRUE(ok(left));
  EXPECT_EQ(left->at("data"), Json({{"x", "2"}}));
}

// As an installation is after an upgrade: what one manager created, another has applied since. A patch takes the
// creator's entry away and gives the applier both.
TEST_F(Apply, WhatACreatorStillOwnsIsTheAppliersOnceItSaysSo) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a", {{"x", "1"}, {"y", "1"}}), {}, "former")));
  const auto both = client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "owner");
  ASSERT_TRUE(ok(both));
  EXPECT_EQ(both->at("data"), Json({{"x", "1"}, {"y", "1"}})) << "the creator's";
  const Json& managed = both->at("metadata").at("managedFields");
  ASSERT_EQ(managed.size(), 2u);
  Json mine = managed[0]["manager"] == "owner" ? managed[0] : managed[1];
  const Json& theirs = managed[0]["manager"] == "owner" ? managed[1] : managed[0];
  mine["fieldsV1"].merge_patch(theirs["fieldsV1"]);
  ASSERT_TRUE(ok(client.merge_patch(
      kConfigMaps, key("a"),
      {{"metadata",
        {{"resourceVersion", both->at("metadata").at("resourceVersion")}, {"managedFields", Json::array({mine})}}}})));
  const auto left = client.apply(kConfigMaps, config_map("a", {{"x", "1"}}), "owner");
  ASSERT_TRUE(ok(left));
  EXPECT_EQ(left->at("data"), Json({{"x", "1"}}));
}

// Failover flips a Service by one apply: the selector is exchanged as a whole, ports are merged by number and protocol.
TEST_F(Apply, AServicesSelectorIsOneValue) {
  Json service = {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", "rw"}, {"namespace", ns}}}};
  service["spec"]["selector"] = {{"link", "orders"}, {"endpoint", "east"}};
  service["spec"]["ports"] = {{{"name", "postgres"}, {"port", 5432}, {"protocol", "TCP"}, {"targetPort", 5432}}};
  service["spec"]["publishNotReadyAddresses"] = true;
  const auto made = client.apply(kServices, service, "twinspan");
  ASSERT_TRUE(ok(made));
  EXPECT_EQ(made->at("spec").at("selector"), service["spec"]["selector"]);
  EXPECT_EQ(made->at("spec").value("type", ""), "ClusterIP");
  service["spec"]["selector"] = {{"link", "orders"}, {"role", "west"}};
  const auto flipped = client.apply(kServices, service, "twinspan");
  ASSERT_TRUE(ok(flipped));
  EXPECT_EQ(flipped->at("spec").at("selector"), Json({{"link", "orders"}, {"role", "west"}}));
  EXPECT_EQ(flipped->at("spec").at("ports").size(), 1u);
  EXPECT_EQ(flipped->at("spec").at("clusterIP"), made->at("spec").at("clusterIP"));
}

TEST_F(Apply, AManagerMustBeNamed) {
  EXPECT_TRUE(refused(client.apply(kConfigMaps, config_map("a"), ""), Code::kInvalid, "fieldManager"));
}

using ApplyWidget = WidgetSuite;

TEST_F(ApplyWidget, ListsWithKeysAreMergedByThem) {
  const auto parts = [&](Json list) { return widget("w", {{"size", 1}, {"parts", std::move(list)}}); };
  ASSERT_TRUE(ok(client.apply(kWidgets, parts({{{"name", "a"}, {"count", 1}}}), "one")));
  Json theirs = parts({{{"name", "b"}, {"count", 2}}});
  theirs["spec"].erase("size");
  ASSERT_TRUE(refused(client.apply(kWidgets, widget("other", {{"parts", {{{"name", "b"}}}}}), "two"), Code::kInvalid,
                      "spec.size"));
  const auto both = client.apply(kWidgets, theirs, "two");
  ASSERT_TRUE(ok(both));
  EXPECT_EQ(both->at("spec").at("parts"), Json({{{"name", "a"}, {"count", 1}}, {{"name", "b"}, {"count", 2}}}));
  const auto left = client.apply(kWidgets, parts(Json::array()), "one");
  ASSERT_TRUE(ok(left));
  EXPECT_EQ(left->at("spec").at("parts"), Json({{{"name", "b"}, {"count", 2}}}));
}

}  // namespace
}  // namespace twinspan::kube::conformance
