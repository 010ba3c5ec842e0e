#include "worker/postgres/backup/restored_checks.hpp"

#include <gtest/gtest.h>

#include "worker/postgres/backup/test_conf.hpp"

namespace twinspan::worker {
namespace {

TEST(RestoredChecks, OneRowOfOneNumberThatIsLargeEnough) {
  const auto holds = [](const postgres::Rows& rows, int64_t at_least) {
    const Status judged = judge_check(rows, at_least);
    return judged ? std::string("holds") : judged.error().message;
  };
  EXPECT_EQ(holds({{"1"}}, 1), "holds");
  EXPECT_EQ(holds({{"0"}}, 1), "gives 0, at least 1 is expected");
  EXPECT_EQ(holds({{"9007199254740993"}}, 9007199254740993), "holds");
  EXPECT_EQ(holds({{"9007199254740992"}}, 9007199254740993),
            "gives 9007199254740992, at least 9007199254740993 is expected");
  EXPECT_EQ(holds({{"-3.5"}}, -3), "gives -3.5, at least -3 is expected");
  EXPECT_EQ(holds({{"12.5"}}, 12), "holds");
  EXPECT_EQ(holds({}, 0), "gives no row, one is expected");
  EXPECT_EQ(holds({{"1"}, {"2"}}, 0), "gives more than one row, one is expected");
  EXPECT_EQ(holds({{"1", "2"}}, 0), "gives 2 columns, one is expected");
  EXPECT_EQ(holds({{std::nullopt}}, 0), "gives NULL, a number is expected");
  for (const char* text : {"", "t", "12 rows", "NaN", "1e"})
    EXPECT_NE(holds({{text}}, 0).find("a number is expected"), std::string::npos) << text;
}

TEST(RestoredChecks, NothingInARestoredCopyActsByItself) {
  postgres::Layout layout;
  layout.data_dir = "/data";
  layout.run_dir = "/run";
  const std::string conf =
      render_test_conf(layout, 5432, "pg_cron, o'clock",
                       {{"max_worker_processes", 20}, {"max_wal_senders", 9}, {"max_connections", 300}});
  for (const char* line :
       {"max_worker_processes = '0'\n", "max_logical_replication_workers = '0'\n", "max_wal_senders = '0'\n",
        "archive_mode = 'off'\n", "listen_addresses = ''\n", "hot_standby = 'off'\n", "max_connections = '300'\n",
        "shared_preload_libraries = 'pg_cron, o''clock'\n"})
    EXPECT_NE(conf.find(line), std::string::npos) << line << conf;
}

}  // namespace
}  // namespace twinspan::worker
