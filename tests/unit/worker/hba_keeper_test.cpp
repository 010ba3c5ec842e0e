#include "worker/postgres/hba_keeper.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "api/hba_lines.hpp"
#include "folder.hpp"

namespace twinspan::worker {
namespace {

using Lines = HbaKeeper::Lines;

class HbaKeeperTest : public InAFolder {
 protected:
  const Lines good_{"hostssl all reports 10.0.0.0/8 scram-sha-256"}, bad_{"hostssl all all 10.0.0.0/33 reject"};
};

TEST_F(HbaKeeperTest, NobodyIsLetInBeforeTheFirstLinesWereFoundRight) {
  ASSERT_TRUE(let_nobody_in(dir_));
  HbaKeeper keeper(dir_);
  EXPECT_EQ(keeper.to_give({}), Lines()) << "Twinspan's alone need no judgement";
  EXPECT_FALSE(keeper.to_give(good_));
  EXPECT_TRUE(keeper.is_unjudged(good_));
  EXPECT_FALSE(keeper.said_of(good_));
  ASSERT_TRUE(keeper.judged(bad_, {{0, "invalid CIDR mask"}}));
  EXPECT_FALSE(keeper.to_give(bad_));
  EXPECT_TRUE(keeper.said_of(bad_)->shut) << "it can't be said that others stay in force";
  ASSERT_TRUE(keeper.judged(good_, {}));
  EXPECT_EQ(keeper.to_give(good_), good_);
  EXPECT_FALSE(keeper.is_unjudged(good_));
  EXPECT_EQ(keeper.said_of(good_), (ObjectsReport{api::hba_fingerprint(good_), {}}));
}

TEST_F(HbaKeeperTest, WrongLinesChangeNothingAndAreNamedAndNotAskedOfAgain) {
  HbaKeeper keeper(dir_);
  ASSERT_TRUE(keeper.judged(good_, {}));
  ASSERT_TRUE(keeper.judged(bad_, {{0, "invalid CIDR mask"}}));
  EXPECT_EQ(keeper.to_give(bad_), good_);
  EXPECT_FALSE(keeper.is_unjudged(bad_));
  const auto said = keeper.said_of(bad_);
  ASSERT_TRUE(said);
  EXPECT_EQ(said->troubles, (std::vector<ObjectsReport::Trouble>{
                                {"spec.postgres.hba[0] \"hostssl all all 10.0.0.0/33 reject\"", "invalid CIDR mask"}}));
  // Taken back: nothing is to be asked.
  EXPECT_FALSE(keeper.is_unjudged(good_));
  EXPECT_EQ(keeper.said_of(good_), (ObjectsReport{api::hba_fingerprint(good_), {}}));
  // None at all is no way around the record of what is in force.
  EXPECT_TRUE(keeper.is_unjudged({}));
  EXPECT_FALSE(keeper.said_of({}));
}

TEST_F(HbaKeeperTest, WhatAnotherLinkHadInForceIsForgotten) {
  HbaKeeper keeper(dir_);
  ASSERT_TRUE(keeper.judged(good_, {}));
  ASSERT_TRUE(let_nobody_in(dir_));
  EXPECT_FALSE(keeper.to_give(good_));
  EXPECT_TRUE(keeper.is_unjudged(good_));
}

// An upgrade, or a clone of a primary that is not upgraded yet: clients got in, and a wrong line shuts nobody out.
TEST_F(HbaKeeperTest, DataOfAVersionThatKnewNoLinesHaveTwinspansAloneInForce) {
  HbaKeeper keeper(dir_);
  EXPECT_EQ(keeper.to_give(bad_), Lines());
  EXPECT_TRUE(keeper.is_unjudged(bad_));
  ASSERT_TRUE(keeper.judged(bad_, {{0, "invalid CIDR mask"}}));
  EXPECT_EQ(keeper.to_give(bad_), Lines());
  EXPECT_FALSE(keeper.said_of(bad_)->shut);
}

TEST_F(HbaKeeperTest, ARestartedAgentAndACloneHaveWhatWasInForce) {
  ASSERT_TRUE(HbaKeeper(dir_).judged(good_, {}));
  EXPECT_EQ(HbaKeeper(dir_).to_give(bad_), good_);
  EXPECT_TRUE(HbaKeeper(dir_).is_unjudged(bad_)) << "a new agent asks itself";
  for (const char* strange : {"", "{", "[]", R"({"lines": 1})"}) {
    std::ofstream(dir_ + "/twinspan_hba.json") << strange;
    EXPECT_FALSE(HbaKeeper(dir_).to_give(good_)) << strange;
    EXPECT_TRUE(HbaKeeper(dir_).is_unjudged(good_)) << strange;
  }
}

}  // namespace
}  // namespace twinspan::worker
