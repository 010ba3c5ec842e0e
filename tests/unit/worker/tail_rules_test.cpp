#include "worker/postgres/backup/tail_rules.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace twinspan::worker {
namespace {

using backup::kSegmentBytes;
using backup::segment_at;
using backup::TailName;
using std::chrono::seconds;

BootTime at(int64_t s) { return BootTime(seconds(s)); }

TEST(TailPeriod, LeavesTimeToStoreWithinThePromise) {
  for (const auto& [delay, period] : {std::pair{60, 50}, {3600, 3590}, {6, 3}, {2, 1}, {1, 1}})
    EXPECT_EQ(tail_period(seconds(delay)), seconds(period)) << delay;
}

TEST(NextTail, IsStoredWhereSomethingWasWrittenAndItIsTime) {
  const uint64_t start = 5 * kSegmentBytes;
  const std::string segment = segment_at(2, start);
  for (const uint64_t written : {uint64_t{0}, uint64_t{100}, uint64_t{200}})
    for (const std::optional<TailName>& stored :
         {std::optional<TailName>(), std::optional(TailName{segment, start + 100}),
          std::optional(TailName{segment_at(1, start), start + 500}),
          std::optional(TailName{segment_at(2, start - 1), start - 1})})
      for (const std::optional<int64_t> began :
           {std::optional<int64_t>(), std::optional<int64_t>(51), std::optional<int64_t>(49)}) {
        TailView view{2, start + written, 3, stored, std::nullopt, at(100), seconds(60)};
        if (began) view.began_at = at(*began);
        const bool newer = written > 0 && !(stored && stored->segment == segment && stored->end >= start + written);
        const bool due = !began || 100 - *began >= 50;
        EXPECT_EQ(next_tail(view).has_value(), newer && due) << written;
        EXPECT_EQ(next_tail(view).value_or(TailName{segment, start + written, 3}),
                  (TailName{segment, start + written, 3}));
      }
}

// Everything that can be the case: a mark is made where all is stored, nothing was written for as long as the period
// is, and the last one does not say the same within it.
TEST(NextMark, OfAnIdleDatabaseWhoseLogIsStored) {
  const uint64_t flushed = 5 * kSegmentBytes + 100;
  const auto wall = [](double s) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::duration<double>(s)));
  };
  for (const uint64_t safe : {flushed - 1, flushed})
    for (const double idle : {-100.0, 0.0, 299.0, 301.5, 4000.0})
      for (const std::optional<int64_t> age :
           {std::optional<int64_t>(), std::optional<int64_t>(10), std::optional<int64_t>(300)})
        for (const bool same : {false, true}) {
          MarkView view{7, 2, flushed, safe, wall(1000.5), wall(1000.5 + idle), std::nullopt, seconds(60)};
          if (age)
            view.stored =
                backup::Mark{7, 2, same ? flushed : flushed - 8, 1001, static_cast<int64_t>(1000 + idle) - *age};
          const auto mark = next_mark(view);
          const bool due = !age || !same || *age >= 300;
          EXPECT_EQ(mark.has_value(), safe == flushed && idle > 300 && due) << idle << ' ' << age.value_or(-1) << same;
          if (!mark) continue;
          EXPECT_EQ(mark->position, flushed);
          EXPECT_EQ(mark->since, 1001) << "never more than is known";
          EXPECT_LE(wall(static_cast<double>(mark->at)), view.seen_at);
        }
  for (const auto& [delay, period] : {std::pair{60, 300}, {3600, 300}, {5, 25}, {1, 10}})
    EXPECT_EQ(mark_period(seconds(delay)), seconds(period));
}

TEST(SafePosition, IsWhereTheFirstByteThatIsNotStoredIs) {
  const uint64_t start = 5 * kSegmentBytes;
  const TailName tail{segment_at(2, start), start + 100};
  EXPECT_EQ(safe_position("", tail, 2, start + 300), start + 100);
  EXPECT_EQ(safe_position("", std::nullopt, 2, start + 300), start);
  EXPECT_EQ(safe_position("", tail, 3, start + 300), start) << "of another timeline";
  EXPECT_EQ(safe_position(tail.segment, tail, 2, start + kSegmentBytes + 5), start + 100) << "whole, and not stored";
  EXPECT_EQ(safe_position(segment_at(2, start - 1), tail, 2, start + 300), start - kSegmentBytes);
  EXPECT_EQ(safe_position("", tail, 2, start + kSegmentBytes + 5), start + kSegmentBytes) << "stored as a whole";
}

TEST(FirstWaiting, IsTheFirstByPosition) {
  const std::vector<std::string> names{
      "00000002.history.ready",        "000000020000000000000006.ready",         "000000010000000000000005.ready",
      "000000010000000000000004.done", "000000010000000000000003.partial.ready", "x.ready"};
  EXPECT_EQ(first_waiting(names), "000000010000000000000005");
  EXPECT_EQ(first_waiting(std::vector<std::string>{"000000010000000000000004.done"}), "");
}

TEST(SafeSinceWhen, NeverLooksYoungerThanItIs) {
  SafeSince since;
  EXPECT_EQ(since.age(100, at(0)), std::nullopt);
  since.flushed(at(10), 1000);
  EXPECT_EQ(since.age(999, at(10)), std::nullopt) << "written before anybody looked";
  EXPECT_EQ(since.age(1000, at(19)), seconds(0));
  EXPECT_EQ(since.age(1000, at(50)), seconds(40)) << "nobody has looked since 10, and it may have been written to";
  since.flushed(at(20), 1000);
  since.flushed(at(21), 2000);
  since.flushed(at(22), 3000);
  EXPECT_EQ(since.age(1000, at(30)), seconds(10)) << "nothing was written until 20";
  EXPECT_EQ(since.age(2500, at(30)), seconds(9));
  EXPECT_EQ(since.age(3000, at(30)), seconds(0));
}

// The bucket is away for hours, and each second something is written.
TEST(SafeSinceWhen, KeepsLittleAndStaysOnTheSafeSide) {
  SafeSince since;
  for (int64_t second = 0; second < 20'000; ++second) since.flushed(at(second), static_cast<uint64_t>(second));
  for (const int64_t safe : {0, 1, 1000, 12'345, 19'998}) {
    const auto age = since.age(static_cast<uint64_t>(safe), at(20'000));
    ASSERT_TRUE(age) << safe;
    EXPECT_GE(*age, seconds(20'000 - safe));
    EXPECT_LE(*age, seconds(20'000 - safe + 65));
  }
}

}  // namespace
}  // namespace twinspan::worker
