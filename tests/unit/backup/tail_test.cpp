#include "backup/tail.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

constexpr uint64_t kSegment = kSegmentBytes;

TEST(TailNames, SayWhichSegmentAndHowFar) {
  const TailName name{"000000010000000A000000FF", 0xA'FF00'0000 + 0x139A0, 0x1F};
  EXPECT_EQ(to_string(name), "000000010000000A000000FF.0000000AFF0139A0.000000000000001F");
  EXPECT_EQ(parse_tail_name(to_string(name)), name);
  const TailName whole{name.segment, 0xB'0000'0000};
  EXPECT_EQ(parse_tail_name(to_string(whole)), whole) << "its end is the next one's start";
  EXPECT_EQ(segment_at(1, name.end), name.segment);
  EXPECT_EQ(start_of(name.segment), 0xA'FF00'0000u);
}

// An agent of before stores, and sealed, under a name that says no epoch.
TEST(TailNames, OneOfBeforeKeepsItsName) {
  const std::string before = "000000010000000A000000FF.0000000AFF0139A0";
  const auto name = parse_tail_name(before);
  ASSERT_TRUE(name);
  EXPECT_EQ(*name, (TailName{"000000010000000A000000FF", 0xA'FF00'0000 + 0x139A0}));
  EXPECT_EQ(to_string(*name), before);
  EXPECT_EQ(parse_tail_name(before + ".0000000000000000"), std::nullopt) << "one name for one tail";
}

TEST(TailNames, NothingElseIsOne) {
  for (const char* other : {
           "",
           "mark",
           "000000010000000A000000FF",
           "000000010000000A000000FF.",
           "000000010000000A000000FF.0000000AFF000000.0000000000000001",  // nothing of it
           "000000010000000A000000FF.0000000B00000001.0000000000000001",  // more than all of it
           "000000010000000A000000FF.0000000AFEFFFFFF.0000000000000001",  // of the segment before
           "000000010000000A000000FF.0000000aff0139a0.0000000000000001",  // another spelling
           "000000010000000A000000FF.0000000AFF0139A0.000000000000000x",
           "000000010000000A000000FF.0000000AFF0139A0.000000000000001",    // too short
           "000000010000000A000000FF.0000000AFF0139A0.00000000000000001",  // too long
           "000000010000000A000000FF-0000000AFF0139A0.0000000000000001",
           "000000010000000A000000FF.0000000AFF0139A0-0000000000000001",
           "000000010000000a000000ff.0000000AFF0139A0.0000000000000001",
       })
    EXPECT_EQ(parse_tail_name(other), std::nullopt) << other;
}

// Every segment of three timelines, against how far PostgreSQL follows each.
TEST(TailLineage, NothingBeyondAForkIsEverUsed) {
  const std::vector<Departure> history{{1, 2 * kSegment + 100}, {2, 4 * kSegment}};
  for (Timeline timeline = 1; timeline <= 4; ++timeline)
    for (uint64_t number = 0; number < 7; ++number) {
      const std::string segment = segment_at(timeline, number * kSegment);
      const uint64_t start = number * kSegment, end = start + kSegment;
      std::optional<uint64_t> expected;
      if (timeline == 3) expected = end;
      if (timeline == 1 && start < history[0].position) expected = std::min(end, history[0].position);
      if (timeline == 2 && start < history[1].position) expected = std::min(end, history[1].position);
      EXPECT_EQ(belongs_until(segment, 3, history), expected) << segment;
    }
  EXPECT_EQ(belongs_until("00000003.history", 3, history), std::nullopt);
  EXPECT_EQ(belongs_until(segment_at(1, 0) + ".partial", 3, history), std::nullopt);
}

TEST(TailChoice, TheLongestOfThatSegment) {
  const std::string segment = segment_at(1, kSegment), next = segment_at(1, 2 * kSegment);
  const TailName early{segment, kSegment + 10}, late{segment, kSegment + 20}, other{next, 2 * kSegment + 5};
  EXPECT_EQ(longest_tail({early, late, other}, segment), late);
  EXPECT_EQ(longest_tail({late, early}, segment), late);
  EXPECT_EQ(longest_tail({other}, segment), std::nullopt);
  EXPECT_EQ(longest_tail({}, segment), std::nullopt);
  EXPECT_EQ(longest_tail({late}, segment_at(2, kSegment)), std::nullopt) << "of another timeline";
  // A primary that fell wrote on under the same timeline what the one of the next epoch never had.
  const TailName fell{segment, kSegment + 30, 4}, present{segment, kSegment + 20, 5};
  for (const auto& both : {std::vector{fell, present}, std::vector{present, fell}})
    EXPECT_EQ(longest_tail(both, segment), present);
}

TEST(TailRemoval, OnlyOnceAWholeSegmentHasAllThatCounts) {
  const uint64_t fork = 2 * kSegment + 100;
  const std::vector<Departure> history{{1, fork}, {2, fork + 200}, {3, 5 * kSegment}};
  const auto by = [&](Timeline timeline, uint64_t number) {
    return superseder_of({segment_at(timeline, number * kSegment), number * kSegment + 50}, 4, history);
  };
  EXPECT_EQ(by(4, 6), segment_at(4, 6 * kSegment));
  EXPECT_EQ(by(1, 1), segment_at(1, kSegment)) << "whole before the fork";
  EXPECT_EQ(by(1, 2), segment_at(3, 2 * kSegment)) << "timeline 2 has no whole segment of that number";
  EXPECT_EQ(by(1, 3), segment_at(3, 2 * kSegment)) << "nothing of it counts once what came instead is stored";
  EXPECT_EQ(by(3, 3), segment_at(3, 3 * kSegment));
  EXPECT_EQ(by(3, 5), segment_at(4, 5 * kSegment));
  EXPECT_EQ(by(5, 6), std::nullopt) << "of a timeline that is not known";
  EXPECT_EQ(superseder_of({segment_at(2, kSegment), kSegment + 1}, 4, {{1, fork}}), std::nullopt);
}

}  // namespace
}  // namespace twinspan::backup
