// People's lines of pg_hba.conf, judged and obeyed by a real PostgreSQL.
#include "engines/postgres/hba.hpp"

#include "engines/postgres/files.hpp"
#include "integration/postgres/pair.hpp"
#include "worker/postgres/hba_keeper.hpp"

namespace twinspan::postgres::testing {
namespace {

using Lines = std::vector<std::string>;

class HbaTest : public Pair {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(make_primary(east));
    ASSERT_OK(east.sql("CREATE ROLE app LOGIN REPLICATION PASSWORD 'pw'"));
    ASSERT_OK(east.sql("ALTER ROLE postgres PASSWORD 'pw'"));
    ASSERT_OK(east.sql("ALTER ROLE twinspan_replication PASSWORD 'pw'"));
  }
  std::vector<HbaFault> judge(const Lines& lines) {
    auto session = open_local(east.layout, east.settings.port, kPatience);
    EXPECT_TRUE(session);
    const std::string before = read_file(east.layout.hba_file()).value_or("");
    const auto faults = judge_hba(*session, east.layout, lines, kPatience);
    EXPECT_EQ(read_file(east.layout.hba_file()).value_or("gone"), before);
    EXPECT_TRUE(faults) << faults.error().message;
    return faults.value_or(std::vector<HbaFault>());
  }
  void put_in_force(const Lines& lines) {
    ASSERT_EQ(judge(lines), std::vector<HbaFault>());
    east.settings.hba = lines;
    const std::string loaded = east.value("SELECT pg_conf_load_time()");
    ASSERT_OK(east.reload());
    ASSERT_TRUE(eventually([&] { return east.value("SELECT pg_conf_load_time()") != loaded; }, kPatience));
  }
  // "in", or what PostgreSQL says.
  std::string login(const std::string& user, const std::string& sslmode = "verify-full", const std::string& more = "") {
    std::string where = east.owner_conninfo(user, "pw", "postgres");
    const std::string full = "sslmode='verify-full'";
    where.replace(where.find(full), full.size(), "sslmode='" + sslmode + "'");
    const auto session = Session::open(where + more, kPatience);
    return session ? "in" : session.error().message;
  }
  bool rejected(const std::string& answer) {
    return answer.find("pg_hba.conf rejects connection") != std::string::npos;
  }
};

TEST_F(HbaTest, WhatPostgresqlRefusesIsNamedInItsWordsAndTheFileStays) {
  const Lines right{"hostssl all app 10.0.0.0/8 scram-sha-256", "hostssl all app ::1/128 scram-sha-256",
                    "hostssl all +app samehost reject", "hostssl all app db.example.com scram-sha-256"};
  EXPECT_EQ(judge(right), std::vector<HbaFault>());
  EXPECT_EQ(judge({}), std::vector<HbaFault>());
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"hostssl all app 10.0.0.0/33 scram-sha-256", "invalid CIDR mask"},
      {"hostssl all app 10.0.0.0/8 scram-sha-265", "invalid authentication method"},
      {"hostssl all app all ldap", "requires argument"},
      {"hostssl all app all", "end-of-line before authentication method"},
      {"hostssl all app 10.0.0.1 reject", "invalid IP mask"},
      {"hostssl all app all scram-sha-256 clientcert=maybe", "refuses it"},
      {"hostssl all app all peer", "peer authentication is only supported on local sockets"},
      {"# nothing", "not take it for a rule"},
      {"hostssl all @/nonexistent all reject", "could not open"}};
  for (const auto& [line, words] : wrong) {
    const auto faults = judge({right[0], line, right[1]});
    ASSERT_EQ(faults.size(), 1u) << line;
    EXPECT_EQ(faults[0].line, 1u) << line;
    EXPECT_NE(faults[0].words.find(words), std::string::npos) << faults[0].words;
  }
  EXPECT_FALSE(judge({"hostssl all app all reject\nlocal all all trust"}).empty());
  EXPECT_FALSE(judge({R"(hostssl all app all reject \)"}).empty());
}

TEST_F(HbaTest, RightLinesAreObeyedWithoutARestartAndTwinspansStandBeforeThem) {
  const std::string began = east.value("SELECT pg_postmaster_start_time()");
  EXPECT_EQ(login("app"), "in");
  EXPECT_NE(login("app", "disable"), "in");
  ASSERT_NO_FATAL_FAILURE(put_in_force({"hostssl all app all reject"}));
  EXPECT_TRUE(rejected(login("app"))) << login("app");
  // The widest that people can write lets nobody in as Twinspan's roles.
  ASSERT_NO_FATAL_FAILURE(put_in_force({"host all,replication all all trust"}));
  EXPECT_EQ(login("app", "disable"), "in");
  EXPECT_EQ(login("app", "disable", " replication='true'"), "in");
  for (const char* user : {"postgres", "twinspan_replication"})
    for (const char* sslmode : {"disable", "verify-full"})
      for (const char* more : {"", " replication='true'"})
        EXPECT_NE(login(user, sslmode, more), "in") << user << sslmode << more;
  // The narrowest shuts out neither the agent nor replicas.
  ASSERT_NO_FATAL_FAILURE(put_in_force({"host all,replication all all reject"}));
  EXPECT_TRUE(rejected(login("app")));
  EXPECT_EQ(east.value("SELECT 1"), "1");
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  ASSERT_NO_FATAL_FAILURE(put_in_force({}));
  EXPECT_EQ(login("app"), "in");
  EXPECT_EQ(east.value("SELECT pg_postmaster_start_time()"), began);
}

TEST_F(HbaTest, ACloneHasItsPrimarysLinesBeforePostgresqlIsAskedThere) {
  const Lines lines{"hostssl all app all reject"};
  ASSERT_OK(worker::HbaKeeper(east.layout.pgdata()).judged(lines, {}));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  EXPECT_EQ(worker::HbaKeeper(west.layout.pgdata()).to_give({"something else"}), lines);
}

}  // namespace
}  // namespace twinspan::postgres::testing
