#include "engines/kafka/offsets.hpp"

#include <gtest/gtest.h>

#include <random>

namespace twinspan::kafka_engine {
namespace {

using How = Translated::How;
using Stretch = kafka_engine::Run;  // tests have a Run() of their own

TEST(Offsets, PagesAreReadAsTheyWereWritten) {
  const std::vector<Stretch> runs{{5, 0, 3}, {8, 4, 1}, {100, 5, 1}, {1'000'000'000'000, 9, 70000}};
  const std::string bytes = encode_page(runs);
  EXPECT_EQ(*decode_page(bytes), runs);
  EXPECT_FALSE(decode_page(""));
  EXPECT_FALSE(decode_page(bytes.substr(0, 1))) << "a page has a run at least";
  EXPECT_FALSE(decode_page(bytes.substr(0, bytes.size() - 1)));
  std::string later = bytes;
  later[0] = 2;
  EXPECT_EQ(decode_page(later).error().code, Code::kInvalid);
  EXPECT_FALSE(decode_page(std::string("\1\0\0\0", 4))) << "a run has a record at least";
  const PageName page{{"a.b-c", 12}, 7};
  EXPECT_EQ(*parse_page_key(page_key(page.partition, 7)), page);
  for (const char* wrong : {"", "holder", "t/1", "t/1@", "t/1@x", "t/1@-1", "t/1@1x", "/1@1", "t@1"})
    EXPECT_FALSE(parse_page_key(wrong)) << wrong;
}

TEST(Offsets, RunsThatGoOnAreOne) {
  OffsetHistory history;
  ASSERT_TRUE(history.add({10, 0, 5}));
  ASSERT_TRUE(history.add({15, 5, 5}));
  ASSERT_TRUE(history.add({20, 11, 5})) << "a marker lies between at the target";
  ASSERT_TRUE(history.add({30, 16, 5})) << "and at the source";
  EXPECT_EQ(*decode_page(history.pages().at(0)), (std::vector<Stretch>{{10, 0, 10}, {20, 11, 5}, {30, 16, 5}}));
  EXPECT_EQ(history.add({34, 30, 1}).error().code, Code::kConflict);
  EXPECT_EQ(history.add({40, 20, 1}).error().code, Code::kConflict);
}

// Of any history each offset is where the slowest way finds it, as it was made, as it is read again, and where old
// pages are gone.
TEST(Offsets, EachIsTranslatedExactly_KF6) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<Stretch> runs;
    int64_t source = static_cast<int64_t>(random() % 50), target = static_cast<int64_t>(random() % 50);
    OffsetHistory history;
    std::map<int64_t, std::string> stored;
    for (unsigned i = 0, many = random() % 200; i < many; ++i) {
      source += random() % 3 == 0 ? 0 : static_cast<int64_t>(random() % 4);
      target += random() % 3 == 0 ? 0 : static_cast<int64_t>(random() % 3);
      const Stretch run{source, target, 1 + static_cast<int64_t>(random() % 5)};
      OffsetHistory tail = history.tail();
      ASSERT_TRUE(tail.add(run));
      for (auto& [number, page] : tail.pages()) stored[number] = page;  // as a lane does it
      ASSERT_TRUE(history.add(run));
      runs.push_back(run);
      source += run.count;
      target += run.count;
    }
    ASSERT_EQ(stored, history.pages()) << seed;
    OffsetHistory again;
    for (const auto& [number, page] : stored) ASSERT_TRUE(again.add_page(number, page));
    EXPECT_EQ(again.bytes(), history.bytes());
    OffsetHistory shorter = again;
    if (shorter.has_full()) shorter.forget_first();
    int64_t forgotten_to = -1;
    for (int64_t at = 0; at < source + 3; ++at) {
      Translated expected{How::kEnd, 7777};
      for (const Stretch& run : runs)
        if (at < run.source + run.count) {
          expected = {How::kRecord, run.target + std::max<int64_t>(0, at - run.source)};
          break;
        }
      ASSERT_EQ(history.translate(at, 7777), expected) << seed << " at " << at;
      ASSERT_EQ(again.translate(at, 7777), expected) << seed << " at " << at;
      const Translated late = shorter.translate(at, 7777);
      if (late.how == How::kForgotten) {
        EXPECT_EQ(forgotten_to, at - 1) << "what is forgotten is the oldest";
        forgotten_to = at;
      } else {
        ASSERT_EQ(late, expected) << seed << " at " << at;
      }
    }
    EXPECT_EQ(forgotten_to >= 0, again.has_full()) << seed;
  }
}

TEST(Offsets, WhatLiesBeforeAGapInTheNumbersCountsNoMore) {
  OffsetHistory history;
  ASSERT_TRUE(history.add_page(2, encode_page({{0, 0, 1}})));
  ASSERT_TRUE(history.add_page(4, encode_page({{10, 10, 1}})));
  EXPECT_EQ(history.first(), 4);
  EXPECT_EQ(history.translate(5, 50).how, How::kForgotten);
  EXPECT_EQ(history.translate(10, 50), (Translated{How::kRecord, 10}));
  EXPECT_EQ(history.add_page(5, encode_page({{3, 20, 1}})).error().code, Code::kInvalid) << "it is not behind";
}

TEST(Offsets, TheBookForgetsTheOldestOfWhoeverHasMost) {
  OffsetBook book;
  const PartitionName much{"t", 0}, little{"t", 1};
  for (const auto& [name, runs] : {std::pair{much, 200}, {little, 70}}) {
    book.begin(name, {}, 0);
    for (int64_t i = 0; i < runs; ++i) book.commit(name, {{3 * i, 2 * i, 1}}, 2 * i + 1);
  }
  EXPECT_TRUE(book.too_old(1 << 20).empty());
  const std::vector<PageName> old = book.too_old(300);
  ASSERT_GT(old.size(), 1u);
  EXPECT_EQ(old[0], (PageName{much, 0}));
  EXPECT_EQ(old[1], (PageName{much, 1}));
  for (const PageName& page : old) book.forget_page(page);
  EXPECT_TRUE(book.too_old(300).empty()) << "all that is too much at once";
  EXPECT_FALSE(book.too_old(0).empty());
  EXPECT_EQ(book.translate(much, 0).how, How::kForgotten);
  EXPECT_EQ(book.translate(much, 3 * 199), (Translated{How::kRecord, 2 * 199}));
  EXPECT_EQ(book.translate(much, 3 * 199 + 1), (Translated{How::kEnd, 2 * 199 + 1}));
}

TEST(Offsets, WhatIsNotKnownIsNotGuessed) {
  OffsetBook book;
  const PartitionName name{"t", 0};
  EXPECT_EQ(book.translate(name, 0).how, How::kUnknown);
  book.begin(name, {}, 9);
  EXPECT_EQ(book.translate(name, 0), (Translated{How::kEnd, 9})) << "nothing is mirrored yet";
  book.withhold(name);
  book.commit(name, {{0, 10, 1}}, 12);
  EXPECT_EQ(book.translate(name, 0).how, How::kUnknown);
  EXPECT_EQ(*decode_page(book.tail(name).pages().at(0)), (std::vector<Stretch>{{0, 10, 1}}))
      << "it is kept all the same";
  book.begin(name, {}, 9);
  EXPECT_EQ(book.translate(name, 0).how, How::kEnd);
}

}  // namespace
}  // namespace twinspan::kafka_engine
