#include "worker/postgres/restart_turn.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::vector<std::string> kMembers{"east", "west", "west-2", "west-3"};

Desired of(const std::string& endpoint) {
  Desired desired;
  desired.settings.endpoint = endpoint;
  for (const std::string& name : kMembers) {
    desired.froms[name] = "";
    desired.streams[name] = true;
  }
  return desired;
}

// Restarts everybody by the rule. A restart takes `down`, and the link's status says so from `late` after its begin to
// `late` after its end.
struct Course {
  std::vector<std::string> order;
  bool two_at_once = false;
};
Course run(const std::string& primary, milliseconds down, milliseconds late) {
  Course course;
  std::map<std::string, RestartTurn> turns;
  std::map<std::string, milliseconds> began;
  for (milliseconds now{0}; now < seconds(120); now += milliseconds(100)) {
    int are_down = 0;
    for (const auto& [name, at] : began) are_down += now < at + down;
    course.two_at_once = course.two_at_once || are_down > 1;
    for (const std::string& name : kMembers) {
      if (began.contains(name)) continue;
      Desired desired = of(name);
      bool followed = true;
      for (const auto& [other, at] : began) {
        desired.streams[other] = !(now >= at + late && now < at + down + late);
        followed = followed && now >= at + down;
      }
      if (!turns[name].has(desired, primary, followed, BootTime(now))) continue;
      began[name] = now;
      course.order.push_back(name);
    }
  }
  return course;
}

TEST(RestartTurn, MembersRestartOneAfterAnotherAndThePrimaryLast) {
  for (const std::string& primary : kMembers)
    for (const milliseconds down : {milliseconds(300), milliseconds(1000), milliseconds(9000)})
      for (const milliseconds late : {milliseconds(0), milliseconds(700), milliseconds(2000)}) {
        const Course course = run(primary, down, late);
        EXPECT_FALSE(course.two_at_once) << primary << " " << down.count() << " " << late.count();
        ASSERT_EQ(course.order.size(), kMembers.size());
        EXPECT_EQ(course.order.back(), primary);
      }
}

TEST(RestartTurn, AReplicaThatIsGoneIsWaitedForAndNotForEver) {
  Desired desired = of("west-2");
  desired.streams["west-3"] = false;
  RestartTurn turn;
  EXPECT_FALSE(turn.has(desired, "east", true, BootTime(seconds(100))));
  EXPECT_FALSE(turn.has(desired, "east", true, BootTime(seconds(159))));
  EXPECT_TRUE(turn.has(desired, "east", true, BootTime(seconds(163))));
  turn.reset();
  desired.streams.erase("west-3");  // nothing is known of it
  EXPECT_FALSE(turn.has(desired, "east", true, BootTime(seconds(200))));
  EXPECT_FALSE(turn.has(desired, "east", true, BootTime(seconds(259))));
}

TEST(RestartTurn, WhoTriesSettingsWaitsForNobody) {
  Desired desired = of("west-3");
  desired.streams["west"] = false;
  desired.attempt = "3/2026-11-21T10:00:00Z";
  EXPECT_TRUE(RestartTurn().has(desired, "east", true, BootTime(seconds(1))));
}

TEST(RestartTurn, ALonePrimaryWaitsForNobody) {
  Desired desired;
  desired.settings.endpoint = "east";
  desired.froms["east"] = "";
  EXPECT_TRUE(RestartTurn().has(desired, "east", true, BootTime(seconds(1))));
}

}  // namespace
}  // namespace twinspan::worker
