#include "controllers/backup/read_decide.hpp"

#include <gtest/gtest.h>

namespace twinspan::controllers {
namespace {

using api::TestOutcome;
using Outcome = BackupReport::Read::Outcome;

WallTime at(const char* text) { return *parse_rfc3339(text); }

struct Reads {
  api::BackupSchedule schedule;
  ReadSeen seen;

  Reads() {
    schedule.spec.verification.emplace().read_back = "0 6 * * 0";
    seen.in_force = true;
    seen.now = at("2026-11-29T05:00:00Z");
  }
  ReadLook step() {
    seen.schedule = &schedule;
    api::BackupScheduleStatus status = schedule.status;
    const ReadLook look = decide_read(seen, status);
    schedule.status = status;
    seen.under_way = look.assignment;
    return look;
  }
  void say(Outcome outcome) { seen.said = {seen.under_way->asked, outcome, "words", {"one", "two"}}; }
  const api::VerifiedStatus& verified() const { return *schedule.status.verified; }
};

TEST(ReadDecide, WhatIsDueIsReadOnceAndItsAnswerStays) {
  for (const auto outcome : {Outcome::kPassed, Outcome::kFailed}) {
    Reads reads;
    EXPECT_FALSE(reads.step().assignment);
    reads.seen.now = at("2026-11-29T06:00:05Z");
    EXPECT_TRUE(reads.step().assignment);
    EXPECT_EQ(reads.verified().read, TestOutcome::kRunning);
    reads.seen.said = {"another", outcome, "words", {"one"}};
    EXPECT_TRUE(reads.step().proven.empty());
    reads.say(Outcome::kRunning);
    reads.step();
    EXPECT_EQ(reads.verified().read, TestOutcome::kRunning);
    reads.say(outcome);
    EXPECT_EQ(reads.step().proven, (std::vector<std::string>{"one", "two"}));
    EXPECT_TRUE(reads.seen.under_way) << "until its end is written";
    EXPECT_EQ(reads.verified().read, outcome == Outcome::kPassed ? TestOutcome::kPassed : TestOutcome::kFailed);
    EXPECT_EQ(reads.verified().read_at.has_value(), outcome == Outcome::kPassed);
    EXPECT_TRUE(reads.step().proven.empty());
    EXPECT_FALSE(reads.seen.under_way);
    EXPECT_FALSE(reads.step().assignment);
  }
}

TEST(ReadDecide, ItAlwaysEndsAndNeverBeginsWhileSomethingIsDeleted) {
  Reads reads;
  reads.step();
  reads.seen.now = at("2026-11-29T06:00:05Z");
  reads.seen.expiring = true;
  EXPECT_FALSE(reads.step().assignment);
  reads.seen.expiring = false;
  EXPECT_TRUE(reads.step().assignment);
  reads.seen.now += std::chrono::hours(25);  // and nobody says anything
  reads.step();
  EXPECT_EQ(reads.verified().read, TestOutcome::kFailed);
  for (const bool wiped : {false, true}) {
    Reads other;
    other.step();
    other.seen.now = at("2026-11-29T06:00:05Z");
    other.step();
    wiped ? other.seen.under_way.reset() : other.schedule.spec.verification.reset();
    other.step();
    EXPECT_EQ(other.verified().read, TestOutcome::kFailed);
  }
}

}  // namespace
}  // namespace twinspan::controllers
