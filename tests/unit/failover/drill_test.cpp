#include "failover/flow/drill.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

const WallTime kNow = *parse_rfc3339("2026-11-01T03:00:30Z");

DrillSeen seen() {
  DrillSeen seen;
  seen.now = kNow;
  seen.scheduled_since = kNow - std::chrono::hours(24 * 40);
  seen.steady = true;
  seen.primary = "sgp";
  seen.targets = {"nyc", "fra"};
  seen.failover_possible = true;
  seen.why = "nyc would take over; 0 keys";
  return seen;
}

Drill running() { return {"one", to_rfc3339_micro(kNow - minutes(1)), DrillOutcome::kRunning}; }

TEST(Drills, BeginByTheAnnotationOnceForEachValue) {
  DrillSeen at = seen();
  EXPECT_FALSE(next_drill(at));
  at.asked = "one";
  const auto begun = next_drill(at);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->outcome, DrillOutcome::kRunning);
  EXPECT_EQ(begun->request, "one");
  at.last = begun;
  at.last->outcome = DrillOutcome::kFailed;
  EXPECT_EQ(next_drill(at), at.last) << "the same value is not acted upon again";
  at.asked = "two";
  EXPECT_EQ(next_drill(at)->request, "two");
  at.steady = false;
  EXPECT_EQ(next_drill(at), at.last) << "not while the primary changes, and not forgotten";
}

TEST(Drills, BeginByTheScheduleOnceForEachTimeItNames) {
  DrillSeen at = seen();
  at.schedule = *parse_cron("0 3 1 * *");
  auto begun = next_drill(at);
  ASSERT_TRUE(begun);
  EXPECT_EQ(begun->request, "");
  begun->outcome = DrillOutcome::kPassed;
  at.last = begun;
  at.now += minutes(5);
  EXPECT_EQ(next_drill(at)->requested_at, begun->requested_at);
  at.now += std::chrono::hours(24 * 30);
  EXPECT_NE(next_drill(at)->requested_at, begun->requested_at);
  at.last.reset();
  at.now = kNow;
  at.scheduled_since = kNow - std::chrono::seconds(10);  // a policy of after three o'clock
  EXPECT_FALSE(next_drill(at));
  at.last = {"asked before", to_rfc3339_micro(kNow - std::chrono::hours(50)), DrillOutcome::kPassed};
  at.scheduled_since = kNow - std::chrono::hours(100);
  EXPECT_EQ(next_drill(at)->request, "asked before") << "what was answered stays answered";
}

TEST(Drills, PassWhenItArrivedEverywhereAndAFailoverWouldSucceed) {
  DrillSeen at = seen();
  at.last = running();
  EXPECT_EQ(next_drill(at), at.last) << "nobody has said anything";
  at.reports = {{at.last->requested_at, false, {}}};
  EXPECT_EQ(next_drill(at), at.last);
  at.reports = {{"another", true, {{"nyc", milliseconds(5), ""}, {"fra", milliseconds(5), ""}}}};
  EXPECT_EQ(next_drill(at), at.last) << "of another rehearsal";
  at.reports = {{at.last->requested_at, true, {{"nyc", milliseconds(80), ""}, {"fra", milliseconds(812), ""}}}};
  at.failover_possible.reset();
  EXPECT_EQ(next_drill(at)->outcome, DrillOutcome::kRunning) << "what is unknown is waited for";
  at.failover_possible = true;
  const auto passed = next_drill(at);
  EXPECT_EQ(passed->outcome, DrillOutcome::kPassed);
  EXPECT_EQ(passed->arrival, milliseconds(812));
  EXPECT_EQ(passed->message,
            "an object written to sgp was given back by nyc, fra after 812 ms; nyc would take over; 0 keys");
  EXPECT_EQ(passed->finished_at, to_rfc3339_micro(kNow));
}

TEST(Drills, FailWithTheReasonNamed) {
  const auto outcome = [](const auto& change) {
    DrillSeen at = seen();
    at.last = running();
    at.reports = {{at.last->requested_at, true, {{"nyc", milliseconds(80), ""}, {"fra", milliseconds(9), ""}}}};
    change(at);
    const auto next = next_drill(at);
    EXPECT_EQ(next->outcome, DrillOutcome::kFailed);
    EXPECT_FALSE(next->finished_at.empty());
    return next->message;
  };
  EXPECT_EQ(outcome([](DrillSeen& at) { at.reports[0].arrivals.pop_back(); }), "nothing is said of fra");
  EXPECT_EQ(outcome([](DrillSeen& at) {
              at.reports[0].arrivals[1] = {"fra", std::nullopt, "it is full"};
            }),
            "fra: it is full");
  EXPECT_EQ(outcome([](DrillSeen& at) { at.reports[0].arrivals[0].error = "could not be removed again"; }),
            "nyc: could not be removed again");
  EXPECT_NE(outcome([](DrillSeen& at) {
              at.failover_possible = false;
              at.why = "nyc is not writable";
            }).find("no failover would succeed: nyc is not writable"),
            std::string::npos);
  EXPECT_NE(outcome([](DrillSeen& at) { at.steady = false; }).find("broken off"), std::string::npos);
  EXPECT_NE(outcome([](DrillSeen& at) {
              at.reports.clear();
              at.now += minutes(10);
            }).find("no worker has told"),
            std::string::npos);
}

TEST(Drills, ReportsAreReadBackAsTheyWereWritten) {
  const RehearsalReport report{
      "2026-11-01T03:00:30.000000Z", true, {{"nyc", milliseconds(80), ""}, {"fra", std::nullopt, "it is full"}}};
  EXPECT_EQ(parse_rehearsal_report(to_json(report)), report);
  EXPECT_FALSE(parse_rehearsal_report(Json()));
  EXPECT_FALSE(parse_rehearsal_report(Json::array()));
}

}  // namespace
}  // namespace twinspan
