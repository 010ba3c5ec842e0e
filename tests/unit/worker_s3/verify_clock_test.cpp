#include "worker/s3/verify_clock.hpp"

#include <gtest/gtest.h>

namespace twinspan::worker_s3 {
namespace {

using std::chrono::minutes, std::chrono::seconds, std::chrono::hours;

struct Watch {
  api::ReplicationLink link;
  VerifyClock clock;
  WallTime now = *parse_rfc3339("2026-11-21T03:30:00Z");
  std::optional<WallTime> finished;

  void annotate(const std::string& value) { link.metadata.annotations[std::string(kVerifyAnnotation)] = value; }
  bool due() { return clock.due(link, now, finished); }
};

TEST(VerifyClock, ANewValueOfTheAnnotationIsAnsweredOnce) {
  Watch watch;
  EXPECT_FALSE(watch.due());
  watch.annotate("1");
  EXPECT_TRUE(watch.due());
  EXPECT_FALSE(watch.due());
  EXPECT_EQ(watch.clock.answered(), "");
  watch.now += seconds(3);
  watch.finished = watch.now;
  EXPECT_FALSE(watch.due());
  EXPECT_EQ(watch.clock.answered(), "1");
  watch.now += hours(1);
  EXPECT_FALSE(watch.due());
  watch.annotate("2");
  EXPECT_TRUE(watch.due());
  EXPECT_EQ(watch.clock.answered(), "1");  // until there is a result
}

TEST(VerifyClock, WhatWasAnsweredBeforeARestartIsNotAskedAgain) {
  Watch watch;
  watch.annotate("1");
  watch.link.status.verification.emplace();
  watch.link.status.verification->request = "1";
  EXPECT_FALSE(watch.due());
  watch.annotate("2");
  EXPECT_TRUE(watch.due());
}

TEST(VerifyClock, RunsThatCameLaterAreAskedToo) {
  Watch watch;
  watch.annotate("1");
  EXPECT_TRUE(watch.due());
  watch.now += seconds(1);
  watch.finished = watch.now;
  EXPECT_FALSE(watch.due());
  watch.clock.runs_changed();  // a share was taken over, and the others' answers are not all there yet
  watch.finished.reset();
  EXPECT_TRUE(watch.due());
  watch.link.status.verification.emplace();
  watch.link.status.verification->request = "1";
  watch.clock.runs_changed();
  watch.now += seconds(1);
  EXPECT_FALSE(watch.due());
}

TEST(VerifyClock, OneThatEndedWithoutAResultIsBegunAgain) {
  Watch watch;
  watch.finished = watch.now - hours(5);  // of another one
  watch.annotate("1");
  EXPECT_TRUE(watch.due());
  watch.now += seconds(9);
  EXPECT_FALSE(watch.due());
  watch.now += seconds(1);
  EXPECT_TRUE(watch.due());
}

TEST(VerifyClock, TheScheduleIsKeptInUtcAndAnswersNoRequest) {
  Watch watch;
  watch.link.spec.s3.verification.schedule = "0 4 * * *";
  EXPECT_FALSE(watch.due());
  watch.now += minutes(29);
  EXPECT_FALSE(watch.due());
  watch.now += minutes(1);
  EXPECT_TRUE(watch.due());
  EXPECT_FALSE(watch.due());
  watch.finished = watch.now;
  EXPECT_FALSE(watch.due());
  EXPECT_EQ(watch.clock.answered(), "");
  watch.now += hours(24);
  EXPECT_TRUE(watch.due());
  watch.finished = watch.now;
  EXPECT_FALSE(watch.due());
  watch.link.spec.s3.verification.schedule.reset();
  watch.now += hours(48);
  EXPECT_FALSE(watch.due());
}

}  // namespace
}  // namespace twinspan::worker_s3
