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
