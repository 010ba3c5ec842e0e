#include "worker/kafka/lag_clock.hpp"

#include <gtest/gtest.h>

#include "worker/kafka/rate_meter.hpp"

namespace twinspan::worker_kafka {
namespace {

using namespace std::chrono_literals;
using kafka_engine::PartitionName;

const PartitionName kOne{"t", 0};
BootTime at(std::chrono::nanoseconds since) { return BootTime(since); }

TEST(LagClock, IsNotMeasuredBeforeBothAreKnown) {
  LagClock clock;
  EXPECT_FALSE(clock.lag(kOne, at(1s)));
  clock.heard_end(kOne, 10, at(1s));
  EXPECT_FALSE(clock.lag(kOne, at(2s)));
  clock.committed(kOne, 4);
  EXPECT_EQ(clock.lag(kOne, at(3s))->time, 2s);
  EXPECT_EQ(clock.lag(kOne, at(3s))->records, 6);
}

TEST(LagClock, IsZeroAtTheEndAndCountsFromWhenTheEndPassedThePosition_KF10) {
  LagClock clock;
  clock.committed(kOne, 10);
  clock.heard_end(kOne, 10, at(1s));
  EXPECT_EQ(clock.lag(kOne, at(100s))->time, 0s);
  EXPECT_TRUE(clock.lag(kOne, at(100s))->caught_up);
  clock.heard_end(kOne, 12, at(101s));
  EXPECT_EQ(clock.lag(kOne, at(103s))->time, 2s);
  clock.committed(kOne, 12);
  EXPECT_EQ(clock.lag(kOne, at(104s))->time, 0s);
}

// Under load the end is past the position at every look, though none of it is old.
TEST(LagClock, StaysAsShortAsItIsWhileBothGoOn) {
  LagClock clock;
  for (int second = 0; second < 1000; ++second) {
    clock.heard_end(kOne, 100 * second + 100, at(std::chrono::seconds(second)));
    clock.committed(kOne, 100 * second);
    ASSERT_LE(clock.lag(kOne, at(std::chrono::seconds(second)))->time, 1s) << second;
    ASSERT_EQ(clock.lag(kOne, at(std::chrono::seconds(second)))->records, 100);
  }
}

TEST(LagClock, KeepsLittleAndNeverSaysLessThanItIs) {
  LagClock clock;
  clock.committed(kOne, 0);
  for (int second = 0; second < 10000; ++second) clock.heard_end(kOne, second + 1, at(std::chrono::seconds(second)));
  for (int position = 0; position < 10000; position += 97) {
    clock.committed(kOne, position);
    ASSERT_GE(clock.lag(kOne, at(10000s))->time, std::chrono::seconds(10000 - position));
  }
  clock.committed(kOne, 10000);
  EXPECT_EQ(clock.lag(kOne, at(10001s))->time, 0s);
}

TEST(LagClock, AnEndThatWentBackIsNotAwaited) {
  LagClock clock;
  clock.committed(kOne, 5);
  clock.heard_end(kOne, 9, at(1s));
  clock.heard_end(kOne, 5, at(2s));
  EXPECT_EQ(clock.lag(kOne, at(9s))->time, 0s);
  EXPECT_EQ(clock.lag(kOne, at(9s))->records, 0);
}

TEST(LagClock, CaughtUpOnlyOnceItWasAtTheEndThatWasHeardFirst) {
  LagClock clock;
  clock.committed(kOne, 5);
  clock.heard_end(kOne, 9, at(1s));
  EXPECT_FALSE(clock.lag(kOne, at(1s))->caught_up);
  clock.committed(kOne, 9);
  clock.heard_end(kOne, 90, at(2s));
  EXPECT_TRUE(clock.lag(kOne, at(2s))->caught_up);
}

TEST(RateMeter, IsOfTheLastTenSeconds) {
  RateMeter meter;
  EXPECT_FALSE(meter.rates());
  for (int second = 0; second <= 60; ++second) {
    const int64_t sum = second <= 30 ? 0 : (second - 30) * 100;
    meter.add(sum, 2 * sum, at(std::chrono::seconds(second)));
  }
  EXPECT_DOUBLE_EQ(meter.rates()->records_per_second, 100);
  EXPECT_DOUBLE_EQ(meter.rates()->bytes_per_second, 200);
}

}  // namespace
}  // namespace twinspan::worker_kafka
