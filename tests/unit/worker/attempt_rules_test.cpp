#include "worker/postgres/backup/attempt_rules.hpp"

#include <gtest/gtest.h>

namespace twinspan::worker {
namespace {

api::BackupAssignment assignment(const std::string& stanza, const std::string& bucket, int64_t attempt) {
  api::BackupAssignment out;
  out.stanza = stanza;
  out.destination.s3.bucket = bucket;
  if (attempt > 0) out.run = api::BackupRun{"nightly-1", "uid", "east", attempt, api::BackupKind::kFull};
  return out;
}

// Everything that can be under way against everything that can be wanted.
TEST(AttemptRules, ACopyGoesOnExactlyWhileItIsWantedAndSecretsAreReadMeanwhile) {
  std::vector<std::optional<api::BackupAssignment>> any{std::nullopt};
  for (const char* stanza : {"orders-1", "orders-2"})
    for (const char* bucket : {"a", "b"})
      for (const int64_t attempt : {0, 1, 2}) any.emplace_back(assignment(stanza, bucket, attempt));
  for (const auto& under_way : any)
    for (const auto& wanted : any)
      for (const bool mine : {false, true})
        for (const bool over : {false, true}) {
          if (under_way && !under_way->run) continue;
          const AttemptView view{under_way, wanted, mine, over};
          const AttemptStep step = decide_attempt(view);
          EXPECT_EQ(step == AttemptStep::kBegin, !under_way && wanted && mine && !over);
          EXPECT_EQ(step == AttemptStep::kEnd, under_way && under_way != wanted);
          const bool elsewhere = under_way && wanted &&
                                 (under_way->stanza != wanted->stanza || under_way->destination != wanted->destination);
          EXPECT_EQ(may_configure(view), wanted && !elsewhere);
        }
}

}  // namespace
}  // namespace twinspan::worker
