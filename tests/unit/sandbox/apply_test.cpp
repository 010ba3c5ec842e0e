#include "sandbox/api/apply.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/patch.hpp"

namespace twinspan::sandbox {
namespace {

const SchemaView kPod = builtin_schema("core.v1.Pod");
const SchemaView kService = builtin_schema("core.v1.Service");

FieldManager by(const char* name) { return {name, "v1", "", "2026-01-01T00:00:00Z"}; }

Json applied(const Json* live, const char* object, const char* manager, bool force = false, SchemaView schema = kPod) {
  const auto out = apply_object(live, Json::parse(object), schema, by(manager), force);
  return out ? *out : Json(out.error().message);
}

TEST(Apply, OwnsWhatItNames) {
  const Json live = applied(
      nullptr, R"({"metadata":{"name":"a","labels":{"x":"1"}},"spec":{"containers":[{"name":"c","image":"i"}]}})",
      "one");
  const Json& entry = live["metadata"]["managedFields"][0];
  EXPECT_EQ(entry["operation"], "Apply");
  EXPECT_EQ(
      entry["fieldsV1"],
      Json::parse(
          R"({"f:metadata":{"f:labels":{"f:x":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{".":{},"f:image":{},"f:name":{}}}}})"));
}

TEST(Apply, RemovesWhatItNoLongerNames) {
  const Json live = applied(
      nullptr,
      R"({"metadata":{"labels":{"x":"1","y":"2"}},"spec":{"containers":[{"name":"c","image":"i"},{"name":"d","image":"j"}]}})",
      "one");
  const Json next =
      applied(&live, R"({"metadata":{"labels":{"x":"1"}},"spec":{"containers":[{"name":"c","image":"i"}]}})", "one");
  EXPECT_EQ(next["metadata"]["labels"], Json::parse(R"({"x":"1"})"));
  EXPECT_EQ(next["spec"]["containers"], Json::parse(R"([{"name":"c","image":"i"}])"));
}

TEST(Apply, LeavesWhatAnotherOwns) {
  const Json live =
      applied(nullptr, R"({"metadata":{"labels":{"x":"1"}},"spec":{"containers":[{"name":"c","image":"i"}]}})", "one");
  const Json both = applied(
      &live, R"({"metadata":{"labels":{"y":"2"}},"spec":{"containers":[{"name":"c","imagePullPolicy":"Never"}]}})",
      "two");
  EXPECT_EQ(both["spec"]["containers"], Json::parse(R"([{"name":"c","image":"i","imagePullPolicy":"Never"}])"));
  const Json without = applied(&both, R"({"metadata":{}})", "one");
  EXPECT_EQ(without["metadata"]["labels"], Json::parse(R"({"y":"2"})"));
  EXPECT_EQ(without["spec"]["containers"], Json::parse(R"([{"name":"c","imagePullPolicy":"Never"}])"));
}

TEST(Apply, ConflictsUnlessEqualOrForced) {
  const Json live = applied(nullptr, R"({"spec":{"containers":[{"name":"c","image":"i"}]}})", "one");
  EXPECT_TRUE(applied(&live, R"({"spec":{"containers":[{"name":"c","image":"i"}]}})", "two").is_object())
      << "the same value is shared";
  const auto refused =
      apply_object(&live, Json::parse(R"({"spec":{"containers":[{"name":"c","image":"j"}]}})"), kPod, by("two"), false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 409);
  EXPECT_EQ(refused.error().message,
            "Apply failed with 1 conflict: conflict with \"one\": .spec.containers[name=\"c\"].image");
  const Json forced = applied(&live, R"({"spec":{"containers":[{"name":"c","image":"j"}]}})", "two", true);
  EXPECT_EQ(forced["spec"]["containers"][0]["image"], "j");
  const Json after = applied(&forced, R"({"spec":{"containers":[{"name":"c"}]}})", "one");
  EXPECT_EQ(after["spec"]["containers"][0]["image"], "j") << "one lost the field, and with it the right to remove it";
}

TEST(Apply, AtomicMapsAreReplacedWhole) {
  const Json live = applied(nullptr, R"({"spec":{"selector":{"a":"1","b":"2"}}})", "one", false, kService);
  const Json next = applied(&live, R"({"spec":{"selector":{"c":"3"}}})", "one", false, kService);
  EXPECT_EQ(next["spec"]["selector"], Json::parse(R"({"c":"3"})"));
}

TEST(Apply, AListKeepsOthersItemsAndTheOrderApplied) {
  const Json live =
      applied(nullptr, R"({"spec":{"ports":[{"port":1,"name":"a"},{"port":2,"name":"b"}]}})", "one", false, kService);
  const Json next = applied(&live, R"({"spec":{"ports":[{"port":3,"name":"c"}]}})", "two", false, kService);
  EXPECT_EQ(next["spec"]["ports"].size(), 3u);
  const Json less = applied(&next, R"({"spec":{"ports":[{"port":2,"name":"b"}]}})", "one", false, kService);
  ASSERT_EQ(less["spec"]["ports"].size(), 2u);
  EXPECT_EQ(less["spec"]["ports"][0]["name"], "b");
  EXPECT_EQ(less["spec"]["ports"][1]["name"], "c");
}

TEST(Apply, TheSameAgainChangesNothing) {
  const char* object = R"({"metadata":{"labels":{"x":"1"}},"spec":{"containers":[{"name":"c","image":"i"}]}})";
  const Json live = applied(nullptr, object, "one");
  EXPECT_TRUE(same_but_times(live, applied(&live, object, "one")));
}

TEST(Apply, AnUpdateTakesWhatItChangesFromItsOwner) {
  const Json live = applied(nullptr, R"({"metadata":{"labels":{"x":"1","y":"2"}}})", "one");
  Json changed = live;
  changed["metadata"]["labels"]["x"] = "9";
  track_update(&live, changed, kPod, by("editor"));
  const Json again = applied(&changed, R"({"metadata":{"labels":{"y":"2"}}})", "one");
  EXPECT_EQ(again["metadata"]["labels"], Json::parse(R"({"x":"9","y":"2"})"));
}

TEST(Patch, StrategicMergesListsByTheirKey) {
  const Json pod = Json::parse(R"({"spec":{"containers":[{"name":"c","image":"i"},{"name":"d","image":"j"}]}})");
  const auto patched = [&](const char* patch) {
    return strategic_merge_patch(pod, Json::parse(patch), kPod)["spec"]["containers"];
  };
  EXPECT_EQ(patched(R"({"spec":{"containers":[{"name":"d","image":"k"}]}})"),
            Json::parse(R"([{"name":"c","image":"i"},{"name":"d","image":"k"}])"));
  EXPECT_EQ(patched(R"({"spec":{"containers":[{"name":"c","$patch":"delete"}]}})"),
            Json::parse(R"([{"name":"d","image":"j"}])"));
  EXPECT_EQ(patched(R"({"spec":{"containers":[{"$patch":"replace"},{"name":"e"}]}})"),
            Json::parse(R"([{"name":"e"}])"));
  EXPECT_EQ(
      patched(
          R"({"spec":{"$setElementOrder/containers":[{"name":"d"},{"name":"c"}],"containers":[{"name":"d","image":null}]}})"),
      Json::parse(R"([{"name":"d"},{"name":"c","image":"i"}])"));
}

TEST(Patch, StrategicDeletesFromPrimitiveLists) {
  const Json object = Json::parse(R"({"metadata":{"finalizers":["a/a","b/b"]}})");
  const Json out = strategic_merge_patch(
      object, Json::parse(R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a/a"]}})"), kPod);
  EXPECT_EQ(out["metadata"]["finalizers"], Json::parse(R"(["b/b"])"));
}

}  // namespace
}  // namespace twinspan::sandbox
