#include "failover/lease.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

BootTime at(milliseconds time) { return BootTime(std::chrono::hours(5) + time); }

TEST(LeaseTenure, IsCountedFromWhenTheRenewalWasSent) {
  LeaseTenure tenure({seconds(5), seconds(1), seconds(1)}, Epoch{3}, at(milliseconds(0)));
  EXPECT_FALSE(tenure.expired(at(milliseconds(3999))));
  EXPECT_TRUE(tenure.expired(at(milliseconds(4000))));
  tenure.renewed(at(milliseconds(1000)));
  EXPECT_FALSE(tenure.expired(at(milliseconds(4999))));
  EXPECT_TRUE(tenure.expired(at(milliseconds(5000))));
  EXPECT_EQ(tenure.renew_at(), at(milliseconds(2000)));
}

TEST(LeaseTenure, AnAnswerThatComesLateNeverShortensIt) {
  LeaseTenure tenure({seconds(5), seconds(1), seconds(1)}, Epoch{3}, at(milliseconds(0)));
  tenure.renewed(at(milliseconds(2000)));
  tenure.renewed(at(milliseconds(1000)));
  EXPECT_EQ(tenure.fence_at(), at(milliseconds(6000)));
}

LeaseRecord held(const std::string& version) {
  LeaseRecord record;
  record.version = version;
  record.holder_endpoint = "east";
  record.epoch = {1};
  return record;
}

TEST(LeaseObservation, MayBeTakenOnlyAfterItStoodUnchangedForItsWholeDuration) {
  LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
  EXPECT_FALSE(seen.may_be_taken(at(seconds(100)))) << "nothing was observed yet";
  seen.observe(held("7"), at(seconds(0)));
  seen.observe(held("7"), at(seconds(3)));  // the same record read again changes nothing
  EXPECT_FALSE(seen.may_be_taken(at(milliseconds(4999))));
  EXPECT_TRUE(seen.may_be_taken(at(seconds(5))));
  seen.observe(held("8"), at(seconds(5)));
  EXPECT_FALSE(seen.may_be_taken(at(seconds(9))));
}

TEST(LeaseObservation, AReleasedLeaseMayBeTakenAtOnce) {
  LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
  LeaseRecord record = held("7");
  record.holder_endpoint.clear();
  seen.observe(record, at(seconds(0)));
  EXPECT_TRUE(seen.may_be_taken(at(seconds(0))));
}

TEST(LeaseObservation, ForgettingMeansWaitingAFullDurationAgain) {
  LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
  seen.observe(held("7"), at(seconds(0)));
  seen.forget();
  EXPECT_FALSE(seen.may_be_taken(at(seconds(9))));
  seen.observe(held("7"), at(seconds(9)));
  EXPECT_FALSE(seen.may_be_taken(at(seconds(13))));
  EXPECT_TRUE(seen.may_be_taken(at(seconds(14))));
}

}  // namespace
}  // namespace twinspan
