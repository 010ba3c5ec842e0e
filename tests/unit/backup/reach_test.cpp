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

Goal at_moment() {
  Goal goal;
  goal.kind = Goal::Kind::kTime;
  goal.moment = kMoment;
  return goal;
}

// Everything that can be the case, against what must hold.
TEST(Reach, WaitsWithinItsTimeForWhatMayComeAndNeverForWhatCanNot) {
  for (const std::string newest : {"", kOld, kNew, kLater})
    for (const std::optional<int> stored :
         {std::optional<int>(), std::optional(-1), std::optional(0), std::optional(1)})
      for (const std::string exhausted : {"", kOld, kNew, kLater})
        for (const bool late : {false, true}) {
          ReachSeen seen;
          seen.goal = at_moment();
          seen.newest_segment = newest;
          if (stored && !newest.empty()) seen.newest_stored_at = kMoment + seconds(*stored);
          seen.exhausted = exhausted;
          seen.timeline = 3;
          seen.later = newest == kLater ? 4 : 0;
          seen.until = kMoment + minutes(10);
          seen.now = seen.until - seconds(late ? 0 : 1);
          const ReachVerdict verdict = judge_reach(seen);
          SCOPED_TRACE(testing::Message()
                       << " '" << newest << "' " << stored.value_or(-99) << " '" << exhausted << "' " << late);
          EXPECT_EQ(verdict.reach == Reach::kNever, !exhausted.empty() && (late || newest == kLater));
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

// A position is stored with its segment, whoever's clock says what: nothing is fetched for one that is not.
TEST(Reach, APositionIsThereOnceItsSegmentIs) {
  for (const std::string newest : {"", kOld, kNew, kLater})
    for (const uint64_t number : {3u, 4u, 5u, 6u})
      for (const std::string exhausted : {"", kOld, kNew})
        for (const bool late : {false, true}) {
          ReachSeen seen;
          seen.goal.kind = Goal::Kind::kLsn;
          seen.goal.position = {(number << 24) + 40};
          seen.newest_segment = newest;
          seen.exhausted = exhausted;
          seen.timeline = 3;
          seen.later = newest == kLater ? 4 : 0;
          seen.until = kMoment;
          seen.now = kMoment - seconds(late ? 0 : 1);
          SCOPED_TRACE(testing::Message() << newest << ' ' << number << " '" << exhausted << "' " << late);
          const bool there = !newest.empty() && number <= number_of(newest);
          const bool left = !exhausted.empty() && newest == kLater;
          const Reach reach = judge_reach(seen).reach;
          EXPECT_EQ(reach == Reach::kNever, left || (late && (!there || !exhausted.empty())));
          EXPECT_EQ(reach == Reach::kTry,
                    !left && there && (late ? exhausted.empty() : newest != exhausted || exhausted.empty()));
        }
}

// What was stored of the unfinished segment counts as far as it goes, and each that goes further is worth an attempt.
TEST(Reach, TheTailReachesBeyondTheLastSegment) {
  for (const auto kind : {Goal::Kind::kTime, Goal::Kind::kLsn})
    for (const std::optional<int> tail : {std::optional<int>(), std::optional(-1), std::optional(0), std::optional(1)})
      for (const bool exhausted : {false, true}) {
        ReachSeen seen;
        seen.goal.kind = kind;
        seen.goal.moment = kMoment;
        seen.goal.position = {(5u << 24) + 40};
        seen.newest_segment = kOld;
        seen.newest_stored_at = kMoment - seconds(60);
        if (tail) {
          seen.tail_end = Position{static_cast<uint64_t>((5 << 24) + 40 + *tail)};
          seen.tail_at = kMoment + seconds(*tail);
        }
        if (exhausted) seen.exhausted = frontier_of(kOld, seen.tail_end);
        seen.timeline = 3;
        seen.until = kMoment + minutes(10);
        seen.now = kMoment;
        const ReachVerdict verdict = judge_reach(seen);
        SCOPED_TRACE(testing::Message() << tail.value_or(-9) << ' ' << exhausted);
        EXPECT_EQ(verdict.reach, tail == 1 && !exhausted ? Reach::kTry : Reach::kWait);
        if (tail && verdict.reach == Reach::kWait) {
          EXPECT_NE(verdict.words.find(to_string(*seen.tail_end)), std::string::npos) << verdict.words;
        }
        seen.tail_end = Position{(6u << 24) + 1};
        if (!exhausted || tail != 1) continue;
        EXPECT_EQ(judge_reach(seen).reach, Reach::kTry) << "it goes further by now";
      }
}

// A time after the last commit is reached where the mark of an idle database says that all before it is stored: at once
// where nothing was written any more by then and nothing is stored behind it, else once an attempt has found no commit
// after it.
TEST(Reach, ATimeAfterTheLastCommitIsReachedByAMark) {
  const int64_t moment = kMoment.time_since_epoch() / seconds(1);
  constexpr uint64_t kEnd = 5u << 24;  // of kOld
  for (const int since : {-100, -1, 0, 1, 50})
    for (const int said_at : {-1, 0, 100})
      for (const int64_t beyond : {-100, 0, 100})  // how far the mark goes beyond what is stored
        for (const Timeline timeline : {2u, 3u})
          for (const bool tail : {false, true})
            for (const bool late : {false, true}) {
              if (since > said_at) continue;
              ReachSeen seen;
              seen.goal = at_moment();
              seen.newest_segment = kOld;
              seen.newest_stored_at = kMoment - seconds(200);
              seen.timeline = 3;
              const uint64_t stored = kEnd + (tail ? 500 : 0);
              if (tail) seen.tail_end = Position{stored};
              seen.mark = Mark{7, timeline, stored + static_cast<uint64_t>(beyond), moment + since, moment + said_at};
              seen.until = kMoment + minutes(10);
              seen.now = seen.until - seconds(late ? 0 : 1);
              const bool covers = timeline == 3 && beyond <= 0 && said_at >= 0;
              SCOPED_TRACE(testing::Message()
                           << since << ' ' << said_at << ' ' << beyond << ' ' << timeline << tail << late);
              const ReachVerdict verdict = judge_reach(seen);
              EXPECT_EQ(verdict.end,
                        covers && beyond == 0 && since <= 0 ? std::optional(Position{stored}) : std::nullopt);
              if (verdict.end) {
                EXPECT_EQ(verdict.reach, Reach::kTry);
              }
              EXPECT_EQ(whole_if_read(seen), covers ? std::optional(Position{stored}) : std::nullopt)
                  << "all that was read has no commit after it";
            }
}

// What writes log without committing anything, such as vacuum, leaves no idle database, but tails. An attempt that read
// one is worth the same however much is stored meanwhile.
TEST(Reach, ATailProvesItOnceItWasRead) {
  for (const int at : {-1, 0, 1}) {
    ReachSeen seen;
    seen.goal = at_moment();
    seen.newest_segment = kOld;
    seen.tail_end = Position{(5u << 24) + 100};
    seen.tail_at = kMoment + seconds(at);
    seen.timeline = 3;
    seen.until = kMoment + minutes(10);
    seen.now = kMoment;
    EXPECT_EQ(judge_reach(seen).end, std::nullopt);
    const auto whole = whole_if_read(seen);
    EXPECT_EQ(whole, at > 0 ? seen.tail_end : std::nullopt);
    if (!whole) continue;
    seen.exhausted = frontier_of(kOld, seen.tail_end);
    seen.whole_until = whole;
    seen.tail_end = Position{(5u << 24) + 900};
    seen.later = 4;
    EXPECT_EQ(judge_reach(seen).reach, Reach::kTry);
    EXPECT_EQ(judge_reach(seen).end, whole);
    seen.goal.kind = Goal::Kind::kLsn;
    EXPECT_EQ(whole_if_read(seen), std::nullopt);
  }
}

TEST(Reach, TheLatestIsNotThatOfATimelineThatWasLeftMeanwhile) {
  for (const std::string newest : {"", kOld, kLater})
    for (const bool waits : {false, true}) {
      ReachSeen seen;
      seen.newest_segment = newest;
      seen.timeline = 3;
      seen.later = newest == kLater ? 4 : 0;
      seen.waits = waits;
      EXPECT_EQ(judge_reach(seen).reach, newest == kLater && waits ? Reach::kNever : Reach::kTry);
      seen.goal.kind = Goal::Kind::kImmediate;
      EXPECT_EQ(judge_reach(seen).reach, Reach::kTry) << "a backup's end is stored with it";
    }
}

}  // namespace
}  // namespace twinspan::backup
