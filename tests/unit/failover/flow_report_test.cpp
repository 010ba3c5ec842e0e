#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "failover/flow/past.hpp"
#include "failover/flow/report.hpp"

namespace twinspan {
namespace {

using std::chrono::milliseconds;

constexpr FlowWords kWords{"bucket", "buckets", "key", "keys", "maxMissingKeys"};

PlaceSeen row(const std::string& name, Reach reach) {
  PlaceSeen seen;
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

// A worker of another version may know more reasons; that it has one is what counts.
TEST(FlowPast, AReasonThatThisVersionDoesNotKnowLeavesItUndecided) {
  const auto read = [](const char* reason) {
    return parse_flow_past({{"known", true}, {"epoch", 3}, {"reason", reason}, {"message", "why"}});
  };
  EXPECT_EQ(read("TakenOver")->reason, FlowReason::kTakenOver);
  EXPECT_EQ(read("FromTheFuture")->reason, FlowReason::kUndecided);
  EXPECT_TRUE(read("FromTheFuture")->undecided());
  EXPECT_FALSE(read("")->undecided());
}

TEST(FlowReport, SurvivesTheWayThroughJsonAndWhatIsMissingReadsAsNotKnown) {
  FlowReport report;
  report.measured_at = "2026-11-21T10:00:04.000000Z";
  report.adopted = Epoch{7};
  report.places = {row("sgp", Reach::kUnreachable), row("nyc", Reach::kReachable)};
  report.places[0].failures = 4;
  report.places[0].message = "connection refused";
  report.places[1].sync_took = milliseconds(1500);
  const auto read = parse_flow_report(to_json(report));
  ASSERT_TRUE(read);
  EXPECT_EQ(to_json(*read), to_json(report));
  EXPECT_EQ(read->places[0].failures, 4);

  const auto bare = parse_flow_report(Json::parse(R"({"endpoints": [{"name": "sgp", "missing": "3", "reach": 5}]})"));
  ASSERT_TRUE(bare);
  EXPECT_FALSE(bare->adopted.has_value());
  EXPECT_EQ(bare->places[0].reach, Reach::kUnknown);
  EXPECT_FALSE(bare->places[0].missing.has_value());
  EXPECT_FALSE(bare->places[0].writable.has_value());
  EXPECT_FALSE(bare->places[0].complete_once);
  EXPECT_FALSE(parse_flow_report(Json()).has_value());
}

TEST(FlowReport, APlaceIsThereWhereAnyWorkerReachesItAndGoneOnlyWhereNoneDoes) {
  const std::vector<Reach> by_weight{Reach::kUnknown, Reach::kUnreachable, Reach::kRefused, Reach::kReachable};
  for (size_t a = 0; a < by_weight.size(); ++a)
    for (size_t b = 0; b < by_weight.size(); ++b) {
      FlowReport one, other;
      one.places = {row("sgp", by_weight[a])};
      other.places = {row("sgp", by_weight[b])};
      EXPECT_EQ(together({"sgp"}, {one, other})[0].reach, by_weight[std::max(a, b)]);
    }
}

TEST(FlowReport, SharesAddUpAndWhatOneDoesNotKnowNobodyKnows) {
  FlowReport one, other;
  one.places = {row("nyc", Reach::kReachable)};
  other.places = {row("nyc", Reach::kReachable)};
  other.places[0].missing = 4;
  other.places[0].listed_at = "2026-11-21T08:00:00Z";
  PlaceSeen both = together({"nyc"}, {one, other})[0];
  EXPECT_EQ(both.missing, 7u);
  EXPECT_EQ(both.listed_at, "2026-11-21T08:00:00Z") << "the earliest";
  EXPECT_TRUE(both.complete_once && both.caught_up && *both.writable);
  other.places[0].missing.reset();
  other.places[0].caught_up = false;
  both = together({"nyc"}, {one, other})[0];
  EXPECT_FALSE(both.missing.has_value());
  EXPECT_FALSE(both.caught_up);
  other.places.clear();
  both = together({"nyc"}, {one, other})[0];
  EXPECT_EQ(both.reach, Reach::kUnknown) << "one worker does not know of it yet";
  EXPECT_EQ(together({"nyc"}, {})[0].reach, Reach::kUnknown);
}

TEST(FlowReport, WhatIsMissingIsSaidPlainlyWithWhatCanNotBeKnown) {
  EXPECT_EQ(missing_for_people(kWords, 3, "2026-11-21T09:00:00Z", "sgp", "nyc"),
            "3 keys are known that nyc lacks; sgp was last listed to its end at 2026-11-21T09:00:00Z: what was written "
            "later and not notified is not counted");
  EXPECT_EQ(missing_for_people(kWords, {}, "", "sgp", "nyc"),
            "how many keys nyc lacks is not known; sgp was not listed to its end by this worker");
}

}  // namespace
}  // namespace twinspan
