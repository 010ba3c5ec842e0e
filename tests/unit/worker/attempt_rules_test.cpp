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

// Everything that may be asked, of everybody who may hear it.
TEST(AttemptRules, ARunIsOfTheMemberThatIsNamedAsLongAsItIsWhatItWasNamedAs) {
  for (const char* archiver : {"east", "west"})
    for (const char* source : {"", "east", "west"})
      for (const char* self : {"east", "west", "west-2"})
        for (const bool may_store : {false, true})
          for (const bool follows : {false, true}) {
            api::BackupAssignment wanted = assignment("orders-1", "a", *source ? 1 : 0);
            wanted.archiver = archiver;
            if (wanted.run) wanted.run->endpoint = source;
            const Member member{self, may_store, follows};
            const bool named = wanted.run && std::string(source) == self;
            const bool is_archiver = std::string(archiver) == self;
            EXPECT_EQ(is_its_run(wanted, member), named && (is_archiver ? may_store : follows));
            EXPECT_EQ(helps(wanted, member), wanted.run && is_archiver && !named && may_store);
            EXPECT_FALSE(helps(std::nullopt, member));
          }
}

}  // namespace
}  // namespace twinspan::worker
