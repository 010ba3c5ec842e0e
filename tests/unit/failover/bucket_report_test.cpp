#include "failover/bucket_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

using std::chrono::milliseconds;

BucketSeen row(const std::string& name, Reach reach) {
  BucketSeen seen;
  seen.name = name;
  seen.reach = reach;
  seen.reach_for = milliseconds(4000);
  seen.since = "2026-11-21T10:00:00Z";
  seen.writable = true;
  seen.complete_once = seen.caught_up = true;
  seen.missing = 3;
  seen.listed_at = "2026-11-21T09:00:00Z";
  return seen;
}

TEST(BucketReport, SurvivesTheWayThroughJsonAndWhatIsMissingReadsAsNotKnown) {
  BucketReport report;
  report.measured_at = "2026-11-21T10:00:04.000000Z";
  report.adopted = Epoch{7};
  report.buckets = {row("sgp", Reach::kUnreachable), row("nyc", Reach::kReachable)};
  report.buckets[0].failures = 4;
  report.buckets[0].message = "connection refused";
  report.buckets[1].sync_took = milliseconds(1500);
  const auto read = parse_bucket_report(to_json(report));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), to_json(report));
  EXPECT_EQ(read->buckets[0].failures, 4);

  const auto bare = parse_bucket_report(Json::parse(R"({"endpoints": [{"name": "sgp", "missing": "3", "reach": 5}]})"));
  ASSERT_TRUE(bare);
  EXPECT_FALSE(bare->adopted.has_value());
  EXPECT_EQ(bare->buckets[0].reach, Reach::kUnknown);
  EXPECT_FALSE(bare->buckets[0].missing.has_value());
  EXPECT_FALSE(bare->buckets[0].writable.has_value());
  EXPECT_FALSE(bare->buckets[0].complete_once);
  EXPECT_FALSE(parse_bucket_report(Json()).has_value());
}

TEST(BucketReport, ABucketIsThereWhereAnyWorkerReachesItAndGoneOnlyWhereNoneDoes) {
  const std::vector<Reach> by_weight{Reach::kUnknown, Reach::kUnreachable, Reach::kRefused, Reach::kReachable};
  for (size_t a = 0; a < by_weight.size(); ++a)
    for (size_t b = 0; b < by_weight.size(); ++b) {
      BucketReport one, other;
      one.buckets = {row("sgp", by_weight[a])};
      other.buckets = {row("sgp", by_weight[b])};
      EXPECT_EQ(together({"sgp"}, {one, other})[0].reach, by_weight[std::max(a, b)]);
    }
}

TEST(BucketReport, SharesAddUpAndWhatOneDoesNotKnowNobodyKnows) {
  BucketReport one, other;
  one.buckets = {row("nyc", Reach::kReachable)};
  other.buckets = {row("nyc", Reach::kReachable)};
  other.buckets[0].missing = 4;
  other.buckets[0].listed_at = "2026-11-21T08:00:00Z";
  BucketSeen both = together({"nyc"}, {one, other})[0];
  EXPECT_EQ(both.missing, 7u);
  EXPECT_EQ(both.listed_at, "2026-11-21T08:00:00Z") << "the earliest";
  EXPECT_TRUE(both.complete_once && both.caught_up && *both.writable);
  other.buckets[0].missing.reset();
  other.buckets[0].caught_up = false;
  both = together({"nyc"}, {one, other})[0];
  EXPECT_FALSE(both.missing.has_value());
  EXPECT_FALSE(both.caught_up);
  other.buckets.clear();
  both = together({"nyc"}, {one, other})[0];
  EXPECT_EQ(both.reach, Reach::kUnknown) << "one worker does not know of it yet";
  EXPECT_EQ(together({"nyc"}, {})[0].reach, Reach::kUnknown);
}

TEST(BucketReport, WhatIsMissingIsSaidPlainlyWithWhatCanNotBeKnown) {
  EXPECT_EQ(missing_for_people(3, "2026-11-21T09:00:00Z", "sgp", "nyc"),
            "3 keys are known that nyc lacks; sgp was last listed to its end at 2026-11-21T09:00:00Z: what was written "
            "later and not notified is not counted");
  EXPECT_EQ(missing_for_people({}, "", "sgp", "nyc"),
            "how many keys nyc lacks is not known; sgp was not listed to its end by this worker");
}

}  // namespace
}  // namespace twinspan
