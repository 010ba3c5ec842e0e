#include "worker/postgres/backup/in_place_keeper.hpp"

#include <gtest/gtest.h>

namespace twinspan::worker {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

class NextStep : public testing::Test {
 protected:
  NextStep() {
    order_.name = "back@1";
    order_.in_place = api::InPlaceAssignment{"east", 24, false, false};
    seen_.order = &order_;
    seen_.known = seen_.may_write = true;
  }
  api::RestoreAssignment order_;
  InPlaceSeen seen_;
};

TEST_F(NextStep, WhatIsAskedForIsPreparedOnceByThePrimaryAlone) {
  EXPECT_EQ(next_step(seen_), InPlaceStep::kPrepare);
  seen_.anything = true;  // of an attempt before
  EXPECT_EQ(next_step(seen_), InPlaceStep::kPrepare);
  seen_.prepared = "back@1";
  EXPECT_EQ(next_step(seen_), InPlaceStep::kPrepared);
  // It hands over to itself: what is whole stays, and goes on being told.
  seen_.may_write = false;
  EXPECT_EQ(next_step(seen_), InPlaceStep::kPrepared);
  seen_.prepared.clear();
  EXPECT_EQ(next_step(seen_), InPlaceStep::kForget) << "a half of it is of no use to who lost the role";
  seen_.anything = false;
  EXPECT_EQ(next_step(seen_), InPlaceStep::kNothing);
}

TEST_F(NextStep, WhatNobodyAsksForGoes) {
  seen_.anything = true;
  seen_.prepared = "another@2";
  EXPECT_EQ(next_step(seen_), InPlaceStep::kForget) << "another order's";
  seen_.order = nullptr;
  for (const bool may_write : {false, true}) {
    seen_.may_write = may_write;
    EXPECT_EQ(next_step(seen_), InPlaceStep::kForget);
  }
  seen_.prepared.clear();
  seen_.anything = false;
  EXPECT_EQ(next_step(seen_), InPlaceStep::kNothing);
  seen_.said = true;
  EXPECT_EQ(next_step(seen_), InPlaceStep::kForget) << "nor is it spoken of any more";
}

// An agent that can't see the link knows of no order that was taken away.
TEST_F(NextStep, WhileTheLinkIsNotKnownEverythingStays) {
  seen_ = {};
  seen_.anything = seen_.said = true;
  seen_.prepared = "back@1";
  EXPECT_EQ(next_step(seen_), InPlaceStep::kNothing);
}

TEST_F(NextStep, WhatWasCarriedOutIsNotBegunAnew) {
  seen_.done = "back@1";
  EXPECT_EQ(next_step(seen_), InPlaceStep::kDone);
  order_.in_place->bring_back = true;
  EXPECT_EQ(next_step(seen_), InPlaceStep::kNotKept);
  seen_.kept = KeptData{"back@1", {}, false};
  EXPECT_EQ(next_step(seen_), InPlaceStep::kPrepared);
  seen_.done_back = true;
  seen_.kept->restored = true;
  EXPECT_EQ(next_step(seen_), InPlaceStep::kDone);
  // Its mark is gone with what another restore left: what was restored does not count as the old data.
  seen_.done = "another@2";
  EXPECT_EQ(next_step(seen_), InPlaceStep::kNotKept);
}

TEST_F(NextStep, OnlyOfItsOwnOrderAndByItsWordDataAreReplaced) {
  Desired desired;
  desired.settings.endpoint = "east";
  EXPECT_FALSE(may_replace(nullptr, "back@1"));
  EXPECT_FALSE(may_replace(&desired, "back@1"));
  desired.restore = order_;
  EXPECT_EQ(in_place_order(&desired), &*desired.restore);
  EXPECT_FALSE(may_replace(&desired, "back@1")) << "nobody said so yet";
  desired.restore->in_place->replace = true;
  EXPECT_TRUE(may_replace(&desired, "back@1"));
  EXPECT_FALSE(may_replace(&desired, "back@2"));
  EXPECT_FALSE(may_replace(&desired, ""));
  desired.settings.endpoint = "west";
  EXPECT_EQ(in_place_order(&desired), nullptr);
  EXPECT_FALSE(may_replace(&desired, "back@1")) << "another member's order";
  desired.settings.endpoint = "east";
  desired.restore->in_place.reset();
  EXPECT_FALSE(may_replace(&desired, "back@1")) << "of first data";
}

TEST(RoomBeside, IsTheBackupATenthAndAGiB) {
  EXPECT_EQ(lacks_room(10 * kGiB, 12 * kGiB), "");
  const std::string words = lacks_room(10 * kGiB, 12 * kGiB - 1);
  EXPECT_NE(words.find("12.0 GiB are needed"), std::string::npos) << words;
  EXPECT_NE(words.find("can't be restored"), std::string::npos) << "trying again would not help: " << words;
  EXPECT_EQ(lacks_room(0, kGiB), "");
  EXPECT_NE(lacks_room(0, kGiB - 1), "");
}

// Replayed, the making of a tablespace would empty the directory that the running primary has.
TEST(TablespacesBeside, OfAfterTheBackupAreNotReplayed) {
  EXPECT_EQ(makes_tablespaces({}, {}), "");
  EXPECT_EQ(makes_tablespaces({}, {{16400, "/data/tablespaces/restored-back@1/16400"}}), "") << "dropped since";
  EXPECT_EQ(makes_tablespaces({{16400, "/data/fast"}}, {{16400, "/data/tablespaces/restored-back@1/16400"}}), "");
  const std::string words = makes_tablespaces({{16400, "/data/fast"}, {16401, "/data/slow"}}, {{16400, "/x"}});
  EXPECT_NE(words.find("/data/slow"), std::string::npos) << words;
  EXPECT_NE(words.find("can't be restored"), std::string::npos) << words;
}

}  // namespace
}  // namespace twinspan::worker
