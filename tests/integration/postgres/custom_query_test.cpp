// People's queries for metrics on a real PostgreSQL.
#include "engines/postgres/custom_query.hpp"

#include "integration/postgres/pair.hpp"
#include "worker/postgres/custom_queries.hpp"

namespace twinspan::postgres::testing {
namespace {

using std::chrono::seconds;

class CustomQueryTest : public Pair {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(make_primary(east));
    auto session = open_local(east.layout, east.settings.port, kPatience);
    ASSERT_OK(session);
    ASSERT_OK(ensure_metrics_role(*session));
    ASSERT_OK(
        east.sql("CREATE TABLE orders (state text, n int); INSERT INTO orders VALUES ('open', 3), ('sent', NULL);"
                 "CREATE FUNCTION write() RETURNS int LANGUAGE sql SECURITY DEFINER AS"
                 " 'INSERT INTO orders VALUES (''x'', 1) RETURNING n'"));
  }
  // "N rows", or what is the matter.
  std::string answer(const std::string& text, std::vector<std::string> labels, std::vector<std::string> values,
                     seconds timeout = seconds(20)) {
    const auto rows =
        ask(east.layout, east.settings.port, {"postgres", text, std::move(labels), std::move(values), timeout});
    return rows ? std::to_string(rows->size()) + " rows" : rows.error().message;
  }
  static bool says(const std::string& answer, const std::string& words) {
    return answer.find(words) != std::string::npos;
  }
};

TEST_F(CustomQueryTest, ReadsWhatItMayReadAndNothingElse) {
  EXPECT_TRUE(says(answer("SELECT state, n FROM orders", {"state"}, {"n"}), "permission denied for table orders"));
  ASSERT_OK(east.sql("GRANT SELECT ON orders TO twinspan_metrics"));
  const auto rows = ask(east.layout, east.settings.port,
                        {"postgres", "SELECT state, n FROM orders ORDER BY 1;", {"state"}, {"n"}, seconds(20)});
  ASSERT_OK(rows);
  EXPECT_EQ(*rows, (std::vector<CustomRow>{{{"open"}, {3.0}}, {{"sent"}, {std::nullopt}}}));
  EXPECT_EQ(answer("SELECT count(*) AS n FROM pg_stat_activity WHERE query IS NOT NULL -- a comment", {}, {"n"}),
            "1 rows");
  EXPECT_EQ(answer("WITH a AS (SELECT 1 AS n) SELECT * FROM a", {}, {"n"}), "1 rows");
  EXPECT_TRUE(says(answer("SELECT pg_read_file('/etc/passwd') AS t, 1 AS n", {"t"}, {"n"}), "permission denied"));
}

TEST_F(CustomQueryTest, WhatIsNotOneSelectThatReadsIsRefused) {
  ASSERT_OK(east.sql("GRANT ALL ON orders TO twinspan_metrics"));
  for (const char* text :
       {"INSERT INTO orders VALUES ('x', 1) RETURNING n", "SELECT 1 AS n; DELETE FROM orders", "DELETE FROM orders",
        "SELECT 1 AS n) AS q; DELETE FROM orders; SELECT 1 FROM (SELECT 1 AS n", "SELECT write() AS n", "COMMIT",
        "WITH gone AS (DELETE FROM orders RETURNING n) SELECT n FROM gone", "SELECT n FROM orders FOR UPDATE",
        "SELECT 1 AS n /*", "COPY orders TO STDOUT",
        "SELECT set_config('transaction_read_only', 'off', false), write() AS n", "SELECT nextval('s')::int AS n",
        "SET ROLE postgres", "", ";"})
    EXPECT_FALSE(says(answer(text, {}, {"n"}), " rows")) << text;
  EXPECT_EQ(east.value("SELECT count(*) FROM orders"), "2");
  (void)answer("SELECT lo_create(0)::int AS n", {}, {"n"});  // which PostgreSQL 15 takes for a reader
  EXPECT_EQ(east.value("SELECT count(*) FROM pg_largeobject_metadata"), "0");
  EXPECT_TRUE(says(answer("SELECT 1 AS m", {}, {"n"}), "column q.n does not exist"));
  EXPECT_TRUE(says(answer("SELECT true AS n", {}, {"n"}), "cannot cast type boolean"));
  EXPECT_TRUE(says(answer("SELECT generate_series(1, 1001) AS n", {"n"}, {}), "more than 1000 rows"));
}

TEST_F(CustomQueryTest, OneThatIsSlowEndsInTimeAndLeavesNothingBehind) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(says(answer("SELECT 1 AS n FROM pg_sleep(60)", {}, {"n"}, seconds(1)), "statement timeout"));
  EXPECT_TRUE(says(
      answer("SELECT set_config('statement_timeout', '0', false), 1 AS n FROM pg_sleep(60)", {}, {"n"}, seconds(1)),
      "statement timeout"));
  EXPECT_LT(milliseconds_since(begin), 30000);
  EXPECT_TRUE(eventually(
      [&] { return east.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'twinspan_metrics'") == "0"; },
      kPatience));
}

TEST_F(CustomQueryTest, NobodyAsksAsASuperuserAndTheRoleIsMendedAndReachedBySocketOnly) {
  ASSERT_OK(east.sql("ALTER ROLE twinspan_metrics SUPERUSER PASSWORD 'pw'"));
  EXPECT_TRUE(says(answer("SELECT 1 AS n", {}, {"n"}), "is a superuser"));
  auto session = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(session);
  ASSERT_OK(ensure_metrics_role(*session));
  EXPECT_EQ(answer("SELECT 1 AS n", {}, {"n"}), "1 rows");
  ASSERT_OK(east.sql("ALTER ROLE twinspan_metrics PASSWORD 'pw'"));
  EXPECT_FALSE(Session::open(east.owner_conninfo("twinspan_metrics", "pw", "postgres"), kPatience));
}

// The thread: what changes in the spec or in the instance's part is followed.
TEST_F(CustomQueryTest, AnswersFollowTheSpecAndTheInstancesPart) {
  SystemClock clock;
  Mutex mutex;
  worker::CustomQueries::Standing standing{nullptr, ProcessState::kPrimaryRunning, true, 1};
  worker::CustomQueries queries(east.layout, east.settings.port, clock, [&] {
    MutexLock lock(mutex);
    return standing;
  });
  const auto declare = [&](std::vector<std::pair<std::string, api::AskedInstances>> wanted) {
    worker::Desired desired;
    for (const auto& [text, instances] : wanted) {
      api::CustomQuery one;
      one.name = "q" + std::to_string(desired.queries.size());
      one.query = text;
      one.database = "postgres";
      one.instances = instances;
      one.interval_seconds = 3600;
      one.values.emplace_back().column = "n";
      desired.queries.push_back(one);
    }
    MutexLock lock(mutex);
    standing.desired = std::make_shared<const worker::Desired>(std::move(desired));
    queries.poke();
  };
  // "q0=1 q1=!": the values, and who failed.
  const auto said = [&] {
    std::string text;
    for (const auto& one : queries.answers())
      text +=
          one.query.name + "=" + (one.error.empty() ? std::to_string(int(*one.rows.at(0).values.at(0))) : "!") + " ";
    return text;
  };
  const auto comes = [&](const std::string& wanted) { return eventually([&] { return said() == wanted; }, kPatience); };
  ASSERT_OK(east.sql("DROP OWNED BY twinspan_metrics; DROP ROLE twinspan_metrics"));
  declare({{"SELECT 1 AS n", api::AskedInstances::kAny},
           {"SELECT nonsense AS n", api::AskedInstances::kPrimary},
           {"SELECT 3 AS n", api::AskedInstances::kReplicas}});
  queries.start();
  EXPECT_TRUE(comes("q0=1 q1=! ")) << said() << ": the role is made";
  declare({{"SELECT 2 AS n", api::AskedInstances::kAny}, {"SELECT 4 AS n", api::AskedInstances::kPrimary}});
  EXPECT_TRUE(comes("q0=2 q1=4 ")) << said() << ": asked anew though an hour is not over";
  ASSERT_OK(east.sql("DROP OWNED BY twinspan_metrics; DROP ROLE twinspan_metrics"));
  declare({{"SELECT 5 AS n", api::AskedInstances::kAny}});
  EXPECT_TRUE(comes("q0=! ")) << said();
  declare({{"SELECT 2 AS n", api::AskedInstances::kAny}, {"SELECT 4 AS n", api::AskedInstances::kPrimary}});
  EXPECT_TRUE(comes("q0=2 q1=4 ")) << said() << ": it is made in the same life, too";
  {
    MutexLock lock(mutex);
    standing.process = ProcessState::kReplicaRunning;
  }
  EXPECT_TRUE(comes("q0=2 ")) << said();
  {
    MutexLock lock(mutex);
    standing.process = ProcessState::kStopped;
  }
  EXPECT_TRUE(comes("")) << said();
  queries.stop();
}

}  // namespace
}  // namespace twinspan::postgres::testing
