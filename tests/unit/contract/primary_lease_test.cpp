#include "contract/primary_lease.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan::testing {
namespace {

Json object_of(const LeaseRecord& record, bool acquisition, Json before = Json::object()) {
  before.merge_patch(lease_patch(record, std::chrono::seconds(5), WallTime{}, acquisition));
  return before;
}

TEST(LeaseObject, ReadsBackWhatItWrites) {
  LeaseRecord held{"12", "east", "uid-1-abc", {4}, true, std::nullopt};
  const Json object = object_of(held, true);
  ASSERT_TRUE(parse_lease(object));
  EXPECT_EQ(parse_lease(object)->record, held);
  EXPECT_EQ(parse_lease(object)->duration, std::chrono::seconds(5));
  EXPECT_EQ(object["spec"]["holderIdentity"], "east/uid-1-abc");
  LeaseRecord released{"13", "", "", {4}, true, Release{"east", Cause::kSwitchover, Position{0x3000148}}};
  const Json after = object_of(released, false, object);
  EXPECT_EQ(parse_lease(after)->record, released);
  EXPECT_EQ(after["metadata"]["annotations"]["twinspan.dev/final-position"], "0/3000148");
  // The next acquisition says nothing of it any more, and is not promoted.
  const Json next = object_of({"14", "west", "uid-2", {5}, false, std::nullopt}, true, after);
  EXPECT_TRUE(next["metadata"]["annotations"].empty()) << next.dump();
  EXPECT_EQ(next["metadata"]["resourceVersion"], "14");
}

TEST(LeaseObject, SaysHowFarItsHoldersLogWentInItsOwnEpoch) {
  LeaseRecord record{"12", "east", "uid-1", {4}, true, std::nullopt};
  record.end = Position{0x3000148};
  Json object = object_of(record, false);
  EXPECT_EQ(object["metadata"]["annotations"]["twinspan.dev/position"], "4 0/3000148");
  EXPECT_EQ(parse_lease(object)->record, record);
  record.end.reset();  // not known for once: what was said stays
  EXPECT_EQ(parse_lease(object_of(record, false, object))->record.end, Position{0x3000148});
  object["spec"]["holderIdentity"] = "";  // by hand: its last holder had that much
  EXPECT_EQ(parse_lease(object)->record.end, Position{0x3000148});
  object["spec"]["leaseTransitions"] = 5;
  EXPECT_FALSE(parse_lease(object)->record.end);
  object["metadata"]["annotations"]["twinspan.dev/promoted"] = "5";
  EXPECT_FALSE(parse_lease(object)->record.end) << "said of the epoch before";
  for (const char* nonsense : {"5 ", "5", "5 east", "5 0/0/0", ""}) {
    object["metadata"]["annotations"]["twinspan.dev/position"] = nonsense;
    ASSERT_TRUE(parse_lease(object));
    EXPECT_FALSE(parse_lease(object)->record.end) << nonsense;
  }
}

// A newer program's cause, or a hand's: readable by everybody as a lease that nobody released, and has to stand.
TEST(LeaseObject, AReleaseThatIsNotUnderstoodIsNone) {
  EXPECT_FALSE(parse_lease(Json::object()));
  for (const char* name : {"twinspan.dev/release-cause", "twinspan.dev/final-position"}) {
    Json object = object_of({"1", "", "", {1}, true, Release{"east", Cause::kShutdown, Position{1}}}, false);
    object["metadata"]["annotations"][name] = "Newer";
    const auto lease = parse_lease(object);
    ASSERT_TRUE(lease) << name;
    EXPECT_EQ(lease->record, (LeaseRecord{"1", "", "", {1}, true, std::nullopt})) << name;
  }
  const auto empty = parse_lease({{"metadata", {{"resourceVersion", "1"}}}, {"spec", {{"leaseTransitions", 0}}}});
  ASSERT_TRUE(empty);
  EXPECT_FALSE(empty->record.held());
}

TEST(LeaseObject, PromotedCountsInItsOwnEpochOnly) {
  Json object = object_of({"12", "east", "uid-1", {4}, true, std::nullopt}, true);
  object["spec"]["leaseTransitions"] = 5;
  EXPECT_FALSE(parse_lease(object)->record.promoted);
}

// Leases as they are in clusters: this text is never to follow a change of the program.
TEST(LeaseObject, ReadsWhatEarlierVersionsWrote) {
  const auto held = parse_lease(Json::parse(R"({
    "metadata": {"resourceVersion": "812", "annotations": {"twinspan.dev/promoted": "4"}},
    "spec": {"holderIdentity": "west/uid-1-abc", "leaseTransitions": 4, "leaseDurationSeconds": 5,
             "renewTime": "2026-11-01T03:00:00.000000Z", "acquireTime": "2026-11-01T02:00:00.000000Z"}})"));
  ASSERT_TRUE(held) << held.error().message;
  EXPECT_EQ(held->record, (LeaseRecord{"812", "west", "uid-1-abc", {4}, true, std::nullopt}));
  EXPECT_EQ(held->duration, std::chrono::seconds(5));
  const auto released = parse_lease(Json::parse(R"({
    "metadata": {"resourceVersion": "813", "annotations": {
      "twinspan.dev/promoted": "4", "twinspan.dev/epochs": "4 1:0/0,4:0/3000148", "twinspan.dev/released-by": "west",
      "twinspan.dev/release-cause": "Switchover", "twinspan.dev/final-position": "0/5000148"}},
    "spec": {"holderIdentity": "", "leaseTransitions": 4, "leaseDurationSeconds": 5}})"));
  ASSERT_TRUE(released) << released.error().message;
  EXPECT_FALSE(released->record.held());
  EXPECT_EQ(released->record.release, (Release{"west", Cause::kSwitchover, Position{0x5000148}}));
}

// A lease that a hand wrote holds up nobody for longer than a policy can ask for, and never is over before it began.
TEST(LeaseObject, IsBelievedForAsLongAsAPolicyCanAskFor) {
  const auto duration_of = [](int64_t seconds) {
    return parse_lease({{"metadata", {{"resourceVersion", "1"}}},
                        {"spec", {{"holderIdentity", "west/uid"}, {"leaseDurationSeconds", seconds}}}})
        ->duration;
  };
  for (const int64_t seconds : {0, 1, 5, 299, 300}) EXPECT_EQ(duration_of(seconds), std::chrono::seconds(seconds));
  for (const int64_t seconds : {int64_t{301}, int64_t{63'072'000}, int64_t{INT32_MAX}})
    EXPECT_EQ(duration_of(seconds), std::chrono::seconds(300));
  for (const int64_t seconds : {int64_t{-1}, int64_t{INT32_MIN}})
    EXPECT_EQ(duration_of(seconds), std::chrono::seconds(0));
}

}  // namespace
}  // namespace twinspan::testing
