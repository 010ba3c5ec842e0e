#include "worker/s3/copy_record.hpp"

#include <gtest/gtest.h>

#include "unit/s3_engine/fake_bucket.hpp"

namespace twinspan::worker_s3 {
namespace {

const Direction kNow{6, "sgp", false, true};  // the primary is who it was in epoch 5

struct Records {
  s3::FakeBucket target{"nyc"};

  void write(const s3::Share& share, CopyRecord record) {
    EXPECT_TRUE(write_copy_record(target, copy_record_key("shop", "b", share), record, {}));
  }
  LearntRecord learn(const s3::Share& share, const Direction& direction = kNow) {
    return *learn_copy_record(target, "shop", "b", share, direction, {});
  }
};

CopyRecord reconciled(int64_t epoch = 5) { return {"sgp", epoch, true, true, "2026-11-28T15:41:00Z"}; }

// Reconciled anew after each change of spec.s3.workers, a copy that was made a moment before its original was written
// again won by its date, and what a client had written to the primary was gone (gardener, S3 seed 108).
TEST(CopyRecord, OfANewDivisionKnowsWhatAllSharesOfAFormerOneHaveFound) {
  for (const int former : {1, 3})
    for (const int64_t epoch : {5, 6})
      for (const int count : {1, 2, 4}) {
        if (count == former) continue;
        Records records;
        for (int index = 0; index < former; ++index) records.write({index, former}, reconciled(epoch));
        const LearntRecord learnt = records.learn({count - 1, count});
        EXPECT_TRUE(learnt.record.reconciled) << former << " to " << count;
        EXPECT_TRUE(learnt.record.equal_once);
        EXPECT_EQ(learnt.record.epoch, 6);
        EXPECT_EQ(learnt.record.listed_at, "") << "it has listed nothing";
        EXPECT_TRUE(learnt.stored_epoch != 0 && learnt.stored_epoch != 6) << "it is written as this share's own";
      }
}

TEST(CopyRecord, OfANewDivisionKnowsNothingWhereOneShareOfTheFormerIsMissingOrOfAnotherTime) {
  Records missing;
  for (int index : {0, 2}) missing.write({index, 3}, reconciled());
  EXPECT_FALSE(missing.learn({0, 2}).record.reconciled);

  Records half;
  for (int index : {0, 1, 2}) half.write({index, 3}, reconciled());
  half.write({1, 3}, {"sgp", 5, false, true, ""});
  EXPECT_FALSE(half.learn({0, 2}).record.reconciled);
  EXPECT_TRUE(half.learn({0, 2}).record.equal_once);

  for (const Direction& other : {Direction{6, "sgp", false, false}, {7, "sgp", false, true}, {6, "nyc", false, true}}) {
    Records records;
    records.write({0, 1}, reconciled());
    const LearntRecord learnt = records.learn({0, 2}, other);
    EXPECT_FALSE(learnt.record.reconciled || learnt.record.equal_once) << other.epoch << other.primary;
  }
}

TEST(CopyRecord, OfAnotherLinkWhoseNameBeginsSoIsNone) {
  Records records;
  EXPECT_TRUE(write_copy_record(records.target, copy_record_key("shop", "b~", {}), reconciled(), {}));
  EXPECT_TRUE(write_copy_record(records.target, copy_record_key("shop", "b2", {}), reconciled(), {}));
  EXPECT_FALSE(records.learn({0, 2}).record.reconciled);
}

// What it has found in this epoch is said by its own record alone.
TEST(CopyRecord, OfAShareIsReadWithoutALookAtOthersWhereItTells) {
  Records records;
  records.write({0, 2}, reconciled(6));
  records.target.forget_calls();
  EXPECT_EQ(records.learn({0, 2}).record.listed_at, "2026-11-28T15:41:00Z");
  EXPECT_EQ(records.target.calls("list"), 0);
}

}  // namespace
}  // namespace twinspan::worker_s3
