#include "worker/postgres/metrics.hpp"

#include <gtest/gtest.h>

#include "worker/postgres/jobs.hpp"

namespace twinspan::worker {
namespace {

TEST(Metrics, CountsWhatTheAgentDidByNameAndResult) {
  Metrics metrics({"orders", "shop", "west"});
  metrics.action(name_of(Job{Follow{"east"}}), true);
  metrics.action(name_of(Job{Follow{"north"}}), true);
  metrics.action(name_of(Job{Open{}}), false);
  const std::string text = metrics.text();
  const auto line = [&](const std::string& labels, const std::string& value) {
    for (size_t at = text.find("twinspan_agent_actions_total{"); at != std::string::npos;
         at = text.find("twinspan_agent_actions_total{", at + 1)) {
      const std::string found = text.substr(at, text.find('\n', at) - at);
      if (found.find(labels) != std::string::npos && found.ends_with(" " + value)) return true;
    }
    return false;
  };
  EXPECT_TRUE(line("action=\"Follow\",", "2")) << text;
  EXPECT_TRUE(line("result=\"error\"", "1")) << text;
  EXPECT_FALSE(line("action=\"Follow(", "1")) << text;
}

std::string value_of(const std::string& text, const std::string& series) {
  const size_t at = text.find("\n" + series + "{");
  if (at == std::string::npos) return "";
  const size_t space = text.find("} ", at) + 2;
  return text.substr(space, text.find('\n', space) - space);
}

// What is not known is never 0.
TEST(Metrics, OfWhatIsNotKnownAreNoNumbersOrHaveNoSeries) {
  Metrics metrics({"orders", "shop", "west"});
  metrics.report({});
  const std::string text = metrics.text();
  for (const char* name :
       {"twinspan_wal_position_bytes", "twinspan_timeline", "twinspan_replication_lag_seconds",
        "twinspan_replication_lag_bytes", "twinspan_volume_free_bytes", "twinspan_wal_unsafe_seconds",
        "twinspan_wal_unsafe_bytes", "twinspan_wal_max_delay_seconds"})
    EXPECT_EQ(value_of(text, name), "Nan") << name;
  EXPECT_EQ(text.find("twinspan_postgres_connections"), std::string::npos);
  EXPECT_EQ(text.find("twinspan_certificate_ends"), std::string::npos);
}

TEST(Metrics, TakeWhatPostgresCountsAsItIs) {
  Metrics metrics({"orders", "shop", "west"});
  postgres::Statistics seen;
  seen.connections = {{"active", 3}, {"idle in transaction", 2}};
  seen.max_connections = 100;
  seen.wal_written_bytes = 12345678901;
  seen.databases.push_back({"shop", 8000000, 1200, 1, 10, 2, 1, 0, 0, 5, 50});
  seen.slots.push_back({"twinspan_east", false, 4096});
  const std::string text = metrics.text(seen, 1.8e9);
  EXPECT_EQ(value_of(text, "twinspan_postgres_wal_written_bytes_total"), "12345678901");
  EXPECT_EQ(value_of(text, "twinspan_postgres_database_xid_age"), "1200");
  EXPECT_EQ(value_of(text, "twinspan_postgres_slot_kept_bytes"), "4096");
  EXPECT_EQ(value_of(text, "twinspan_certificate_ends_timestamp_seconds"), "1800000000");
  EXPECT_NE(text.find("# TYPE twinspan_postgres_wal_written_bytes_total counter"), std::string::npos);
  EXPECT_NE(text.find("state=\"idle in transaction\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("namespace=\"shop\",database=\"shop\"} 8000000\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace twinspan::worker
