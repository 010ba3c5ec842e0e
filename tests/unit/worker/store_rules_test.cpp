#include "worker/postgres/backup/store_rules.hpp"

#include <gtest/gtest.h>

namespace twinspan::worker {
namespace {

constexpr const char* kSegment = "000000010000000000000002";
constexpr const char* kHistory = "00000002.history";
constexpr const char* kLabel = "000000010000000000000002.00000028.backup";

// Everything that can be the case, against what must hold.
TEST(StoreRules, AFileIsForgottenOnlyWhereNobodyWantsIt) {
  for (int bits = 0; bits < 256; ++bits)
    for (const char* name : {kSegment, kHistory, kLabel}) {
      const auto is = [&](int bit) { return (bits >> bit & 1) != 0; };
      const StoreView view{is(0), is(1), is(2), is(3), is(4), is(5), is(6), is(7)};
      const StoreStep step = decide_store(view, name);
      SCOPED_TRACE(testing::Message() << bits << " " << name);
      if (view.ending) {
        EXPECT_EQ(step, StoreStep::kEnd);
        continue;
      }
      const bool other_needs_none = view.backed_up && ((!view.archiver && name == kLabel) || view.left_behind);
      EXPECT_EQ(step == StoreStep::kForget, view.link_known && (!view.backed_up || other_needs_none));
      // Only the primary stores, and only with its lease in hand.
      const bool stores =
          view.link_known && view.backed_up && !view.left_behind && view.ready && view.archiver && view.may_store;
      EXPECT_EQ(step == StoreStep::kPush, stores && !view.others);
      EXPECT_EQ(step == StoreStep::kLetGo, stores && view.others) << "and tells so";
      EXPECT_EQ(step == StoreStep::kCompare, view.link_known && view.backed_up && !view.left_behind && view.ready &&
                                                 !view.archiver && name != kLabel);
    }
}

}  // namespace
}  // namespace twinspan::worker
