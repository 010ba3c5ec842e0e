#include "engines/postgres/statistics.hpp"

#include <gtest/gtest.h>

namespace twinspan::postgres {
namespace {

constexpr const char* kText = R"({"connections": {"active": 3, "idle": 40}, "max": 100, "blocked": 1, "oldest": 12.5,
  "prepared": 0, "wal": 12345678901, "wal_directory": 33554432, "timed": 7, "requested": 2,
  "databases": [{"name": "shop", "size": 8000000, "xid": 1200, "multixact": 1, "commits": 10, "rollbacks": 2, "deadlocks": 1,
                 "conflicts": null, "temporary": 0, "read": 5, "hit": 50}],
  "slots": [{"name": "twinspan_west", "active": true, "kept": null}]})";

TEST(Statistics, AreReadWhole) {
  const auto seen = parse_statistics(kText);
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_EQ(seen->connections.at("idle"), 40);
  EXPECT_EQ(seen->wal_written_bytes, 12345678901U);
  EXPECT_EQ(seen->oldest_transaction_seconds, 12.5);
  ASSERT_EQ(seen->databases.size(), 1U);
  EXPECT_EQ(seen->databases[0].deadlocks, 1);
  EXPECT_EQ(seen->databases[0].conflicts, 0);
  ASSERT_EQ(seen->slots.size(), 1U);
  EXPECT_EQ(seen->slots[0].kept_bytes, 0U) << "a slot that keeps nothing yet";
}

TEST(Statistics, ThatLackSomethingAreNone) {
  for (const char* text : {"", "[]", "{}", R"({"connections": {}, "max": "many"})"}) {
    const auto seen = parse_statistics(text);
    ASSERT_FALSE(seen) << text;
    EXPECT_EQ(seen.error().code, Code::kInvalid);
  }
}

}  // namespace
}  // namespace twinspan::postgres
