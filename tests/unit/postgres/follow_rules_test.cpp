// Who may be followed, by what name, and what is seen of it.
#include "engines/postgres/follow_rules.hpp"

#include <gtest/gtest.h>

namespace twinspan::postgres {
namespace {

SourceSeen fine() {
  SourceSeen seen;
  seen.version = 150004;
  seen.wal_level = "logical";
  seen.free_slots = seen.free_senders = kFollowSlots;
  seen.may_replicate = seen.may_create = true;
  return seen;
}
const ImportSource kSource{"old.shop", 5432, "shop", "reader", "verify-full", "", ""};

TEST(FollowRules, EachDatabaseHistoryAndSourceHasANameOfItsOwnThatASlotMayHave) {
  std::set<std::string> names;
  for (const ImportOrigin& origin : {ImportOrigin{"7001", 5, 1}, {"7001", 5, 2}, {"7001", 6, 1}, {"7002", 5, 1}})
    for (const char* host : {"old.shop", "other.shop"}) {
      ImportSource source = kSource;
      source.host = host;
      const std::string name = follow_name(origin, source, "Größe \"of\" a-name_that-is-longer-than-thirty-two-bytes");
      EXPECT_LE(name.size(), 63u);
      EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos) << name;
      EXPECT_FALSE(name.starts_with("twinspan_")) << "a source that is a link's primary would drop it";
      EXPECT_TRUE(name.starts_with(kImportSubscription));
      names.insert(name);
    }
  EXPECT_EQ(names.size(), 8u);
}

TEST(FollowRules, HalfOfAnImportGoesOnInTheTimelineItBeganInAndByItsOwnSubscription) {
  ImportFound found;
  found.mark = ImportMark::kBegun;
  found.origin = {"7001", 5, 3};
  found.timeline_now = 3;
  found.subscriptions = {"twin_import_a"};
  EXPECT_TRUE(goes_on(found, "twin_import_a"));
  EXPECT_FALSE(goes_on(found, "twin_import_b"));
  found.timeline_now = 4;  // whoever was promoted may lack what the source was told is here
  EXPECT_FALSE(goes_on(found, "twin_import_a"));
  found.origin.timeline = found.timeline_now = 0;  // an earlier version's mark
  EXPECT_FALSE(goes_on(found, "twin_import_a"));
}

TEST(FollowRules, WhatIsInTheWayIsNamedWithWhatToDo) {
  EXPECT_TRUE(may_follow(fine(), kSource));
  const std::vector<std::pair<void (*)(SourceSeen&), const char*>> ways{
      {[](SourceSeen& seen) { seen.version = 100023; }, "PostgreSQL 10, which can't be followed"},
      {[](SourceSeen& seen) { seen.in_recovery = true; }, "host has to be its primary's"},
      {[](SourceSeen& seen) { seen.wal_level = "replica"; }, "ALTER SYSTEM SET wal_level = logical"},
      {[](SourceSeen& seen) { seen.free_slots = 2; }, "2 replication slots left"},
      {[](SourceSeen& seen) { seen.free_senders = 0; }, "max_wal_senders"},
      {[](SourceSeen& seen) { seen.may_replicate = false; }, "ALTER ROLE \"reader\" REPLICATION"},
      {[](SourceSeen& seen) { seen.may_create = false; }, "GRANT CREATE ON DATABASE \"shop\" TO \"reader\""},
      {[](SourceSeen& seen) { seen.of_others = {"a.b"}; }, "may not publish a.b"},
      {[](SourceSeen& seen) { seen.unreadable_sequences = {"a.s"}; }, "may not read a.s"},
      {[](SourceSeen& seen) { seen.without_identity = {"a", "b", "c", "d", "e", "f", "g"}; },
       "without replica identity: a, b, c, d, e and 2 more"},
      {[](SourceSeen& seen) { seen.unlogged = {"a.u"}; }, "unlogged: a.u"},
      {[](SourceSeen& seen) { seen.always_triggers = {"t of a.b"}; }, "t of a.b"},
      {[](SourceSeen& seen) { seen.large_objects = 3; }, "3 large objects"},
  };
  for (const auto& [spoil, words] : ways) {
    SourceSeen seen = fine();
    spoil(seen);
    const Status verdict = may_follow(seen, kSource);
    ASSERT_FALSE(verdict) << words;
    EXPECT_EQ(verdict.error().code, Code::kInvalid);
    EXPECT_NE(verdict.error().message.find(words), std::string::npos) << verdict.error().message;
  }
}

TEST(FollowRules, DifferencesNameBothSides) {
  EXPECT_EQ(differences({"table a (id integer)"}, {"table a (id integer)"}), "");
  EXPECT_EQ(differences({"table a (id bigint)", "table b"}, {"table a (id integer)"}),
            "only at the source: table a (id bigint), table b; only here: table a (id integer)");
  EXPECT_EQ(differences({}, {"index i"}), "only here: index i");
}

TEST(FollowRules, ATableThatWasMadeOnBothSidesIsNotFollowed) {
  EXPECT_EQ(not_followed({"public.a", "public.b"}, {"public.b", "public.a"}), "");
  EXPECT_EQ(not_followed({"public.a", "public.later"}, {"public.a"}),
            "made since, its rows are not followed: public.later");
  EXPECT_EQ(not_followed({}, {"public.dropped"}), "");
}

TEST(FollowRules, WhatIsFoundOutHereNeedsNoExplanation) {
  EXPECT_TRUE(follow_error({Code::kConflict, "tables are being written to", true}).retryable);
  EXPECT_EQ(follow_error({Code::kGone, "slot is lost", false}).message, "slot is lost");
  EXPECT_EQ(follow_error({Code::kUnavailable, "FATAL: password authentication failed", true}).code, Code::kInvalid);
}

TEST(FollowRules, WhatFailsAgainAndAgainWithoutProgressIsTold) {
  using Verdict = FollowTrouble::Verdict;
  FollowTrouble trouble;
  FollowSeen seen;
  seen.confirmed = "0/10";
  seen.apply_errors = 40;  // of long ago
  EXPECT_EQ(trouble.look(seen), Verdict::kFine);
  ++seen.apply_errors;
  EXPECT_EQ(trouble.look(seen), Verdict::kFine) << "one failure may pass";
  ++seen.apply_errors;
  EXPECT_EQ(trouble.look(seen), Verdict::kApplyFails);
  EXPECT_EQ(trouble.look(seen), Verdict::kApplyFails) << "until something comes";
  seen.confirmed = "0/20";
  EXPECT_EQ(trouble.look(seen), Verdict::kFine);
  seen.apply_errors = 0;  // statistics begin anew with a crash
  EXPECT_EQ(trouble.look(seen), Verdict::kFine);
  seen.copy_errors = 2;
  seen.confirmed = "0/30";  // of other tables
  EXPECT_EQ(trouble.look(seen), Verdict::kCopyFails);
  seen.here = 1;
  EXPECT_EQ(trouble.look(seen), Verdict::kFine);
}

}  // namespace
}  // namespace twinspan::postgres
