#include "kube/lease.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/unchanged.hpp"

namespace twinspan::kube {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Lease, TakingCountsAndRenewingDoesNot) {
  Json lease = {{"metadata", {{"name", "orders-s3-1"}, {"resourceVersion", "7"}}}};
  change_lease(lease, LeaseChange::kTake, "a", milliseconds(14001), WallTime{});
  EXPECT_EQ(lease["spec"]["leaseTransitions"], 0) << "a lease that is made counts nobody before";
  EXPECT_EQ(lease["spec"]["leaseDurationSeconds"], 15) << "never promised for less than it is held";
  EXPECT_EQ(lease["metadata"]["resourceVersion"], "7") << "the precondition";
  const Json taken = lease["spec"];
  change_lease(lease, LeaseChange::kRenew, "a", seconds(15), WallTime{seconds(60)});
  EXPECT_EQ(lease["spec"]["leaseTransitions"], 0);
  EXPECT_EQ(lease["spec"]["acquireTime"], taken["acquireTime"]);
  EXPECT_NE(lease["spec"]["renewTime"], taken["renewTime"]);
  change_lease(lease, LeaseChange::kTake, "b", seconds(15), WallTime{seconds(90)});
  EXPECT_EQ(lease["spec"]["leaseTransitions"], 1);
  EXPECT_EQ(said_of(lease).holder, "b");
  EXPECT_EQ(said_of(lease).duration, seconds(15));
}

TEST(Lease, ReleasedItNeedNotBeWaitedFor) {
  Json lease = {{"spec", {{"holderIdentity", "a"}, {"leaseDurationSeconds", 15}, {"leaseTransitions", 3}}}};
  change_lease(lease, LeaseChange::kRelease, "a", seconds(15), WallTime{});
  EXPECT_EQ(said_of(lease).holder, "");
  EXPECT_EQ(said_of(lease).duration, seconds(1));
  EXPECT_EQ(lease["spec"]["leaseTransitions"], 3);
}

TEST(Lease, OnlyItsHoldersReleaseFreesItAtOnce) {
  const seconds usual(15);
  EXPECT_EQ(may_be_held_for(false, seconds(1), usual), seconds(0));
  for (const int said : {0, 1, 5, 15}) EXPECT_EQ(may_be_held_for(true, seconds(said), usual), usual) << said;
  for (const int said : {0, 5, 15}) EXPECT_EQ(may_be_held_for(false, seconds(said), usual), usual) << said;
  for (const bool held : {false, true}) EXPECT_EQ(may_be_held_for(held, seconds(40), usual), seconds(40));
}

TEST(Lease, SaysNothingWhereNothingIsWritten) {
  for (const Json& lease : {Json::object(), Json{{"spec", nullptr}}, Json{{"spec", {{"holderIdentity", 3}}}}}) {
    EXPECT_EQ(said_of(lease).holder, "");
    EXPECT_EQ(said_of(lease).duration, seconds(0));
  }
}

// Answers of the release, whether it is still ours, and how often it is asked for.
TEST(Lease, AReleaseThatConflictsIsRepeatedOnceWhereItIsStillOurs) {
  struct Case {
    std::vector<std::optional<Code>> answers;
    bool ours;
    int asked;
    bool released;
  };
  for (const Case& one : {Case{{std::nullopt}, true, 1, true}, Case{{Code::kConflict, std::nullopt}, true, 2, true},
                          Case{{Code::kConflict, Code::kConflict}, true, 2, false},
                          Case{{Code::kConflict}, false, 1, false}, Case{{Code::kUnavailable}, true, 1, false}}) {
    int asked = 0;
    const Status done = release_lease(
        [&]() -> Status {
          const auto answer = one.answers.at(static_cast<size_t>(asked++));
          if (answer) return fail(*answer, "no");
          return {};
        },
        [&] { return one.ours; });
    EXPECT_EQ(asked, one.asked);
    EXPECT_EQ(done.has_value(), one.released);
  }
}

TEST(Unchanged, TimeGoesOnWhileTheVersionIsTheSame) {
  const BootTime start{seconds(100)};
  Unchanged seen;
  EXPECT_FALSE(seen.stood(seconds(0), start)) << "never observed is not stood";
  EXPECT_TRUE(seen.observe("7", start));
  EXPECT_FALSE(seen.observe("7", start + seconds(4)));
  EXPECT_FALSE(seen.stood(seconds(5), start + milliseconds(4999)));
  EXPECT_TRUE(seen.stood(seconds(5), start + seconds(5)));
  EXPECT_TRUE(seen.observe("8", start + seconds(6)));
  EXPECT_FALSE(seen.stood(seconds(5), start + seconds(10)));
  EXPECT_TRUE(seen.observe("", start + seconds(20))) << "an answer without a version proves nothing to be unchanged";
  EXPECT_TRUE(seen.observe("", start + seconds(21)));
  seen.forget();
  EXPECT_FALSE(seen.stood(seconds(0), start + seconds(99)));
  EXPECT_TRUE(seen.observe("8", start + seconds(99))) << "what was forgotten begins anew";
}

}  // namespace
}  // namespace twinspan::kube
