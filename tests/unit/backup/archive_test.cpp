#include "backup/archive.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

TEST(ArchiveNames, ADigestIsThatOfExactlyThisSegment) {
  const std::string digest = "ebf2aa6702844166b6dd3afc31c4b000bb6be2c3", segment = "000000010000000000000002";
  EXPECT_EQ(stored_digest(segment + "-" + digest + ".zst\n", segment), digest);
  EXPECT_EQ(stored_digest(segment + "-" + digest, segment), digest);
  EXPECT_EQ(stored_digest(segment + ".partial-" + digest + ".zst\n", segment + ".partial"), digest);
  EXPECT_EQ(stored_digest(segment + ".partial-" + digest + ".zst\n", segment), std::nullopt);
  EXPECT_EQ(stored_digest("000000010000000000000003-" + digest + ".zst\n", segment), std::nullopt);
  EXPECT_EQ(stored_digest(segment + "-" + digest.substr(1) + "\n", segment), std::nullopt);
  EXPECT_EQ(stored_digest("", segment), std::nullopt);
}

// As 2.45 answers.
TEST(ArchiveNames, WhenASegmentWasStoredIsReadOrNotKnown) {
  const std::string segment = "000000010000000000000002";
  const std::string listing =
      R"({".":{"type":"path"},"000000010000000000000002-ebf2.zst":{"type":"file","size":3,"time":1795998962}})";
  EXPECT_EQ(stored_at(listing, segment), WallTime(std::chrono::seconds(1795998962)));
  for (const char* other : {"{}", "", "[]", R"({".":{"type":"path"}})",
                            R"({"000000010000000000000003-ebf2.zst":{"type":"file","time":1795998962}})",
                            R"({"000000010000000000000002-ebf2.zst":{"type":"file","time":"now"}})"})
    EXPECT_EQ(stored_at(other, segment), std::nullopt) << other;
}

TEST(ArchiveNames, WhatIsFromBeforeTheRepositoryIsKnownByItsName) {
  const std::string oldest = "000000020000000A00000010";
  for (const char* before :
       {"000000020000000A0000000F", "000000010000000A00000010", "000000010000000A00000010.partial", "00000001.history"})
    EXPECT_TRUE(is_before(before, oldest)) << before;
  for (const char* needed : {"000000020000000A00000010", "000000020000000A00000011", "000000030000000A00000001",
                             "00000002.history", "00000003.history"})
    EXPECT_FALSE(is_before(needed, oldest)) << needed;
  EXPECT_FALSE(is_before("000000010000000000000001", "")) << "nothing is stored yet";
}

// By enumeration: three timelines, left in segments 5 (in the middle) and 8 (at its very beginning).
TEST(ArchiveNames, WhatALaterTimelineHasIsLeftBehind) {
  const std::vector<Departure> history{{1, (5ULL << 24) + 100}, {2, 8ULL << 24}};
  for (uint32_t timeline = 1; timeline <= 4; ++timeline)
    for (uint64_t number = 0; number < 12; ++number) {
      char name[32];
      snprintf(name, sizeof name, "%08X%08X%08X", timeline, 0u, static_cast<unsigned>(number));
      const bool left = (timeline == 1 && number >= 5) || (timeline == 2 && number >= 8);
      EXPECT_EQ(is_left_behind(name, 3, history), left) << name;
      EXPECT_FALSE(is_left_behind(name, timeline, history)) << "the one that is written now: " << name;
      EXPECT_EQ(number_of(name), number);
      EXPECT_EQ(timeline_of(name), timeline);
    }
  EXPECT_TRUE(is_left_behind("000000010000000A000000FF", 3, history));
  EXPECT_FALSE(is_left_behind("00000002.history", 3, history));
  EXPECT_EQ(number_of("000000010000000A000000FF"), 0xAFFu);
}

TEST(ArchiveNames, NamesOfTheLogAreToldApart) {
  EXPECT_TRUE(is_segment("000000010000000A000000FF"));
  EXPECT_TRUE(is_segment("000000010000000A000000FF.partial"));
  EXPECT_FALSE(is_segment("000000010000000A000000FF.00000028.backup"));
  EXPECT_FALSE(is_segment("00000002.history"));
  EXPECT_TRUE(is_history("00000002.history"));
  EXPECT_FALSE(is_history("2.history"));
  EXPECT_EQ(folder_of("000000010000000A000000FF"), "15-1/000000010000000A");
}

}  // namespace
}  // namespace twinspan::backup
