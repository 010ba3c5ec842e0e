#include "backup/read_back.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

constexpr const char* kDamaged = R"(stanza: s
status: error
  archiveId: 15-1, total WAL checked: 6, total valid WAL: 5
    missing: 0, checksum invalid: 0, size invalid: 0, other: 1
  backup: 20261130-090355F, status: invalid, total files checked: 965, total valid files: 964
    missing: 0, checksum invalid: 1, size invalid: 0, other: 0
  backup: 20261130-090355F_20261130-090357I, status: invalid, total files checked: 965, total valid files: 964
    missing: 0, checksum invalid: 1, size invalid: 0, other: 0
  backup: 20261130-090400F, status: valid, total files checked: 965, total valid files: 965
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
)";

TEST(ReadBackText, WhatVerifyFoundIsReadFromItsTextAlone) {
  const auto read = parse_read_back(kDamaged);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->whole);
  EXPECT_EQ(read->valid, std::vector<std::string>{"20261130-090400F"});
  EXPECT_EQ(read->invalid, (std::vector<std::string>{"20261130-090355F", "20261130-090355F_20261130-090357I"}));
  EXPECT_EQ(read->segments, 6);
  EXPECT_EQ(read->segments_valid, 5);
}

TEST(ReadBackText, WholeIsOnlyWhatIsSaidToBeInEveryPart) {
  const char* head = "stanza: s\nstatus: ";
  const char* log = "  archiveId: 15-1, total WAL checked: 6, total valid WAL: ";
  const char* backup = "  backup: 20261130-090355F, status: ";
  for (const char* status : {"ok", "error"})
    for (const char* valid : {"6", "5"})
      for (const char* state : {"valid", "invalid", "manifest missing", "in-progress"}) {
        const auto read = parse_read_back(std::string(head) + status + "\n" + log + valid + "\n" + backup + state +
                                          ", total files checked: 1, total valid files: 1\n");
        ASSERT_TRUE(read);
        const std::string said = state;
        EXPECT_EQ(read->whole, status == std::string("ok") && valid == std::string("6") &&
                                   (said == "valid" || said == "in-progress"));
      }
  for (const char* text : {"", "stanza: s\n", "ERROR"}) EXPECT_FALSE(parse_read_back(text)) << text;
}

TEST(ReadBackText, DamagedObjectsAreNamed) {
  EXPECT_EQ(damage_in("INFO: file missing '20261130-090355F/pg_data/base/1/1247.zst'"),
            "file missing '20261130-090355F/pg_data/base/1/1247.zst'");
  EXPECT_EQ(damage_in("INFO: invalid result 15-1/0000000100000000/000000010000000000000002-1c.zst: [95] raised from"),
            "invalid result 15-1/0000000100000000/000000010000000000000002-1c.zst");
  EXPECT_EQ(damage_in("INFO: verify command end: completed successfully (16564ms)"), "");
}

}  // namespace
}  // namespace twinspan::backup
