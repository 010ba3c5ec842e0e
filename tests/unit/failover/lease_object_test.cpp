#include "failover/lease_object.hpp"

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

TEST(LeaseObject, RefusesWhatItCannotUnderstand) {
  EXPECT_FALSE(parse_lease(Json::object()));
  for (const char* name : {"twinspan.dev/release-cause", "twinspan.dev/final-position"}) {
    Json object = object_of({"1", "", "", {1}, false, Release{"east", Cause::kShutdown, Position{1}}}, false);
    object["metadata"]["annotations"][name] = "nonsense";
    ASSERT_FALSE(parse_lease(object));
    EXPECT_NE(parse_lease(object).error().message.find(name), std::string::npos);
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

}  // namespace
}  // namespace twinspan::testing
