#include "backup/retention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace twinspan::backup {
namespace {

using std::chrono::days, std::chrono::hours, std::chrono::seconds;

const WallTime kNow = *parse_rfc3339("2026-11-29T12:00:00Z");

// A backup that ended so many days ago; its name is its kind and its age.
Held held(Kind kind, int days_ago, std::vector<std::string> needs = {}, Answer restorable = Answer::kYes) {
  Held made;
  made.backup.label = std::string(to_string(kind)).substr(0, 1) + std::to_string(days_ago);
  made.backup.kind = kind;
  made.backup.timeline = 1;
  made.backup.start = {static_cast<uint64_t>(10'000 - days_ago * 10)};
  made.backup.stop = {made.backup.start.value + 5};
  made.backup.stopped_at = kNow - days(days_ago);
  made.backup.needs = std::move(needs);
  made.restorable = restorable;
  return made;
}

RetentionSeen seen(std::vector<Held> backups) { return {kNow, true, seconds(1), false, false, std::move(backups)}; }

RetentionRules rules(int days_kept, int fulls, int percent = 100) {
  RetentionRules made;
  made.days = days_kept;
  made.minimum_full = fulls;
  made.max_delete_percent = percent;
  return made;
}

std::string joined(const std::vector<std::string>& labels) {
  std::string out;
  for (const std::string& label : labels) out += (out.empty() ? "" : " ") + label;
  return out;
}
std::string kept(const RetentionPlan& plan) {
  std::vector<std::string> labels;
  for (const Kept& one : plan.kept) labels.push_back(one.label);
  return joined(labels);
}

// A Full each week, an increment each day upon it, for ten weeks.
std::vector<Held> weeks(int count) {
  std::vector<Held> backups;
  for (int day = count * 7; day >= 1; --day)
    if (day % 7 == 0)
      backups.push_back(held(Kind::kFull, day));
    else
      backups.push_back(held(Kind::kIncremental, day, {"F" + std::to_string((day + 6) / 7 * 7)}));
  return backups;
}

TEST(BackupRetention, KeepsTheDaysAndTheBackupThatTheyBeginWith) {
  const RetentionPlan plan = plan_retention(rules(10, 1), seen(weeks(4)));
  EXPECT_EQ(kept(plan), "I1 I2 I3 I4 I5 I6 F7 I8 I9 I10 I11 F14");
  EXPECT_EQ(joined(plan.going), "I12 I13 I15 I16 I17 I18 I19 I20 F21 I22 I23 I24 I25 I26 I27 F28");
  EXPECT_EQ(plan.kept[10].why, std::vector<Why>{Why::kWindowBegins});
  EXPECT_EQ(plan.kept[11].why, std::vector<Why>{Why::kNeeded});
  EXPECT_FALSE(plan.refused);
  EXPECT_EQ(plan.wal.from_label, "I11");
  EXPECT_EQ(plan.wal.from, Position{10'000 - 110});
  EXPECT_EQ(plan.wal.older, (std::vector<WalStretch>{{1, {10'000 - 140}, {10'000 - 135}}}));
  EXPECT_EQ(plan.wal.newest_fulls, 2) << "F7, and F14 that I11 needs";
}

// Every subset of five backups, every answer for each, under several rules: what must hold of any plan.
TEST(BackupRetention, WhateverIsThereNothingThatIsNeededGoesAndTheNewestStays) {
  const Held all[] = {held(Kind::kFull, 40), held(Kind::kIncremental, 35, {"F40"}), held(Kind::kFull, 20),
                      held(Kind::kIncremental, 12, {"F20"}), held(Kind::kFull, 2)};
  const Answer answers[] = {Answer::kNo, Answer::kYes, Answer::kUnknown};
  for (int code = 0; code < 1024; ++code)
    for (const int window : {1, 15, 30})
      for (const int fulls : {1, 2}) {
        std::vector<Held> backups;
        std::set<std::string> labels;
        for (int i = 0, rest = code; i < 5; ++i, rest /= 4) {
          if (rest % 4 == 3) continue;
          backups.push_back(all[i]);
          backups.back().restorable = answers[rest % 4];
          labels.insert(all[i].backup.label);
        }
        const RetentionPlan plan = plan_retention(rules(window, fulls), seen(backups));
        const auto goes = [&](const std::string& label) {
          return std::find(plan.going.begin(), plan.going.end(), label) != plan.going.end();
        };
        ASSERT_EQ(plan.kept.size() + plan.going.size(), backups.size());
        const Held* newest = nullptr;
        int full_stays = 0, full_there = 0;
        for (const Held& one : backups) {
          if (one.restorable == Answer::kYes) newest = &one;
          const bool good_full = one.backup.kind == Kind::kFull && one.restorable == Answer::kYes;
          full_there += good_full;
          full_stays += good_full && !goes(one.backup.label);
          if (one.backup.stopped_at >= kNow - days(window)) {
            EXPECT_FALSE(goes(one.backup.label));
          }
          for (const std::string& needed : one.backup.needs) EXPECT_TRUE(goes(one.backup.label) || !goes(needed));
          for (const std::string& needed : one.backup.needs)
            if (!labels.contains(needed)) {
              EXPECT_EQ(plan.refused->reason, Refusal::kListingNotWhole);
            }
        }
        if (newest) {
          EXPECT_FALSE(goes(newest->backup.label)) << code;
        }
        for (const Held& one : backups)
          if (!newest && one.restorable == Answer::kUnknown) {
            EXPECT_FALSE(goes(one.backup.label)) << "nothing is known to be good";
          }
        EXPECT_EQ(full_stays, full_there < fulls ? full_there : std::max(full_stays, fulls)) << code;
        // The first moment of the days can be reached: the backup that it begins with stays, and WAL from it on.
        for (const Held& one : backups)
          if (one.restorable == Answer::kYes && one.backup.stopped_at < kNow - days(window)) {
            ASSERT_TRUE(plan.wal.from_label);
            EXPECT_GE(plan.wal.from, one.backup.start);
            EXPECT_FALSE(goes(*plan.wal.from_label));
            EXPECT_GE(plan.wal.newest_fulls, 0);
          }
        if (!plan.wal.from_label) {
          EXPECT_EQ(plan.wal.newest_fulls, 0);
        }
      }
}

TEST(BackupRetention, GenerationsAreTheNewestOfEachDayWeekAndMonth) {
  RetentionRules by = rules(1, 1);
  by.daily = 3;
  by.weekly = 2;
  by.monthly = 2;
  std::vector<Held> backups;
  for (int day = 0; day < 70; ++day)
    for (const int hour : {1, 13}) {
      backups.push_back(held(Kind::kFull, day));
      backups.back().backup.label += hour == 1 ? "b" : "a";  // 11:00 and 23:00 of the day before, UTC
      backups.back().backup.stopped_at = kNow - days(day) - hours(hour);
    }
  const auto labels = [&](Why why) {
    std::vector<std::string> found;
    for (const Kept& one : plan_retention(by, seen(backups)).kept)
      if (std::find(one.why.begin(), one.why.end(), why) != one.why.end()) found.push_back(one.label);
    return joined(found);
  };
  // 29 November is a Sunday; 31 October was 29 days ago.
  EXPECT_EQ(labels(Why::kDaily), "F0b F0a F1a");
  EXPECT_EQ(labels(Why::kWeekly), "F0b F6a");
  EXPECT_EQ(labels(Why::kMonthly), "F0b F28a");
  // In Berlin 23:00 UTC is midnight of the next day.
  by.zone = *load_zone("Europe/Berlin");
  EXPECT_EQ(labels(Why::kDaily), "F0b F1b F2b");
  EXPECT_EQ(labels(Why::kWeekly), "F0b F7b");
  EXPECT_EQ(labels(Why::kMonthly), "F0b F29b");
}

TEST(BackupRetention, WhatIsNotKnownToBeGoodCountsForNothing) {
  const auto with = [](Answer newest) {
    return seen({held(Kind::kFull, 50), held(Kind::kFull, 40), held(Kind::kFull, 35, {}, newest)});
  };
  EXPECT_EQ(kept(plan_retention(rules(10, 1), with(Answer::kYes))), "F35");
  EXPECT_EQ(kept(plan_retention(rules(10, 1), with(Answer::kUnknown))), "F35 F40");
  EXPECT_EQ(kept(plan_retention(rules(10, 1), with(Answer::kNo))), "F40");
}

// Nor does it stand for its day, week or month.
TEST(BackupRetention, WhatIsNotKnownToBeGoodStandsForNoPeriod) {
  const auto labels = [](Answer newest, Why why) {
    RetentionRules by = rules(1, 0);
    by.daily = by.weekly = by.monthly = 1;
    Held good = held(Kind::kFull, 40), doubtful = held(Kind::kFull, 40, {}, newest);
    good.backup.label = "good";
    good.backup.stopped_at -= hours(1);
    std::vector<std::string> found;
    for (const Kept& one : plan_retention(by, seen({good, doubtful})).kept)
      if (std::find(one.why.begin(), one.why.end(), why) != one.why.end()) found.push_back(one.label);
    return joined(found);
  };
  for (const Why why : {Why::kDaily, Why::kWeekly, Why::kMonthly}) {
    EXPECT_EQ(labels(Answer::kYes, why), "F40");
    EXPECT_EQ(labels(Answer::kUnknown, why), "F40 good");
    EXPECT_EQ(labels(Answer::kNo, why), "good");
  }
}

TEST(BackupRetention, ForeverIsForeverAndSoIsWhatItNeeds) {
  std::vector<Held> backups = weeks(4);
  backups[2].forever = true;
  const RetentionPlan plan = plan_retention(rules(1, 1), seen(backups));
  EXPECT_EQ(backups[2].backup.label, "I26");
  EXPECT_EQ(plan.kept.back(), (Kept{"F28", {Why::kNeeded}}));
  EXPECT_EQ(plan.kept[plan.kept.size() - 2], (Kept{"I26", {Why::kForever}}));
}

TEST(BackupRetention, IsRefusedWithItsReason) {
  const RetentionSeen fine = seen(weeks(4));
  const RetentionRules by = rules(10, 1);
  ASSERT_FALSE(plan_retention(by, fine).refused);
  const auto refused = [&](auto change, RetentionRules with = rules(10, 1)) {
    RetentionSeen one = fine;
    change(one);
    const auto found = plan_retention(with, one).refused;
    EXPECT_TRUE(found && !found->message.empty());
    return found ? std::optional(found->reason) : std::nullopt;
  };
  EXPECT_EQ(refused([](auto& s) { s.listing_whole = false; }), Refusal::kListingNotWhole);
  EXPECT_EQ(refused([](auto& s) { s.backups.erase(s.backups.begin()); }), Refusal::kListingNotWhole);
  EXPECT_EQ(refused([](auto& s) { s.clocks_differ_by.reset(); }), Refusal::kClocksDiffer);
  EXPECT_EQ(refused([](auto& s) { s.clocks_differ_by = seconds(300); }), Refusal::kClocksDiffer);
  EXPECT_EQ(refused([](auto& s) { s.clocks_differ_by = seconds(-300); }), Refusal::kClocksDiffer);
  EXPECT_EQ(refused([](auto& s) { s.clock_suspect = true; }), Refusal::kClockSuspect);
  EXPECT_EQ(refused([](auto& s) { s.backup_runs = true; }), Refusal::kBackupRuns);
  EXPECT_EQ(refused([](auto& s) { s.backups.front().in_use = true; }), Refusal::kInUse);
  EXPECT_EQ(refused([](auto&) {}, rules(10, 1, 57)), Refusal::kTooManyAtOnce) << "16 of 28";
  EXPECT_EQ(refused(
                [](auto& s) {
                  s.backups.erase(s.backups.begin(), s.backups.begin() + 21);
                  s.backups.insert(s.backups.begin(), held(Kind::kFull, 60, {}, Answer::kNo));
                },
                rules(10, 2)),
            Refusal::kTooFewFulls);
  RetentionSeen almost = fine;
  almost.clocks_differ_by = seconds(-299);
  almost.backups.back().in_use = true;  // which stays
  EXPECT_FALSE(plan_retention(rules(10, 1, 58), almost).refused);
}

TEST(BackupRetention, WithoutABackupFromBeforeTheDaysAllWalStays) {
  EXPECT_EQ(plan_retention(rules(30, 1), seen(weeks(3))).wal, WalKept{});
  EXPECT_TRUE(plan_retention(rules(30, 1), seen({})).kept.empty());
  EXPECT_EQ(plan_retention(rules(10, 1), seen({held(Kind::kFull, 40, {}, Answer::kUnknown)})).wal, WalKept{});
}

TEST(BackupRetention, EveryReasonHasItsWords) {
  std::set<std::string_view> words;
  for (int why = 0; why <= static_cast<int>(Why::kNeeded); ++why) words.insert(to_string(static_cast<Why>(why)));
  EXPECT_EQ(words.size(), 9u);
  EXPECT_FALSE(words.contains("Unknown"));
}

}  // namespace
}  // namespace twinspan::backup
