#include "failover/epochs.hpp"

#include <gtest/gtest.h>

#include "failover/memory.hpp"

namespace twinspan {
namespace {

EpochHistory history(std::initializer_list<std::pair<int64_t, uint64_t>> entries) {
  EpochHistory made;
  for (const auto& [epoch, start] : entries) made.push_back({{epoch}, {start}});
  return made;
}

TEST(Epochs, WhatBelongsToAnotherPrimaryIsNotContained) {
  const EpochHistory theirs = history({{1, 0}, {3, 10}});
  EXPECT_TRUE(contained(history({{1, 0}}), {10}, theirs));
  EXPECT_TRUE(contained(history({{1, 0}, {3, 10}}), {12}, theirs));
  // Promoted in epoch 2 from the same position: the timeline's number and its fork are the same, the records are not.
  EXPECT_FALSE(contained(history({{1, 0}, {2, 10}}), {11}, theirs));
}

TEST(Epochs, AnEpochOfWhichNothingIsHereDoesNotCount) {
  EXPECT_TRUE(contained(history({{1, 0}, {2, 10}}), {10}, history({{1, 0}, {3, 10}})));
}

TEST(Epochs, WhatIsNotRememberedIsNotJudged) {
  EXPECT_TRUE(contained({}, {11}, history({{3, 10}})));
  EXPECT_TRUE(contained(history({{2, 10}}), {11}, {}));
  EXPECT_TRUE(contained(history({{1, 0}, {2, 5}}), {11}, history({{3, 10}, {4, 12}})));
}

TEST(Epochs, ABeginningLeavesOutWhatTheDataLack) {
  EXPECT_EQ(with_epoch(history({{1, 0}, {3, 10}}), {4}, {10}), history({{1, 0}, {4, 10}}));
  EXPECT_EQ(with_epoch(history({{1, 0}, {3, 10}}), {4}, {12}), history({{1, 0}, {3, 10}, {4, 12}}));
  EpochHistory many;
  for (int64_t i = 1; i <= 100; ++i) many = with_epoch(many, {i}, {static_cast<uint64_t>(i)});
  EXPECT_EQ(many.size(), kEpochsKept);
  EXPECT_EQ(many.back().epoch, Epoch{100});
}

TEST(Epochs, AreReadAsTheyWereWritten) {
  const EpochHistory written = history({{1, 0}, {3, 0x5000148}});
  EXPECT_EQ(to_string(written), "1:0/0,3:0/5000148");
  EXPECT_EQ(parse_epoch_history(to_string(written)), written);
  EXPECT_EQ(parse_epoch_history(""), EpochHistory());
  for (const char* bad : {"1", "1:", "x:0/0", "3:0/0,1:0/5", "0:0/0", "1:0/0;3:0/1"})
    EXPECT_EQ(parse_epoch_history(bad), EpochHistory()) << bad;
}

TEST(Epochs, PositionsCompareWhatBothHave) {
  const EpochHistory theirs = history({{1, 0}, {3, 10}});
  EXPECT_EQ(common_end(history({{1, 0}}), {30}, theirs), Position{10}) << "they left this log at 10";
  EXPECT_EQ(common_end(history({{1, 0}}), {8}, theirs), Position{8});
  EXPECT_EQ(common_end(history({{1, 0}, {2, 6}}), {30}, theirs), Position{6}) << "this one left theirs at 6";
  EXPECT_EQ(common_end(theirs, {30}, theirs), Position{30});
  EXPECT_EQ(common_end({}, {30}, theirs), Position{30}) << "what is not remembered is not judged";
}

TEST(Epochs, NameTheLogOfTheData) {
  MemberMemory memory;
  EXPECT_EQ(log_of(memory), Epoch{0});
  memory.data_epoch = Epoch{5};
  EXPECT_EQ(log_of(memory), Epoch{5});
  memory.epochs = history({{1, 0}, {3, 10}});
  EXPECT_EQ(log_of(memory), Epoch{3});
  memory.data_epoch = Epoch{0};
  EXPECT_EQ(log_of(memory), Epoch{0}) << "a copy that follows nobody yet";
}

}  // namespace
}  // namespace twinspan
