#include "controllers/backup/test_decide.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "api/conditions.hpp"
#include "contract/restore_test.hpp"
#include "controllers/backup/proof_times.hpp"

namespace twinspan::controllers {
namespace {

using api::TestOutcome;
using std::chrono::hours, std::chrono::minutes, std::chrono::seconds;
using Outcome = RestoreTestResult::Outcome;

WallTime at(const char* text) { return *parse_rfc3339(text); }

// A schedule, what the link's status names, and a cluster that makes and removes pods as it is told.
struct Tests {
  api::BackupSchedule schedule;
  std::optional<api::TestAssignment> obeyed;
  std::optional<TestPod> pod;
  bool in_force = true;
  WallTime now = at("2026-11-29T04:00:00Z");

  explicit Tests(const char* cron = "0 5 * * *") {
    schedule.metadata.name = "orders";
    api::BackupVerification verification;
    verification.schedule = cron;
    verification.restore_test.emplace().queries = {"SELECT 1"};
    schedule.spec.verification = verification;
    complete("20261128-020000F");
    schedule.status.timeline = 3;
  }
  void complete(const char* label) {
    api::LastBackup last;
    last.label = label;
    last.stanza = "orders-1-77";
    schedule.status.last = last;
  }
  TestLook look(api::BackupScheduleStatus& status) const {
    TestSeen seen;
    seen.schedule = &schedule;
    seen.in_force = in_force;
    seen.under_way = obeyed;
    seen.pod = obeyed ? pod : std::nullopt;
    seen.stanza = "orders-1-77";
    seen.now = now;
    TestLook decided = decide_test(seen, status);
    tell_verified(schedule, status, now);
    return decided;
  }
  // All writes of one look. `written`: how many of them come through, in their order: link, schedule, pod.
  TestLook step(int written = 3) {
    api::BackupScheduleStatus status = schedule.status;
    const TestLook look = this->look(status);
    if (written < 1) return look;
    if (obeyed && (!look.assignment || look.assignment->asked != obeyed->asked)) pod.reset();
    obeyed = look.assignment;
    if (written < 2) return look;
    schedule.status = status;
    if (written < 3 || !look.make_pod || pod) return look;
    pod.emplace().asked = obeyed->asked;
    return look;
  }
  void run_pod() { pod->begun = true; }
  void end_pod(Outcome outcome, const std::string& message = "words") {
    pod->begun = pod->ended = true;
    pod->succeeded = outcome == Outcome::kPassed;
    pod->said = to_text({obeyed->asked, outcome, 77, message});
  }
  void begin() {  // up to a pod that runs
    step();
    now = at("2026-11-29T05:00:01Z");
    step();
    step();
    ASSERT_TRUE(pod);
    run_pod();
  }
  const api::VerifiedStatus& verified() const { return *schedule.status.verified; }
  const api::Condition* condition() const { return api::find_condition(schedule.status.conditions, "Verified"); }
};

TEST(TestDecide, OneIsBegunWhenItIsDueAndItsPodComesAfterBothStatuses) {
  Tests tests;
  EXPECT_FALSE(tests.step().assignment) << "asked for from now on";
  EXPECT_EQ(tests.verified().restored_due, "2026-11-29T04:00:00Z");
  EXPECT_EQ(tests.condition()->status, api::ConditionStatus::kUnknown);
  tests.now = at("2026-11-29T05:00:01Z");
  const TestLook begun = tests.step();
  ASSERT_TRUE(begun.assignment);
  EXPECT_FALSE(begun.make_pod);
  EXPECT_EQ(begun.assignment->label, "20261128-020000F");
  EXPECT_EQ(begun.assignment->timeline, 3);
  EXPECT_EQ(begun.assignment->queries, std::vector<std::string>{"SELECT 1"});
  EXPECT_EQ(tests.verified().restored_due, "2026-11-29T05:00:00Z");
  EXPECT_EQ(tests.verified().restored, TestOutcome::kRunning);
  EXPECT_TRUE(tests.step().make_pod);
  EXPECT_FALSE(tests.step().make_pod);
  tests.run_pod();
  tests.now += hours(3);
  tests.step();
  EXPECT_EQ(tests.verified().restored, TestOutcome::kRunning);
  tests.end_pod(Outcome::kPassed);
  const TestLook ended = tests.step();
  EXPECT_EQ(ended.proven, "20261128-020000F");
  EXPECT_EQ(tests.verified().restored, TestOutcome::kPassed);
  EXPECT_EQ(tests.verified().restored_seconds, 77);
  EXPECT_EQ(tests.verified().restored_at, to_rfc3339(tests.now));
  EXPECT_EQ(tests.condition()->status, api::ConditionStatus::kTrue);
  EXPECT_TRUE(tests.obeyed) << "until its end is written";
  EXPECT_FALSE(tests.step().proven);
  EXPECT_FALSE(tests.obeyed || tests.pod);
  for (; tests.now < at("2026-11-30T05:00:00Z"); tests.now += minutes(7)) EXPECT_FALSE(tests.step().assignment);
  tests.now = at("2026-11-30T05:00:00Z");
  EXPECT_TRUE(tests.step().assignment);
}

// Whoever is stopped between two writes: the test is begun once, has one pod, and its answer counts once it is heard.
TEST(TestDecide, ARestartBetweenAnyTwoWritesLosesNothing) {
  for (int cut = 0; cut < 3; ++cut)
    for (int when = 0; when < 4; ++when) {
      Tests tests;
      tests.step();
      tests.now = at("2026-11-29T05:00:01Z");
      int made = 0;
      for (int look = 0; look < 12; ++look, tests.now += seconds(1)) {
        const bool had = tests.pod.has_value();
        tests.step(look == when ? cut : 3);
        if (!had && tests.pod) ++made;
        if (tests.pod && look >= 6 && !tests.pod->ended) tests.end_pod(Outcome::kPassed);
      }
      EXPECT_EQ(tests.verified().restored, TestOutcome::kPassed) << cut << " " << when;
      EXPECT_EQ(made, 1) << cut << " " << when;
      EXPECT_FALSE(tests.pod || tests.obeyed);
    }
}

// Whatever becomes of its pod, a test ends; and only a pod that ended well, never started again, with the answer to
// this very order, is a pass.
TEST(TestDecide, EveryEndOfAPodIsAnEndOfItsTest) {
  for (const bool succeeded : {false, true})
    for (const bool its : {false, true})
      for (const int64_t restarts : {0, 1})
        for (const bool terminating : {false, true})
          for (const std::optional<Outcome> said :
               {std::optional<Outcome>(), {Outcome::kPassed}, {Outcome::kFailed}, {Outcome::kMoved}}) {
            Tests tests;
            tests.begin();
            if (said) tests.end_pod(*said);
            tests.pod->ended = true;
            tests.pod->succeeded = succeeded;
            tests.pod->restarts = restarts;
            tests.pod->terminating = terminating;
            if (!its && said) tests.pod->said = to_text({"2026-01-01T00:00:00Z", *said, 1, ""});
            tests.step();
            const bool passed = succeeded && its && restarts == 0 && !terminating && said == Outcome::kPassed;
            EXPECT_EQ(tests.verified().restored, passed ? TestOutcome::kPassed : TestOutcome::kFailed);
            EXPECT_EQ(tests.verified().restored_at.has_value(), passed);
            tests.step();
            EXPECT_FALSE(tests.pod || tests.obeyed);
          }
}

TEST(TestDecide, NoTestRunsForEver) {
  struct Case {
    const char* name;
    std::function<void(Tests&)> happens;
    minutes within;
  };
  for (const Case& one : std::vector<Case>{
           {"it hangs", [](Tests&) {}, minutes(24 * 60 + 1)},
           {"never starts", [](Tests& tests) { tests.pod->begun = false; }, minutes(31)},
           {"removed by somebody", [](Tests& tests) { tests.pod.reset(); }, minutes(5)},
           {"an earlier one's stays", [](Tests& tests) { tests.pod->asked = "2026-01-01T00:00:00Z"; }, minutes(31)},
           {"the link's status was wiped", [](Tests& tests) { tests.obeyed.reset(); }, minutes(1)},
           {"verification taken away", [](Tests& tests) { tests.schedule.spec.verification.reset(); }, minutes(1)},
           {"the schedule became wrong", [](Tests& tests) { tests.in_force = false; }, minutes(24 * 60 + 1)}}) {
    Tests tests;
    tests.begin();
    one.happens(tests);
    const WallTime since = tests.now;
    while (tests.verified().restored == TestOutcome::kRunning && tests.now < since + one.within) {
      tests.now += minutes(1);
      tests.step(one.name == std::string("removed by somebody") ? 2 : 3);  // and can't be made again
    }
    EXPECT_EQ(tests.verified().restored, TestOutcome::kFailed) << one.name;
    EXPECT_NE(tests.verified().restored_message.value_or(""), "") << one.name;
  }
}

TEST(TestDecide, WhatFailedIsTriedAgainAfterPausesThatGrowUntilTheNextIsDue) {
  Tests tests("0 5 * * 0");  // 29 November is a Sunday
  tests.step();
  tests.now = at("2026-11-29T05:00:00Z");
  std::vector<int64_t> begun;
  for (; tests.now <= at("2026-12-06T06:00:00Z"); tests.now += minutes(1)) {
    const bool was = tests.obeyed.has_value();
    tests.step();
    if (!was && tests.obeyed) begun.push_back((tests.now - at("2026-11-29T05:00:00Z")) / minutes(1));
    if (tests.pod && !tests.pod->ended) tests.end_pod(Outcome::kFailed);
    EXPECT_NE(tests.condition()->status, api::ConditionStatus::kTrue);
  }
  EXPECT_EQ(begun, (std::vector<int64_t>{0, 30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 7 * 24 * 60, 7 * 24 * 60 + 30,
                                         7 * 24 * 60 + 60}));
}

TEST(TestDecide, WhatWasMissedCountsOnceAndASuspendedScheduleOwesNothing) {
  for (const bool suspend : {false, true}) {
    Tests tests;
    tests.step();
    tests.schedule.spec.suspend = suspend;
    tests.now = at("2026-12-09T12:00:00Z");
    EXPECT_EQ(tests.step().assignment.has_value(), !suspend);
    EXPECT_EQ(tests.verified().restored_due, "2026-12-09T05:00:00Z");
    tests.schedule.spec.suspend = false;
    if (suspend) {
      EXPECT_FALSE(tests.step().assignment);
    }
  }
}

TEST(TestDecide, NothingIsBegunWithoutABackupOfThisRepositoryAndItsTimeline) {
  for (const bool last : {false, true})
    for (const bool own : {false, true})
      for (const bool timeline : {false, true})
        for (const bool in_force : {false, true}) {
          Tests tests;
          tests.step();
          if (!own) tests.schedule.status.last->stanza = "orders-1-78";
          if (!last) tests.schedule.status.last.reset();
          if (!timeline) tests.schedule.status.timeline.reset();
          tests.in_force = in_force;
          tests.now = at("2026-11-29T05:00:01Z");
          EXPECT_EQ(tests.step().assignment.has_value(), last && own && timeline && in_force);
        }
}

TEST(TestDecide, ALinkThatFailsOverMeanwhileIsTestedAnewOnItsNewTimeline) {
  Tests tests;
  tests.begin();
  const std::string first = tests.obeyed->asked;
  tests.now += minutes(10);
  tests.schedule.status.timeline = 4;
  tests.end_pod(Outcome::kMoved);
  const TestLook look = tests.step();
  ASSERT_TRUE(look.assignment);
  EXPECT_EQ(look.assignment->timeline, 4);
  EXPECT_NE(look.assignment->asked, first);
  EXPECT_EQ(tests.verified().restored, TestOutcome::kRunning);
  EXPECT_FALSE(tests.pod) << "the first one's goes";
  tests.step();
  tests.end_pod(Outcome::kPassed);
  tests.step();
  EXPECT_EQ(tests.verified().restored, TestOutcome::kPassed);
}

TEST(TestDecide, ALevelIsNeverLoweredNorGivenToAnotherRepositorysBackup) {
  for (const auto before : {std::optional<api::VerifiedLevel>(),
                            {api::VerifiedLevel::kStored},
                            {api::VerifiedLevel::kRead},
                            {api::VerifiedLevel::kRestored}})
    for (const auto level : {api::VerifiedLevel::kStored, api::VerifiedLevel::kRead, api::VerifiedLevel::kRestored})
      for (const bool its : {false, true}) {
        std::map<std::string, api::BackupStatus> backups;
        backups["one"].label = "L";
        backups["one"].stanza = its ? "S" : "other";
        if (before) backups["one"].verified = {*before, "earlier"};
        note_proven("L", "S", level, at("2026-11-29T05:00:01Z"), backups);
        const auto& after = backups["one"].verified;
        if (its && (!before || *before <= level)) {
          EXPECT_EQ(after, (api::BackupVerified{level, "2026-11-29T05:00:01Z"}));
        } else {
          EXPECT_EQ(after.has_value(), before.has_value());
        }
        if (before) {
          EXPECT_GE(after->level, *before);
        }
      }
}

TEST(TestDecide, APodIsReadAsKubernetesTellsIt) {
  const Json order = {{"test", {{"asked", "A"}}}};
  Json pod = {{"metadata", {{"uid", "u"}, {"annotations", {{"twinspan.dev/restore-test", order.dump()}}}}},
              {"status", {{"phase", "Pending"}}}};
  TestPod expected;
  expected.uid = "u";
  expected.asked = "A";
  EXPECT_EQ(test_pod_of(pod), expected);
  pod["status"]["conditions"] = Json::array(
      {{{"type", "PodScheduled"}, {"status", "False"}, {"reason", "Unschedulable"}, {"message", "0/3 nodes"}}});
  EXPECT_EQ(test_pod_of(pod).trouble, "Unschedulable: 0/3 nodes");
  pod["status"]["containerStatuses"] = Json::array(
      {{{"restartCount", 0}, {"state", {{"waiting", {{"reason", "ImagePullBackOff"}, {"message", "not found"}}}}}}});
  EXPECT_EQ(test_pod_of(pod).trouble, "ImagePullBackOff: not found");
  EXPECT_FALSE(test_pod_of(pod).begun);
  pod["status"] = {{"phase", "Succeeded"},
                   {"containerStatuses",
                    Json::array({{{"restartCount", 0},
                                  {"state", {{"terminated", {{"reason", "Completed"}, {"message", "words"}}}}}}})}};
  const TestPod ended = test_pod_of(pod);
  EXPECT_TRUE(ended.begun && ended.ended && ended.succeeded);
  EXPECT_EQ(ended.said, "words");
  EXPECT_EQ(ended.trouble, "");
  pod["status"] = {{"phase", "Failed"}, {"reason", "DeadlineExceeded"}};
  EXPECT_EQ(test_pod_of(pod).trouble, "DeadlineExceeded");
}

}  // namespace
}  // namespace twinspan::controllers
