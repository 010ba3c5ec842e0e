#include "backup/expiry.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

const WallTime kNow = *parse_rfc3339("2026-11-29T12:00:00Z");

BackupSet set(const char* label, uint64_t segment, std::vector<std::string> needs = {}) {
  BackupSet made;
  made.label = label;
  made.kind = needs.empty() ? Kind::kFull : Kind::kIncremental;
  made.timeline = 1;
  made.start = {segment * kSegmentBytes + 40};
  made.stop = {segment * kSegmentBytes + 400};
  made.stopped_at = kNow - std::chrono::days(100 - static_cast<int>(segment));
  made.needs = std::move(needs);
  return made;
}
// F1 and I1 upon it, F2, F3; all of the log.
Listing listing() {
  Listing made;
  made.listed_at = kNow;
  made.backups = {set("F1", 10), set("I1", 20, {"F1"}), set("F2", 30), set("F3", 40)};
  made.log = {{1, 5, 50}};
  made.lineage = {{{0}, 1, 0, {}}};
  return made;
}

std::string told(const Result<ExpirySteps>& steps) {
  if (!steps) return steps.error().message;
  std::string out;
  for (const std::string& label : steps->labels) out += label + " ";
  return out + std::to_string(steps->newest_fulls);
}

// Every order of every subset of three: exactly those in which nothing goes before what needs it.
TEST(BackupExpiry, NothingGoesThatAnotherOneNeeds) {
  std::vector<std::string> all{"F1", "F2", "I1"};
  do {
    for (size_t count = 0; count <= 3; ++count) {
      const std::vector<std::string> labels(all.begin(), all.begin() + static_cast<long>(count));
      const auto f1 = std::find(labels.begin(), labels.end(), "F1"), i1 = std::find(labels.begin(), labels.end(), "I1");
      const bool fine = f1 == labels.end() || (i1 != labels.end() && i1 < f1);
      const auto steps = plan_expiry({kNow, labels, std::nullopt}, listing(), kNow);
      ASSERT_EQ(steps.has_value(), fine) << told(steps);
      if (fine) {
        EXPECT_EQ(steps->labels, labels);
      } else {
        EXPECT_EQ(told(steps), "F1 is needed by I1");
      }
    }
  } while (std::next_permutation(all.begin(), all.end()));
}

TEST(BackupExpiry, TheNewestThatCanBeRestoredStays) {
  EXPECT_EQ(told(plan_expiry({kNow, {"F3"}, std::nullopt}, listing(), kNow)), "F3 is the newest that can be restored");
  Listing broken = listing();
  broken.log = {{1, 5, 35}};  // F3 lacks its own log
  EXPECT_EQ(told(plan_expiry({kNow, {"F3"}, std::nullopt}, broken, kNow)), "F3 0");
  EXPECT_EQ(told(plan_expiry({kNow, {"F2"}, std::nullopt}, broken, kNow)), "F2 is the newest that can be restored");
  broken.lineage.clear();
  EXPECT_EQ(told(plan_expiry({kNow, {"F2"}, std::nullopt}, broken, kNow)), "no backup is known to be restorable");
}

TEST(BackupExpiry, WhatWasAskedForLongAgoOrByAClockThatDiffersIsNotDone) {
  for (const int minutes : {-11, -10, 0, 10, 11})
    EXPECT_EQ(plan_expiry({kNow - std::chrono::minutes(minutes), {"I1"}, std::nullopt}, listing(), kNow).has_value(),
              std::abs(minutes) <= 10)
        << minutes;
  Listing part = listing();
  part.trouble = "1001 backups";
  EXPECT_EQ(told(plan_expiry({kNow, {"I1"}, std::nullopt}, part, kNow)), "the listing is not whole: 1001 backups");
}

TEST(BackupExpiry, LogStaysFromTheFullOnThatTheNamedBackupNeeds) {
  EXPECT_EQ(told(plan_expiry({kNow, {}, "F3"}, listing(), kNow)), "1");
  EXPECT_EQ(told(plan_expiry({kNow, {}, "F2"}, listing(), kNow)), "2");
  EXPECT_EQ(told(plan_expiry({kNow, {}, "I1"}, listing(), kNow)), "3");
  EXPECT_EQ(told(plan_expiry({kNow, {"F2"}, "I1"}, listing(), kNow)), "F2 2") << "counted once F2 is gone";
  EXPECT_EQ(told(plan_expiry({kNow, {"gone"}, "lost"}, listing(), kNow)),
            "lost, from which on the log is to stay, is not there");
  EXPECT_EQ(told(plan_expiry({kNow, {"I1"}, "I1"}, listing(), kNow)),
            "I1, from which on the log is to stay, is not there");
}

TEST(BackupExpiry, SpareLogIsWhatLiesBeforeAndNoBackupNeeds) {
  WalKept kept;
  const auto spare = [&](std::vector<SegmentRun> log, int fulls) {
    Listing made = listing();
    made.log = std::move(log);
    kept.newest_fulls = fulls;
    return has_spare_log(kept, made);
  };
  EXPECT_TRUE(spare({{1, 5, 50}}, 1));
  EXPECT_FALSE(spare({{1, 5, 50}}, 0)) << "no log is to go";
  EXPECT_FALSE(spare({{1, 10, 10}, {1, 20, 20}, {1, 30, 30}, {1, 40, 50}}, 1));
  EXPECT_TRUE(spare({{1, 10, 11}, {1, 40, 50}}, 1));
  EXPECT_FALSE(spare({{1, 10, 50}}, 3));
  EXPECT_FALSE(spare({{2, 1, 9}, {1, 40, 50}}, 1)) << "a later timeline's sorts behind";
  EXPECT_FALSE(spare({{1, 5, 50}}, 4)) << "there are not so many";
}

// A clock that was set since the bucket's was compared with it is as wrong as it was set.
TEST(BackupClocks, AreAsFarApartAsThisOneWasSetSince) {
  using std::chrono::hours, std::chrono::seconds;
  const WallTime wall = *parse_rfc3339("2026-11-29T12:00:00Z");
  const BootTime boot{hours(5)};
  for (const int apart : {-7, 0, 7}) {
    const MeasuredClock measured{seconds(apart), wall, boot};
    for (const hours later : {hours(0), hours(3), hours(24 * 40)})
      for (const hours set : {hours(-2), hours(0), hours(24 * 40)})
        EXPECT_EQ(ahead_now(measured, wall + later + set, boot + later), seconds(apart) - set);
  }
}

}  // namespace
}  // namespace twinspan::backup
