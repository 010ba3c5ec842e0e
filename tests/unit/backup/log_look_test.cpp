#include "backup/log_look.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace twinspan::backup {
namespace {

// As pg_waldump 15 prints them under TZ=UTC.
constexpr const char* kLines[] = {
    "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/03000028, prev 0/02000148, desc: "
    "RESTORE_POINT first",
    "rmgr: Transaction len (rec/tot):     34/    34, tx:        731, lsn: 0/03000090, prev 0/03000028, desc: COMMIT "
    "2026-11-30 09:00:00.000001 UTC",
    "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 0/03000100, prev 0/03000090, desc: "
    "RESTORE_POINT pgBackRest Archive Check",
    "rmgr: Transaction len (rec/tot):    178/   178, tx:        732, lsn: 0/03000168, prev 0/03000100, desc: COMMIT "
    "2026-11-30 09:00:01.000001 UTC; inval msgs: catcache 80 catcache 79",
    "rmgr: Transaction len (rec/tot):     66/    66, tx:          0, lsn: 2/03000220, prev 0/03000168, desc: "
    "COMMIT_PREPARED 740: 2026-11-30 09:00:02.000001 UTC",
    "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 2/03000300, prev 0/03000220, desc: "
    "RESTORE_POINT twice",
    "rmgr: Transaction len (rec/tot):     34/    34, tx:        741, lsn: 2/03000400, prev 0/03000300, desc: ABORT "
    "2026-11-30 09:00:03.000001 UTC",
    "rmgr: XLOG        len (rec/tot):     98/    98, tx:          0, lsn: 2/03000500, prev 0/03000400, desc: "
    "RESTORE_POINT twice",
    "rmgr: Transaction len (rec/tot):     34/    34, tx:        750, lsn: 2/03000600, prev 0/03000500, desc: "
    "INVALIDATION ; inval msgs: catcache 80",
    "rmgr: XLOG        len (rec/tot):     24/    24, tx:          0, lsn: 2/03000700, prev 0/03000600, desc: SWITCH ",
    "pg_waldump: error: error in WAL record at 2/3000700: invalid record length at 2/3000718: wanted 24, got 0",
    ""};

Goal transaction(uint64_t number) {
  Goal goal;
  goal.kind = Goal::Kind::kTransaction;
  goal.number = number;
  return goal;
}
Goal point(const std::string& name) {
  Goal goal;
  goal.kind = Goal::Kind::kRestorePoint;
  goal.name = name;
  return goal;
}
// Later segments are read first, and the line at their border twice.
Found found(const Goal& goal) {
  LogLook look;
  for (const auto& [from, to] : {std::pair{4u, 12u}, {0u, 5u}})
    for (size_t i = from; i < to; ++i) read_line(kLines[i], goal, look);
  look.from = "A";
  look.to = "B";
  return found_in(look, goal);
}

TEST(LogLook, FindsTheEndOfATransactionHoweverItEnded) {
  const std::map<uint64_t, std::string> ends{
      {731, "0/3000090"}, {732, "0/3000168"}, {740, "2/3000220"}, {741, "2/3000400"}};
  for (const uint64_t number : {0u, 730u, 731u, 732u, 740u, 741u, 750u, 2026u})
    for (const uint64_t epoch : {0u, 3u}) {
      const Found one = found(transaction((epoch << 32) + number));
      const auto expected = ends.find(number);
      EXPECT_EQ(one.where.has_value(), expected != ends.end()) << number;
      if (one.where) {
        EXPECT_EQ(to_string(*one.where), expected->second);
        continue;
      }
      EXPECT_EQ(one.words,
                "it was not found, looked through A to B: the newest seen is 741, of 2026-11-30 09:00:03.000001 UTC");
    }
}

TEST(LogLook, FindsARestorePointThatIsThereOnceOnly) {
  EXPECT_EQ(to_string(found(point("first")).where.value_or(Position{})), "0/3000028");
  const Found twice = found(point("twice"));
  EXPECT_FALSE(twice.where);
  EXPECT_TRUE(twice.ambiguous);
  EXPECT_EQ(twice.words, "it is there 2 times, at 2/3000500, 2/3000300: take one of them as spec.target.lsn");
  const Found never = found(point("pgBackRest Archive Check"));
  EXPECT_FALSE(never.where);
  EXPECT_EQ(never.words, "it was not found, looked through A to B: there are \"twice\", \"twice\", \"first\"");
  EXPECT_EQ(found_in({}, point("x")).words,
            "it was not found, none of the log could be looked through: there are no restore points");
}

TEST(LogLook, WalksBackAcrossTimelines) {
  // Timeline 4 came of 2 in the middle of segment 0x103, 2 of 1 at the first byte of segment 0x101.
  Walk walk(4, {{1, uint64_t{0x101} << 24}, {2, (uint64_t{0x103} << 24) + 5}}, "000000040000000100000004", 0xFF);
  std::vector<std::string> names, here;
  while (const auto name = walk.next()) {
    names.push_back(*name);
    here.push_back(walk.name_here(*name));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"000000040000000100000004", "000000040000000100000003",
                                             "000000020000000100000002", "000000020000000100000001",
                                             "000000010000000100000000", "0000000100000000000000FF"}));
  EXPECT_EQ(here.back(), "0000000400000000000000FF");
  EXPECT_TRUE(walk.ended());
  Walk first(1, {}, "000000010000000000000001", 0);
  EXPECT_EQ(first.next(), "000000010000000000000001");
  EXPECT_EQ(first.next(), "000000010000000000000000");
  EXPECT_FALSE(first.next()) << "there is none before the first";
  EXPECT_FALSE(Walk(1, {}, "", 0).next());
}

}  // namespace
}  // namespace twinspan::backup
