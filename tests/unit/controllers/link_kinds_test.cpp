#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/kinds.hpp"

namespace twinspan::controllers::testing {
namespace {

Json lease_json() {
  return Json::parse(R"({"metadata": {"name": "orders-primary", "namespace": "shop", "uid": "u", "resourceVersion": "9",
    "labels": {"twinspan.dev/link": "orders"}, "annotations": {"twinspan.dev/promoted": "7"}},
    "spec": {"holderIdentity": "east/uid-1", "leaseTransitions": 7, "leaseDurationSeconds": 5}})");
}

TEST(LinkKinds, ALeaseIsReadAsTheAgentsWriteIt) {
  const auto lease = decode_lease(lease_json(), BootTime(std::chrono::seconds(3)));
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->record.holder_endpoint, "east");
  EXPECT_EQ(lease->record.holder_instance, "uid-1");
  EXPECT_EQ(lease->record.epoch.value, 7);
  EXPECT_TRUE(lease->record.promoted);
  EXPECT_EQ(lease->record.version, "9");
  EXPECT_EQ(lease->duration, std::chrono::seconds(5));
  EXPECT_EQ(lease->link, "orders");
}

// Nobody is called for a renewal, unless whoever looked in between took the lease for given up.
TEST(LinkKinds, ARenewalIsNewsExactlyWhereTheLeaseHadRunOut) {
  using std::chrono::milliseconds;
  const Lease before = *decode_lease(lease_json(), BootTime(std::chrono::seconds(3)));  // lasts five seconds
  for (const milliseconds later : {milliseconds(0), milliseconds(1000), milliseconds(4999)}) {
    Lease after = before;
    after.record.version = "10";
    after.record.end = Position{1000};  // the log goes on
    after.seen_at += later;
    EXPECT_TRUE(is_mere_renewal(before, after)) << later.count();
    after.record.epoch = {8};
    EXPECT_FALSE(is_mere_renewal(before, after)) << "another epoch is news at any time";
  }
  for (const milliseconds later : {milliseconds(5000), milliseconds(6001), milliseconds(3600000)}) {
    Lease after = before;
    after.record.version = "10";
    after.seen_at += later;
    EXPECT_FALSE(is_mere_renewal(before, after)) << later.count();
  }
}

TEST(LinkKinds, APodsTroubleIsWhatPeopleLookFor) {
  const auto trouble = [](const char* status) {
    return decode_pod({{"metadata", {{"name", "p"}}}, {"status", Json::parse(status)}})->trouble;
  };
  EXPECT_EQ(trouble("{}"), "");
  EXPECT_EQ(trouble(R"({"phase": "Failed", "reason": "Evicted", "message": "disk pressure"})"),
            "Evicted: disk pressure");
  EXPECT_EQ(
      trouble(
          R"({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no nodes"}]})"),
      "Unschedulable: no nodes");
  EXPECT_EQ(trouble(R"({"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}]})"),
            "ImagePullBackOff");
  EXPECT_EQ(trouble(R"({"containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]})"), "");
  EXPECT_EQ(trouble(R"({"containerStatuses": [{"state": {"running": {}}}]})"), "");
}

// Whatever arrives, nothing crashes: every part of an object in turn replaced by something of another type.
TEST(LinkKinds, WrongShapesCrashNothing) {
  const Json flat = lease_json().flatten();
  for (const auto& [pointer, value] : flat.items())
    for (const Json& wrong : {Json(nullptr), Json(5), Json("x"), Json::array({1}), Json::object({{"a", 1}})}) {
      Json json = lease_json();
      json[Json::json_pointer(pointer)] = wrong;
      (void)decode_lease(json, {});
      (void)decode_pod(json);
      (void)decode_claim(json);
      (void)decode_secret(json);
      (void)decode_owned(json);
      (void)decode_link(json);
    }
  for (const char* text : {"{}", "[]", "5", "null", R"({"metadata": 5, "status": [], "spec": "x"})"}) {
    (void)decode_lease(Json::parse(text), {});
    (void)decode_pod(Json::parse(text));
    (void)decode_secret(Json::parse(text));
    (void)decode_link(Json::parse(text));
  }
}

}  // namespace
}  // namespace twinspan::controllers::testing
