#include "backup/lineage.hpp"

#include <gtest/gtest.h>

#include <random>

namespace twinspan::backup {
namespace {

EpochHistory epochs(std::initializer_list<int64_t> numbers) {
  EpochHistory history;
  for (const int64_t number : numbers) history.push_back({Epoch{number}, {}});
  return history;
}

TEST(Lineage, ItsNameReadsBackAndNothingElseDoes) {
  for (const LineageEntry& one : {LineageEntry{1, 1, 0}, {5, 3, 0x5000148}, {UINT64_MAX, UINT32_MAX, UINT64_MAX}})
    EXPECT_EQ(parse_lineage_entry(to_string(one)), one) << to_string(one);
  EXPECT_EQ(to_string(LineageEntry{5, 3, 0x5000148}), "0000000000000005-00000003-0000000005000148");
  for (const char* text :
       {"", "0000000000000005-00000000-0000000005000148", "0000000000000005_00000003-0000000005000148",
        "0000000000000005-00000003-000000000500014", "0000000000000005-00000003-0000000005000148x",
        "000000000000000a-00000003-0000000005000148", "notes.txt"})
    EXPECT_EQ(parse_lineage_entry(text), std::nullopt) << text;
}

TEST(Lineage, ATimelineBeginsWhereItsHistoryEnds) {
  EXPECT_EQ(lineage_entry(1, 1, {}), (LineageEntry{1, 1, 0}));
  EXPECT_EQ(lineage_entry(7, 4, {{1, 100}, {3, 900}}), (LineageEntry{7, 4, 900}));
  EXPECT_EQ(lineage_entry(7, 4, {}), std::nullopt) << "its history is not known yet";
  EXPECT_EQ(lineage_entry(7, 1, {{1, 100}}), std::nullopt);
  EXPECT_EQ(lineage_entry(7, 0, {}), std::nullopt);
}

// Two promotions that never heard of each other take the same number, also at the same position; a primary that starts
// again in another epoch keeps its own.
TEST(Lineage, ARivalIsWhoeverBeganTheSameNumberInAnotherEpoch) {
  const std::vector<LineageEntry> noted{{1, 1, 0}, {5, 2, 900}};
  EXPECT_EQ(rival_of({5, 2, 900}, noted), std::nullopt);
  EXPECT_EQ(rival_of({6, 3, 900}, noted), std::nullopt) << "another number";
  EXPECT_EQ(rival_of({6, 2, 800}, noted), (LineageEntry{5, 2, 900}));
  EXPECT_EQ(rival_of({6, 2, 900}, noted), (LineageEntry{5, 2, 900})) << "from where both had all";
  EXPECT_EQ(rival_of({4, 2, 900}, noted), (LineageEntry{5, 2, 900})) << "whoever comes late";
  EXPECT_EQ(rival_of({5, 2, 800}, noted), (LineageEntry{5, 2, 900})) << "a cluster that went back: epochs repeat";
  // Who was held up noted it after this one had.
  EXPECT_EQ(rival_of({6, 2, 800}, {{5, 2, 900}, {6, 2, 800}}), std::nullopt);
  EXPECT_EQ(rival_of({5, 2, 900}, {{5, 2, 900}, {6, 2, 800}}), (LineageEntry{6, 2, 800}));
  // Of data that don't remember in which epoch they began.
  EXPECT_EQ(rival_of({0, 2, 900}, noted), std::nullopt);
  EXPECT_EQ(rival_of({0, 2, 800}, noted), (LineageEntry{5, 2, 900}));
  EXPECT_EQ(rival_of({5, 2, 900}, {{0, 2, 900}}), std::nullopt);
  EXPECT_EQ(rival_of({5, 2, 900}, {{0, 2, 700}}), (LineageEntry{0, 2, 700}));
}

TEST(Lineage, WhatIsStoredUnderANumberIsOursWhereItsEpochAndItsBeginningAre) {
  const std::vector<LineageEntry> noted{{1, 1, 0}, {5, 2, 900}, {7, 3, 950}, {0, 8, 990}};
  const std::vector<Departure> history{{1, 900}, {2, 950}, {3, 990}};
  EXPECT_TRUE(is_ours(2, history, noted, epochs({1, 5})));
  EXPECT_FALSE(is_ours(2, history, noted, epochs({1, 6}))) << "another promotion's";
  EXPECT_FALSE(is_ours(2, {{1, 800}}, noted, epochs({1, 5}))) << "of another life of the cluster, where epochs repeat";
  EXPECT_FALSE(is_ours(4, history, noted, epochs({1, 5}))) << "nobody's";
  EXPECT_TRUE(is_ours(2, {}, {{7, 3, 950}}, epochs({1, 7}))) << "of before the first note";
  EXPECT_FALSE(is_ours(1, {}, {}, epochs({1})));
  EXPECT_TRUE(is_ours(2, history, noted, epochs({6, 7}))) << "of before all that is remembered";
  EXPECT_FALSE(is_ours(2, {{1, 800}}, noted, epochs({6, 7})));
  EXPECT_TRUE(is_ours(2, history, noted, {}));
  EXPECT_TRUE(is_ours(8, history, noted, epochs({1, 5})));
}

TEST(Lineage, ANumberIsTakenWhereAnothersLogMayLieInTheWayOfThePresentOne) {
  constexpr uint64_t kSegment = kSegmentBytes;
  const std::vector<LineageEntry> noted{{1, 1, 0}, {5, 2, kSegment + 900}};
  // A primary of epoch 8 on timeline 4, which came from an epoch 6 that had the number 2, and was refused.
  const std::vector<Departure> history{{1, kSegment + 900}, {2, 5 * kSegment}};
  EXPECT_EQ(taken_by_others(noted, history, epochs({1, 6, 8})), (std::set<Timeline>{2}));
  EXPECT_EQ(taken_by_others(noted, history, epochs({1, 5, 8})), std::set<Timeline>{});
  EXPECT_EQ(taken_by_others({}, history, epochs({1, 6, 8})), std::set<Timeline>{}) << "before there were notes";
  EXPECT_EQ(taken_by_others(noted, {{1, kSegment + 800}, {2, 5 * kSegment}}, epochs({1, 5, 8})),
            (std::set<Timeline>{2}))
      << "begun elsewhere: of another life of the cluster";
  // It was left in the segment in which it began: its epoch may be forgotten, and the next timeline has all of it.
  EXPECT_EQ(taken_by_others(noted, {{1, kSegment + 900}, {2, kSegment + 950}}, epochs({1, 8})), std::set<Timeline>{});
}

// By a model: promotions, of which some fail after they stored their history or some log. Whatever is stored, the
// timeline of the last one that noted itself is followed, and never one that did not.
TEST(Lineage, TheNewestEpochsTimelineIsFollowedWhateverElseIsStored) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    LineageNotes noted;
    std::set<Timeline> stored;
    std::optional<Timeline> expected;
    Timeline timeline = 0;
    for (uint64_t epoch = 1; epoch < 2 + random() % 8; ++epoch) {
      timeline += 1 + random() % 2;
      const bool notes = random() % 3 != 0, stores = random() % 3 != 0;
      if (notes) noted.begun.push_back({epoch, timeline, epoch * 100});
      if (stores) stored.insert(timeline);
      if (notes && stores) expected = timeline;
    }
    std::ranges::shuffle(noted.begun, random);
    EXPECT_EQ(newest_of(noted, stored), expected);
  }
}

TEST(Lineage, ATimelineIsTheLinksWhereItIsNotedOrTheNewestCameFromIt) {
  const LineageNotes noted{{{5, 4, 900}, {7, 6, 2000}}, {}, {}};
  const std::vector<Departure> history{{1, 500}, {4, 2000}};
  for (const auto& [timeline, its] :
       {std::pair{1, true}, {2, true}, {3, true}, {4, true}, {5, false}, {6, true}, {7, false}})
    EXPECT_EQ(is_of_lineage(static_cast<Timeline>(timeline), noted, history), its)
        << timeline << ": of those before the first note nothing is known";
  EXPECT_EQ(words_of({{noted.begun[1], noted.begun[0]}, {}, {}}), "4 (from 0/384, epoch 5), 6 (from 0/7D0, epoch 7)");
}

// A primary that was taken back in place after another had begun a later timeline.
TEST(Lineage, WhoGoesOnAfterALaterOneSaysSo) {
  LineageNotes noted{{{1, 1, 0}, {5, 3, 500}}, {}, {}};
  const OwnLineage before{{5, 3, 500}, 5, {{1, 500}}, epochs({1, 5})},
      again{{5, 3, 500}, 7, {{1, 500}}, epochs({1, 5})};
  EXPECT_EQ(names_to_note(before, noted), std::vector<std::string>{});
  EXPECT_EQ(names_to_note(again, noted), std::vector<std::string>{}) << "nobody came in between";
  noted.begun.push_back({6, 4, 600});
  EXPECT_EQ(newest_of(noted, {1, 3, 4}), 4u);
  EXPECT_EQ(later_than(3, noted), 4u);
  EXPECT_EQ(later_than(4, noted), std::nullopt);
  EXPECT_EQ(later_than(2, noted), std::nullopt) << "nothing is known of it";
  const auto names = names_to_note(again, noted);
  ASSERT_EQ(names, (std::vector<std::string>{"resumed/" + to_string(LineageEntry{7, 3, 500})}));
  noted.resumed.push_back({7, 3, 500});
  EXPECT_EQ(newest_of(noted, {1, 3, 4}), 3u);
  EXPECT_EQ(later_than(3, noted), std::nullopt);
  EXPECT_EQ(later_than(4, noted), 3u);
  EXPECT_EQ(names_to_note(again, noted), std::vector<std::string>{});
  EXPECT_EQ(lineage_in({to_string(LineageEntry{1, 1, 0}), to_string(LineageEntry{5, 3, 500}),
                        to_string(LineageEntry{6, 4, 600}), names[0], "notes.txt", "resumed/x", "other/" + names[0]}),
            noted);
}

// Epoch 5 had number 3 and stored under it, epoch 6 had it too and was refused, epoch 7 came from that one.
TEST(Lineage, WhatIsAnothersUnderANumberIsToldAndNothingBehindItsBeginningIsUsed) {
  constexpr uint64_t kSegment = kSegmentBytes;
  LineageNotes noted{{{1, 1, 0}, {5, 3, 2 * kSegment}}, {}, {}};
  const OwnLineage own{{7, 4, 9 * kSegment}, 7, {{1, 2 * kSegment + 450}, {3, 9 * kSegment}}, epochs({1, 6, 7})};
  const LineageEntry taken{7, 3, 2 * kSegment + 450};
  EXPECT_EQ(names_to_note(own, noted), (std::vector<std::string>{"taken/" + to_string(taken), to_string(own.begun)}));
  noted.taken.push_back(taken);
  EXPECT_EQ(taken_from(own.history, {400}, noted), Position{taken.from});
  EXPECT_EQ(taken_from(own.history, {taken.from}, noted), Position{taken.from});
  EXPECT_EQ(taken_from(own.history, {9 * kSegment}, noted), std::nullopt) << "a backup of after it";
  EXPECT_EQ(taken_from({{1, 500}}, {400}, noted), std::nullopt) << "whoever follows the other";
  // Nor is it there for those who say what can be restored.
  const std::vector<SegmentRun> log{{1, 0, 2}, {3, 1, 8}, {4, 9, 12}};
  EXPECT_EQ(without_taken(log, noted), (std::vector<SegmentRun>{{1, 0, 2}, {3, 1, 1}, {4, 9, 12}}));
  EXPECT_EQ(without_taken(log, {noted.begun, {}, {}}), log);
}

// Of a timeline above the newest that is noted, of which log is stored.
TEST(Lineage, WhetherALaterTimelineCameFromTheNewestIsNotGuessed) {
  const LineageNotes noted{{{1, 1, 0}, {5, 3, 900}}, {}, {}};
  using History = std::optional<std::vector<Departure>>;
  for (const auto& [timeline, history, asks] :
       {std::tuple{4u, History(std::vector<Departure>{{1, 900}, {3, 990}}), true},
        {4u, History(std::vector<Departure>{{1, 900}}), false},  // a promotion that failed: it left before
        {4u, History(), true},                                   // nobody can tell
        {3u, History(std::vector<Departure>{{1, 900}}), false},
        {2u, History(), false}})
    EXPECT_EQ(needs_a_word(timeline, history, 3, noted), asks) << timeline << ' ' << history.has_value();
}

}  // namespace
}  // namespace twinspan::backup
