// The engine's pure pieces.
#include <gtest/gtest.h>

#include "engines/s3/deletes.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/pace.hpp"
#include "engines/s3/part_plan.hpp"

namespace twinspan::s3 {
namespace {

using std::chrono::milliseconds;

constexpr const char* kMd5 = "0123456789abcdef0123456789abcdef";
constexpr const char* kOtherMd5 = "ffffffffffffffffffffffffffffffff";

Listed object(std::string etag, int64_t size) {
  Listed listed;
  listed.etag = std::move(etag);
  listed.size_bytes = size;
  return listed;
}

TEST(Etag, TellsPartsOnlyInTheFormServersUse) {
  EXPECT_EQ(etag_parts(kMd5), 0);
  EXPECT_EQ(etag_parts(std::string(kMd5) + "-1"), 1);
  EXPECT_EQ(etag_parts(std::string(kMd5) + "-10000"), 10000);
  for (const std::string& other : {std::string(), std::string("x"), std::string(kMd5) + "-", std::string(kMd5) + "-0",
                                   std::string(kMd5) + "-x", std::string(kMd5) + "1", std::string(32, 'g')})
    EXPECT_EQ(etag_parts(other), std::nullopt) << other;
}

TEST(Likeness, ComparesSizeAndEtagAndNeverTime) {
  Listed source = object(kMd5, 10), target = object(kMd5, 10);
  source.last_modified = WallTime(std::chrono::hours(100));
  EXPECT_EQ(likeness(source, target), Likeness::kEqual);
  EXPECT_EQ(likeness(source, object(kMd5, 11)), Likeness::kDifferent);
  EXPECT_EQ(likeness(source, object(kOtherMd5, 10)), Likeness::kUnsure);
  EXPECT_EQ(likeness(object(std::string(kMd5) + "-2", 10), object(kMd5, 10)), Likeness::kUnsure);
  EXPECT_EQ(likeness(object("a", 0), object("b", 0)), Likeness::kEqual);
}

TEST(PartPlan, KeepsTheSourcesParts) {
  const auto plan = plan_parts(100 * kMiB, {7, 16 * kMiB}, 64 * kMiB);
  ASSERT_TRUE(plan);
  EXPECT_EQ(*plan, (PartPlan{100 * kMiB, 16 * kMiB, 7, true}));
  EXPECT_EQ(plan->range(1).first, 0);
  EXPECT_EQ(plan->range(7).first, 96 * kMiB);
  EXPECT_EQ(plan->range(7).size_bytes, 4 * kMiB);
}

TEST(PartPlan, OneSmallPartIsKept) {
  EXPECT_EQ(*plan_parts(3, {1, 3}, kMiB), (PartPlan{3, 3, 1, true}));
  EXPECT_EQ(*plan_parts(0, {0, 0}, kMiB), (PartPlan{0, 8 * kMiB, 1, false}));
}

TEST(PartPlan, ChoosesItsOwnWhereTheSourcesCantBeKept) {
  EXPECT_FALSE(plan_parts(100 * kMiB, {0, 0}, 64 * kMiB)->as_source);               // not uploaded in parts
  EXPECT_FALSE(plan_parts(100 * kMiB, {5, 16 * kMiB}, 64 * kMiB)->as_source);       // parts of several sizes
  EXPECT_FALSE(plan_parts(100 * kMiB, {100, kMiB}, 64 * kMiB)->as_source);          // smaller than other servers allow
  EXPECT_FALSE(plan_parts(300 * kMiB, {3, 100 * kMiB}, 64 * kMiB)->as_source);      // more than memory allows
  EXPECT_FALSE(plan_parts(20000 * kMiB, {20000, 5 * kMiB}, 64 * kMiB)->as_source);  // more parts than allowed
  EXPECT_EQ(*plan_parts(100 * kMiB, {5, 16 * kMiB}, 64 * kMiB), (PartPlan{100 * kMiB, 8 * kMiB, 13, false}));
}

TEST(PartPlan, CoversEveryByteOnceWithinTheLimits) {
  for (int64_t size : {int64_t{0}, int64_t{1}, 5 * kMiB - 1, 5 * kMiB, 5 * kMiB + 1, 8 * kMiB, 80000 * kMiB - 1,
                       80000 * kMiB, 80000 * kMiB + 1, kCopyBytesMax, kObjectBytesMax - 1, kObjectBytesMax}) {
    const auto plan = plan_parts(size, {}, 16 * kMiB);
    ASSERT_TRUE(plan) << size;
    ASSERT_LE(plan->count, kPartsMax) << size;
    int64_t next = 0;
    for (int number = 1; number <= plan->count; ++number) {
      const ByteRange range = plan->range(number);
      ASSERT_EQ(range.first, next);
      if (number < plan->count) {
        ASSERT_GE(range.size_bytes, kPartBytesMin);
      }
      ASSERT_LE(range.size_bytes, kPartBytesMax);
      next += range.size_bytes;
    }
    EXPECT_EQ(next, size);
  }
  EXPECT_EQ(plan_parts(80000 * kMiB, {}, 16 * kMiB)->count, kPartsMax);  // 10,000 parts planned on paper
  EXPECT_FALSE(plan_parts(kObjectBytesMax + 1, {}, kMiB));
}

TEST(Width, GrowsAndShrinksByOneWithinItsBounds) {
  const Concurrency bounds{3, 5, 10, 100, 10};
  EXPECT_EQ(next_width(5, 101, bounds), 6);
  EXPECT_EQ(next_width(5, 100, bounds), 5);
  EXPECT_EQ(next_width(10, 1000, bounds), 10);
  EXPECT_EQ(next_width(5, 10, bounds), 5);
  EXPECT_EQ(next_width(5, 9, bounds), 4);
  EXPECT_EQ(next_width(3, 0, bounds), 3);
  EXPECT_EQ(next_width(1, 50, bounds), 3);
}

TEST(Priority, TheLongestPrefixCounts) {
  const std::vector<PriorityRule> rules{{"daily/", 100}, {"daily/tmp/", -5}, {"", 1}};
  EXPECT_EQ(priority_of("daily/a", rules), 100);
  EXPECT_EQ(priority_of("daily/tmp/a", rules), -5);
  EXPECT_EQ(priority_of("x", rules), 1);
  EXPECT_EQ(priority_of("x", {}), 0);
}

TEST(Retry, TriesNetworkErrorsLongerAndRightsNotAtAll) {
  const RetryPolicy policy;
  const Error wrong{Code::kInternal, "", false}, network{Code::kUnavailable, "", true},
      denied{Code::kDenied, "", false};
  EXPECT_EQ(retry_after(wrong, 1, policy), milliseconds(2000));
  EXPECT_EQ(retry_after(wrong, 2, policy), milliseconds(4000));
  EXPECT_EQ(retry_after(wrong, 3, policy), std::nullopt);
  EXPECT_EQ(retry_after(network, 4, policy), milliseconds(16000));
  EXPECT_EQ(retry_after(network, 5, policy), std::nullopt);
  EXPECT_EQ(retry_after(denied, 1, policy), std::nullopt);
}

TEST(Deletes, HappenOnlyWhenAskedForAndSure) {
  for (DeleteMode mode : {DeleteMode::kIgnore, DeleteMode::kReplicate})
    for (bool complete : {false, true})
      for (uint64_t source : {0u, 1u})
        for (uint64_t extra : {0u, 1u, 2u, 3u}) {
          const DeletePlan plan =
              plan_deletes({mode, 2}, {complete, source, extra, std::vector<std::string>(extra, "k")});
          const bool sure = mode == DeleteMode::kReplicate && complete && source > 0 && extra <= 2;
          EXPECT_EQ(plan.keys.size(), sure ? extra : 0);
          EXPECT_EQ(plan.withheld == DeletesWithheld::kNo, sure || mode == DeleteMode::kIgnore || extra == 0);
        }
}

class StoodClock final : public Clock {
 public:
  BootTime boot_now() const override { return now; }
  WallTime wall_now() const override { return {}; }
  BootTime now{};
};

TEST(Bandwidth, HoldsTheRateOverTime) {
  StoodClock clock;
  Bandwidth bandwidth(clock, 1000);
  int64_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    sent += 100;
    clock.now += bandwidth.take(100);
  }
  const double seconds = std::chrono::duration<double>(clock.now.time_since_epoch()).count();
  EXPECT_NEAR(seconds, (static_cast<double>(sent) - 250) / 1000, 0.01);
  EXPECT_EQ(Bandwidth(clock, 0).take(1 << 30), std::chrono::nanoseconds(0));
}

}  // namespace
}  // namespace twinspan::s3
