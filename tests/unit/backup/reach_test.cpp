#include "backup/reach.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kOld = "000000030000000000000004";
constexpr const char* kNew = "000000030000000000000005";
constexpr const char* kLater = "000000040000000000000005";

const WallTime kMoment{std::chrono::hours(500000)};

// Everything that can be the case, against what must hold.
TEST(Reach, WaitsWithinItsTimeForWhatMayComeAndNeverForWhatCanNot) {
  for (const std::optional<int> backup : {std::optional<int>(), std::optional(-60), std::optional(0), std::optional(1)})
    for (const std::string newest : {"", kOld, kNew, kLater})
      for (const std::optional<int> stored :
           {std::optional<int>(), std::optional(-1), std::optional(0), std::optional(1)})
        for (const std::string exhausted : {"", kOld, kNew, kLater})
          for (const bool late : {false, true}) {
            ReachSeen seen;
            if (backup) seen.backups.emplace_back().stopped_at = kMoment + seconds(*backup);
            seen.newest_segment = newest;
            if (stored && !newest.empty()) seen.newest_stored_at = kMoment + seconds(*stored);
            seen.exhausted = exhausted;
            seen.timeline = 3;
            seen.moment = kMoment;
            seen.until = kMoment + minutes(10);
            seen.now = seen.until - seconds(late ? 0 : 1);
            const ReachVerdict verdict = judge_reach(seen);
            SCOPED_TRACE(testing::Message() << backup.value_or(-99) << " '" << newest << "' " << stored.value_or(-99)
                                            << " '" << exhausted << "' " << late);
            const bool whole = backup && *backup < 0;
            const bool over = !exhausted.empty() && (late || newest == kLater);
            EXPECT_EQ(verdict.reach == Reach::kNever, !whole || over);
            EXPECT_EQ(verdict.words.empty(), verdict.reach == Reach::kTry);
            if (verdict.reach == Reach::kNever) continue;
            const bool comes_after = seen.newest_stored_at && *seen.newest_stored_at > kMoment;
            EXPECT_EQ(verdict.reach == Reach::kTry, late || (comes_after && newest != exhausted));
            if (verdict.reach == Reach::kWait) {
              EXPECT_NE(verdict.words.find("waited for until " + to_rfc3339(seen.until)), std::string::npos);
              EXPECT_NE(verdict.words.find(newest), std::string::npos) << "what is stored so far is told";
            }
          }
}

TEST(Reach, TheFirstOfSeveralBackupsCounts) {
  ReachSeen seen;
  seen.moment = kMoment;
  seen.until = kMoment + minutes(10);
  seen.now = kMoment;
  seen.newest_segment = kNew;
  seen.newest_stored_at = kMoment + seconds(1);
  seen.timeline = 3;
  for (const int stopped : {60, -60, 120}) seen.backups.emplace_back().stopped_at = kMoment + seconds(stopped);
  EXPECT_EQ(judge_reach(seen).reach, Reach::kTry);
}

}  // namespace
}  // namespace twinspan::backup
