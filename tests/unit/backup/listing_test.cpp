#include "backup/listing.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

const std::string kDigest = "-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.zst";

TEST(BackupListing, FoldersOfSegmentsNewestFirst) {
  const auto folders =
      folders_in(R"({".":{"type":"path"},"0000000100000000":{"type":"path"},"0000000200000001":{"type":"path"},)"
                 R"("0000000100000001":{"type":"path"},"00000002.history":{"type":"file","size":1,"time":2},"x":{}})");
  ASSERT_TRUE(folders);
  EXPECT_EQ(*folders, (std::vector<std::string>{"0000000200000001", "0000000100000001", "0000000100000000"}));
  EXPECT_TRUE(folders_in(R"({".":{"type":"path"}})")->empty());
  for (const char* broken : {"", "[]", "{", "ERROR: [103]"}) {
    EXPECT_FALSE(folders_in(broken)) << broken;
    EXPECT_FALSE(segments_in(broken, "0000000100000000")) << broken;
  }
}

TEST(BackupListing, OnlyWholeSegmentsCount) {
  const std::string folder = "000000020000000A";
  const std::string files = R"({".":{"type":"path"},")" + folder + "00000003" + kDigest + R"(":{},")" + folder +
                            "00000001" + kDigest + R"(":{},")" + folder + "00000002.partial" + kDigest + R"(":{},")" +
                            folder + R"(00000004":{},")" + folder + R"(00000005-short.zst":{},"0000000100000000)" +
                            "00000007" + kDigest + R"(":{}})";
  EXPECT_EQ(*segments_in(files, folder), (std::vector<uint64_t>{0xA01, 0xA03}));
  EXPECT_EQ(segment_name(2, 0xA03), folder + "00000003");
}

// Every subset of six segments on both sides of a folder's end: what lies between runs is exactly what is missing.
TEST(BackupListing, RunsHaveWhatIsThereAndNothingElse) {
  for (uint64_t subset = 0; subset < 64; ++subset) {
    std::map<std::string, std::vector<uint64_t>> segments;
    for (uint64_t i = 0; i < 6; ++i)
      if (subset >> i & 1) segments[i < 3 ? "0000000100000000" : "0000000100000001"].push_back(253 + i);
    uint64_t found = 0, last = 0;
    for (const SegmentRun& run : runs_of(segments)) {
      EXPECT_EQ(run.timeline, 1u);
      EXPECT_TRUE(last == 0 || run.first > last + 1) << "runs that touch are one";
      for (uint64_t number = run.first; number <= run.last; ++number) found |= uint64_t{1} << (number - 253);
      last = run.last;
    }
    EXPECT_EQ(found, subset);
  }
  EXPECT_EQ(runs_of({{"0000000100000000", {5}}, {"0000000200000000", {6}}}).size(), 2u) << "of another timeline";
}

TEST(BackupListing, TheLastTransactionThatEndedIsRead) {
  const std::string line =
      "rmgr: Transaction len (rec/tot):     46/    46, tx:        735, lsn: 0/030000D8, prev "
      "0/030000A0, desc: ";
  EXPECT_FALSE(last_end_in(""));
  EXPECT_FALSE(last_end_in(line + "ASSIGNMENT xtop 7: subxacts: 8\n"));
  EXPECT_FALSE(last_end_in(line + "COMMIT 2026-11-29 12:00:00.123456 CET; inval msgs\n")) << "of another zone";
  EXPECT_EQ(last_end_in(line + "COMMIT 2026-11-29 12:00:00.123456 UTC\n" + line +
                        "ABORT 2026-11-29 12:00:01.000001 UTC\n" + line + "COMMIT 20"),
            *parse_rfc3339("2026-11-29T12:00:01.000001Z"));
}

TEST(BackupListing, WhatAMemberReportsIsReadAsItWas) {
  BackupSet full;
  full.label = "20261101-020000F";
  full.timeline = 3;
  full.start = {0x5F000028};
  full.stop = {0x15F0139A0};
  full.started_at = *parse_rfc3339("2026-11-01T02:00:00Z");
  full.stopped_at = *parse_rfc3339("2026-11-01T02:10:00Z");
  full.size_bytes = 5;
  full.read_bytes = 4;
  full.stored_bytes = 3;
  std::vector<BackupSet> all{full};
  for (int i = 1; i <= 4; ++i) {  // each upon the one before, and names all of them
    BackupSet next = all.back();
    next.kind = i % 2 ? Kind::kIncremental : Kind::kDifferential;
    next.label = full.label + "_2026110" + std::to_string(i) + "-030000I";
    next.needs.push_back(all.back().label);
    next.corrupt = i % 2 == 1;
    all.push_back(next);
  }
  const auto lines = lines_of(all);
  EXPECT_LT(lines.back().size(), lines[1].size() + 40) << "what follows is not said again";
  std::vector<BackupSet> read;
  for (const std::string& line : lines) read.push_back(*backup_of_line(line));
  complete_needs(read);
  EXPECT_EQ(read, all);
  all.back().needs.push_back("lost");
  const auto broken = backup_of_line(lines_of(all).back());
  EXPECT_EQ(broken->needs.back(), "lost") << "what is not there is needed all the same";
  const SegmentRun run{7, 1, 0xFFFFFFFFFF};
  EXPECT_EQ(run_of_line(line_of(run)), run);
  const Line line{{4}, 7, 3, {0x1FFFFFFFF}};
  EXPECT_EQ(lineage_of_line(line_of(line)), line);
  for (const std::string broken_line : {"", "a", "1 2", "1 3 2", "a b c d", "1 2 3 x/y", "1 2 3 4 5"}) {
    EXPECT_FALSE(backup_of_line(broken_line)) << broken_line;
    EXPECT_FALSE(run_of_line(broken_line)) << broken_line;
    EXPECT_FALSE(lineage_of_line(broken_line)) << broken_line;
  }
}

TEST(BackupListing, AListingThatIsNotWholeTellsOfNoLog) {
  Listing listing;
  listing.log = {{1, 2, 5}, {1, 7, 9}};
  listing.commit = SeenCommit{1, 8, *parse_rfc3339("2026-11-29T12:00:00Z")};
  const auto stored = stored_of(listing);
  ASSERT_TRUE(stored.wal);
  EXPECT_EQ((*stored.wal)[0], (WalRange{1, {2 * kSegmentBytes}, {6 * kSegmentBytes}, std::nullopt}));
  EXPECT_EQ((*stored.wal)[1],
            (WalRange{1, {7 * kSegmentBytes}, {10 * kSegmentBytes}, listing.commit->at, Position{8 * kSegmentBytes}}));
  listing.trouble = "more than …";
  EXPECT_FALSE(stored_of(listing).wal);
}

TEST(Listing, SegmentsAreTakenOutOfTheirTimelineAlone) {
  const std::vector<SegmentRun> log{{1, 3, 9}, {2, 3, 9}};
  for (uint64_t first = 0; first < 12; ++first)
    for (uint64_t last = first; last < 12; ++last) {
      std::vector<SegmentRun> expected;
      for (uint64_t number = 3; number <= 9; ++number) {
        if (first <= number && number <= last) continue;
        if (!expected.empty() && expected.back().last + 1 == number)
          expected.back().last = number;
        else
          expected.push_back({1, number, number});
      }
      expected.push_back(log[1]);
      EXPECT_EQ(without(log, {1, first, last}), expected) << first << " " << last;
    }
}

}  // namespace
}  // namespace twinspan::backup
