#include "engines/postgres/archive/follow.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "backup/tail.hpp"

namespace twinspan::postgres {
namespace {

constexpr uint64_t kSegment = backup::kSegmentBytes;

// Timeline 1 was left in the middle of segment 5, timeline 3 at the very beginning of segment 9.
const Followed kFollowed{4, {{1, 5 * kSegment + 100}, {3, 9 * kSegment}}};

TEST(Follow, ItsWordReadsBackAndNothingElseDoes) {
  for (const Followed& one : {kFollowed, Followed{1, {}}, Followed{0xFFFFFFFF, {{7, 0}}}}) {
    const auto back = parse_followed(to_string(one));
    ASSERT_TRUE(back) << to_string(one);
    EXPECT_EQ(to_string(*back), to_string(one));
    EXPECT_EQ(back->timeline, one.timeline);
  }
  for (const char* text : {"", "0", "x", "1@", "1@0,", "@0,2", "1,2", "1@0 ,2", "1@0G,2", "-1", "4294967296", "1@0,2,"})
    EXPECT_FALSE(parse_followed(text)) << text;
}

// By enumeration: a segment is given where every byte of it is part of the history.
TEST(Follow, OnlyWhatIsWhollyPartOfTheHistory) {
  for (uint32_t timeline = 1; timeline <= 5; ++timeline)
    for (uint64_t number = 0; number < 12; ++number) {
      // Segments of timeline 3 before it began are none of its own: they are stored under the one before.
      const bool expected = timeline == 4 || (timeline == 1 && number < 5) || (timeline == 3 && number < 9);
      EXPECT_EQ(is_followed(backup::segment_name(timeline, number), kFollowed), expected) << timeline << " " << number;
    }
  for (const char* name : {"00000005.history", "00000004.history", "000000040000000000000001.partial", "",
                           "000000040000000000000001.00000028.backup", "../000000040000000000000001"})
    EXPECT_FALSE(is_followed(name, kFollowed)) << name;
}

TEST(Follow, WhatComesNextLiesOnTheTimelineThatTheHistoryIsOnThen) {
  EXPECT_EQ(segment_of_history(kFollowed, 0), backup::segment_name(1, 0));
  EXPECT_EQ(segment_of_history(kFollowed, 5 * kSegment - 1), backup::segment_name(1, 4));
  EXPECT_EQ(segment_of_history(kFollowed, 5 * kSegment), backup::segment_name(3, 5)) << "left within this segment";
  EXPECT_EQ(segment_of_history(kFollowed, 9 * kSegment - 1), backup::segment_name(3, 8));
  EXPECT_EQ(segment_of_history(kFollowed, 9 * kSegment), backup::segment_name(4, 9));
  EXPECT_EQ(segment_of_history({2, {}}, 7 * kSegment), backup::segment_name(2, 7));
}

// Whatever happens: 0 where it is there, else 1, with nothing left behind. A replica's PostgreSQL ends where more is
// answered.
TEST(Follow, AnswersZeroOrOne) {
  const std::string to = ::testing::TempDir() + "followed", name = backup::segment_name(4, 9);
  for (const std::optional<int> got : {std::optional<int>(0), std::optional<int>(1), std::optional<int>(42),
                                       std::optional<int>(126), std::optional<int>()}) {
    const auto archive_get = [&](const std::string& asked, const std::string& into) {
      EXPECT_EQ(asked, name);
      std::ofstream(into) << "a part";
      return got;
    };
    EXPECT_EQ(follow(kFollowed, name, to, archive_get), got == 0 ? 0 : 1);
    EXPECT_EQ(std::ifstream(to).good(), got == 0);
    std::remove(to.c_str());
  }
  EXPECT_EQ(follow(kFollowed, "00000005.history", to,
                   [](const std::string&, const std::string&) -> std::optional<int> {
                     ADD_FAILURE() << "not asked for";
                     return 0;
                   }),
            1);
}

}  // namespace
}  // namespace twinspan::postgres
