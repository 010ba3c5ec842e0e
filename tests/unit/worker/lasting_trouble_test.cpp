#include "worker/postgres/backup/lasting_trouble.hpp"

#include <gtest/gtest.h>

namespace twinspan::worker {
namespace {

using std::chrono::seconds;

// One request that fails is no state: it is told once it has lasted, or at once where it can't pass by itself.
TEST(LastingTrouble, WhatMayPassIsToldOnlyOnceItHasLasted) {
  const BootTime start = BootTime{} + seconds(100);
  for (const auto code : {Code::kUnavailable, Code::kTimeout, Code::kThrottled, Code::kConflict, Code::kNotFound,
                          Code::kInvalid, Code::kDenied, Code::kInternal})
    for (const seconds later : {seconds(0), seconds(19), seconds(20), seconds(3600)}) {
      const Error error = fail(code, "no").error();
      LastingTrouble trouble;
      EXPECT_EQ(trouble.words(), "");
      trouble.failed(error, start);
      trouble.failed(error, start + later);
      EXPECT_EQ(trouble.words().empty(), error.retryable && later < seconds(20)) << to_string(code) << later.count();
      trouble.passed();
      EXPECT_EQ(trouble.words(), "");
      trouble.failed(fail(Code::kTimeout, "slow").error(), start + later + seconds(1));
      EXPECT_EQ(trouble.words(), "") << "what passed begins anew";
    }
}

TEST(LastingTrouble, WhatWasToldStaysUntilItPassesWithTheNewestWords) {
  LastingTrouble trouble;
  trouble.failed(fail(Code::kDenied, "refused").error(), BootTime{});
  trouble.failed(fail(Code::kTimeout, "slow").error(), BootTime{} + seconds(1));
  EXPECT_EQ(trouble.words(), "slow");
}

TEST(LastingTrouble, EachFailureIsTriedAgainLaterUpToABound) {
  LastingTrouble trouble;
  for (const int64_t pause : {1, 2, 4, 8, 8, 8}) {
    trouble.failed(fail(Code::kTimeout, "slow").error(), BootTime{} + seconds(7));
    EXPECT_EQ(trouble.again_at(), BootTime{} + seconds(7) + seconds(pause));
  }
  trouble.passed();
  trouble.failed(fail(Code::kTimeout, "slow").error(), BootTime{});
  EXPECT_EQ(trouble.again_at(), BootTime{} + seconds(1));
}

}  // namespace
}  // namespace twinspan::worker
