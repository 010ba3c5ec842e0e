#include "worker/postgres/backup/let_go.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "unit/worker/folder.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::seconds;

constexpr uint64_t kGiB = 1 << 30;
const WallTime kAt = *parse_rfc3339("2026-11-29T12:00:00Z");

BootTime at(int64_t s) { return BootTime(seconds(s)); }
std::string segment(int number) { return fmt::format("0000000100000000{:08X}", number); }

// Everything that can be the case, against what must hold.
TEST(LetGo, OnlyWhereNothingIsStoredForLongAndRoomIsShort) {
  for (const std::optional<uint64_t> free : {std::optional<uint64_t>(), std::optional<uint64_t>(0),
                                             std::optional<uint64_t>(19 * kGiB), std::optional<uint64_t>(20 * kGiB)})
    for (const std::optional<int64_t> since :
         {std::optional<int64_t>(), std::optional<int64_t>(41), std::optional<int64_t>(40)})
      for (const uint64_t let_go : {uint64_t{0}, kGiB / 2, 2 * kGiB}) {
        LetGoView view;
        if (free) view.volume = postgres::Volume{100 * kGiB, *free};
        view.keep_free_percent = 20;
        if (since) view.unstored_since = at(*since);
        view.let_go_bytes = let_go;
        view.now = at(100);
        const bool low = free && *free < 20 * kGiB;
        const bool lasts = since && 100 - *since >= 60;
        const bool enough = low && let_go >= 20 * kGiB - *free;
        EXPECT_EQ(may_let_go(view), low && lasts && !enough)
            << free.value_or(1) << " " << since.value_or(-1) << " " << let_go;
      }
}

TEST(LetGo, WhatIsKnownOfAVolumeIsTold) {
  const std::string words = let_go_cause("east", {100 * kGiB, 12 * kGiB + 5}, 20);
  EXPECT_NE(words.find("the volume of east had 12% free, less than keepFreePercent (20)"), words.npos) << words;
}

TEST(DroppedLogRecord, GrowsByWhatFollows) {
  std::vector<DroppedLog> ranges;
  for (const int number : {4, 5, 5, 6, 8}) note_dropped(ranges, segment(number), "why", kAt);
  note_dropped(ranges, "000000020000000000000009", "why", kAt);
  ASSERT_EQ(ranges.size(), 3u);
  EXPECT_EQ(ranges[0], (DroppedLog{segment(4), segment(6), "why", "2026-11-29T12:00:00Z"}));
  EXPECT_EQ(ranges[1].from + ranges[1].to, segment(8) + segment(8));
  EXPECT_EQ(ranges[2].from, "000000020000000000000009") << "another timeline's";
  for (int number = 100; number < 500; number += 2) note_dropped(ranges, segment(number), "why", kAt);
  EXPECT_EQ(ranges.size(), kDroppedMost);
  EXPECT_EQ(ranges.back().to, segment(498));
}

TEST(DroppedLogRecord, LosesWhatSomebodyStoredAfterAll) {
  std::set<std::string> archive;
  const auto has = [&](const std::string& name) -> Result<bool> { return archive.contains(name); };
  const std::vector<std::string> numbers{"0000000100000000000000FE", "0000000100000000000000FF",
                                         "000000010000000100000000", "000000010000000100000001"};
  const std::vector<DroppedLog> whole{{numbers.front(), numbers.back(), "why", "t"}};
  EXPECT_EQ(*still_missing(whole, has), whole);
  archive = {numbers[1]};
  EXPECT_EQ(*still_missing(whole, has),
            (std::vector<DroppedLog>{{numbers[0], numbers[0], "why", "t"}, {numbers[2], numbers[3], "why", "t"}}));
  archive = {numbers.begin(), numbers.end()};
  EXPECT_TRUE(still_missing(whole, has)->empty());
  EXPECT_FALSE(still_missing(whole, [](const std::string&) -> Result<bool> { return fail(Code::kTimeout, "away"); }))
      << "what can't be told is no answer";
}

// What is stored under the name of one that could not be stored for that is not this database's.
TEST(DroppedLogRecord, KeepsWhatLiesUnderAnothersBytes) {
  std::vector<DroppedLog> ranges;
  note_dropped(ranges, segment(4), "why", kAt);
  note_dropped(ranges, segment(5), "why", kAt, true);
  note_dropped(ranges, segment(6), "why", kAt, true);
  note_dropped(ranges, segment(7), "why", kAt);
  ASSERT_EQ(ranges.size(), 3u);
  const auto all = [](const std::string&) -> Result<bool> { return true; };
  EXPECT_EQ(*still_missing(ranges, all), (std::vector<DroppedLog>{ranges[1]}));
  EXPECT_EQ(ranges[1].from + ranges[1].to, segment(5) + segment(6));
}

// The repository is asked for minutes; PostgreSQL does not wait for that.
TEST(DroppedLogRecord, WhatIsLetGoWhileTheRepositoryIsAskedStays) {
  const std::vector<DroppedLog> asked{{segment(1), segment(2), "why", "t"}, {segment(4), segment(6), "why", "t"}};
  const std::vector<DroppedLog> missing{{segment(5), segment(5), "why", "t"}};
  EXPECT_EQ(with_answers(asked, asked, missing), missing);
  EXPECT_EQ(with_answers({}, {}, {}), std::vector<DroppedLog>{});
  const std::vector<DroppedLog> first{{segment(9), segment(9), "why", "t"}};
  EXPECT_EQ(with_answers(first, {}, {}), first);
  std::vector<DroppedLog> now = asked;
  now.back().to = segment(8);
  now.push_back({segment(11), segment(11), "why", "u"});
  EXPECT_EQ(with_answers(now, asked, missing),
            (std::vector<DroppedLog>{
                missing[0], {segment(7), segment(8), "why", "t"}, {segment(11), segment(11), "why", "u"}}));
  EXPECT_EQ(with_answers({now[2]}, asked, missing), std::vector<DroppedLog>{now[2]}) << "of another record: as it is";
}

using DroppedLogFile = InAFolder;

TEST_F(DroppedLogFile, OutlivesTheAgentAndIsOneDatabases) {
  EXPECT_TRUE(read_dropped(dir_, "orders-77")->empty()) << "nothing was ever let go";
  const std::vector<DroppedLog> ranges{{segment(4), segment(6), "why", "2026-11-29T12:00:00Z"}};
  ASSERT_TRUE(write_dropped(dir_, "orders-77", ranges));
  EXPECT_EQ(*read_dropped(dir_, "orders-77"), ranges);
  EXPECT_TRUE(read_dropped(dir_, "orders-78")->empty());
  std::ofstream(dir_ + "/dropped.json") << "{";
  EXPECT_FALSE(read_dropped(dir_, "orders-77")) << "never read as nothing";
}

}  // namespace
}  // namespace twinspan::worker
