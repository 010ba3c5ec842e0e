#include <gtest/gtest.h>

#include "engines/postgres/clone.hpp"
#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/log_line.hpp"
#include "engines/postgres/settings.hpp"

namespace twinspan::postgres {
namespace {

const Layout kLayout{"/pg/bin", "/data", "/run/ts", "/tls"};

TEST(Conninfo, QuotesWhatWouldEndAValue) {
  EXPECT_EQ(conninfo({{"user", "o'neil"}, {"password", R"(a\b c)"}, {"dbname", ""}}),
            R"(user='o\'neil' password='a\\b c')");
}

TEST(Conninfo, UpstreamIsReachedByAddressAndProvenByName) {
  const std::string text = upstream_conninfo(kLayout, {"west", "orders-west-0", "10.0.0.2", 5432}, "east");
  for (const char* part : {"host='orders-west-0'", "hostaddr='10.0.0.2'", "sslmode='verify-full'",
                           "user='twinspan_replication'", "application_name='east'", "sslrootcert='/run/ts/ca.crt'"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  EXPECT_EQ(text.find("password"), std::string::npos);
  EXPECT_EQ(text.find("dbname"), std::string::npos);
}

TEST(SlotName, HasNoDashes) { EXPECT_EQ(slot_name("west-2"), "twinspan_west_2"); }

TEST(Settings, SynchronousStandbysAreQuotedAndCounted) {
  EXPECT_EQ(synchronous_standby_names({"west", "west-2"}, 2), R"(ANY 2 ("west", "west-2"))");
  EXPECT_EQ(synchronous_standby_names({}, 1), "");
}

Settings settings() {
  Settings s;
  s.endpoint = "east";
  s.address = "10.0.0.1";
  return s;
}

TEST(Settings, PeoplesParametersNeverReachWhatTheAgentDecides) {
  Settings s = settings();
  s.parameters = {{"fsync", "off"},
                  {"work_mem", "it's"},
                  {"max_connections", "50"},
                  {"wal_level", "logical"},
                  {"log_line_prefix", "%m "}};
  const std::string conf = render_conf(kLayout, s);
  EXPECT_NE(conf.find("fsync = 'on'\n"), std::string::npos);
  EXPECT_EQ(conf.find("fsync = 'off'"), std::string::npos);
  EXPECT_NE(conf.find("work_mem = 'it''s'\n"), std::string::npos);
  EXPECT_NE(conf.find("max_connections = '50'\n"), std::string::npos);
  EXPECT_NE(conf.find("restart_after_crash = 'off'\n"), std::string::npos);
  EXPECT_NE(conf.find("wal_level = 'logical'\n"), std::string::npos) << "what is theirs is theirs";
  EXPECT_NE(conf.find("log_line_prefix = '%m '\n"), std::string::npos);
}

TEST(Settings, RecoveryNeverGetsLessThanThePrimaryHad) {
  Settings s = settings();
  s.parameters = {{"max_connections", "50"}, {"max_worker_processes", "20"}};
  s.recovery_floor = {{"max_connections", 200}, {"max_worker_processes", 8}, {"max_prepared_transactions", 0}};
  const std::string conf = render_conf(kLayout, s);
  EXPECT_NE(conf.find("max_connections = '200'\n"), std::string::npos);
  EXPECT_NE(conf.find("max_worker_processes = '20'\n"), std::string::npos);
}

// A running primary has the rest of the memory, and its subscriptions are the ones that go on.
TEST(Settings, RecoveryBesideAPrimaryTakesLittleAndRunsNothing) {
  Settings s = settings();
  s.parameters = {{"shared_buffers", "8GB"}, {"max_worker_processes", "20"}, {"max_prepared_transactions", "5"}};
  s.recovery_floor = {{"max_worker_processes", 30}, {"max_prepared_transactions", 10}};
  EXPECT_NE(render_conf(kLayout, s).find("shared_buffers = '8GB'\n"), std::string::npos);
  s.beside = true;
  const std::string conf = render_conf(kLayout, s);
  for (const char* line : {"shared_buffers = '64MB'\n", "max_worker_processes = '0'\n", "hot_standby = 'off'\n",
                           "max_logical_replication_workers = '0'\n", "max_prepared_transactions = '10'\n"})
    EXPECT_NE(conf.find(line), std::string::npos) << line;
}

TEST(Settings, ReplicaOfAPrimaryWithDefaultsNeedsNoRestartWhenPromoted) {
  Settings replica = settings();
  replica.recovery_floor = {{"max_connections", 100},
                            {"max_worker_processes", 8},
                            {"max_wal_senders", 16},
                            {"max_prepared_transactions", 0},
                            {"max_locks_per_transaction", 64}};
  EXPECT_EQ(render_conf(kLayout, replica), render_conf(kLayout, settings()))
      << "a line that goes away is a change, too";
}

TEST(Settings, WithoutUpstreamNothingIsReceived) {
  Settings s = settings();
  EXPECT_NE(render_conf(kLayout, s).find("primary_conninfo = ''\n"), std::string::npos);
  s.upstream = Upstream{"west", "orders-west-0", "10.0.0.2", 5432};
  const std::string conf = render_conf(kLayout, s);
  EXPECT_NE(conf.find("primary_slot_name = 'twinspan_east'\n"), std::string::npos);
  EXPECT_NE(conf.find(R"(hostaddr=''10.0.0.2'')"), std::string::npos) << conf;
}

TEST(Settings, ParametersAreRefusedByShape) {
  EXPECT_TRUE(check_parameters({{"work_mem", "4MB"}, {"pg_stat_statements.max", "10"}}));
  for (const auto& [name, value] : std::map<std::string, std::string>{{"include", "x"},
                                                                      {"include_dir", "x"},
                                                                      {"Work_Mem", "1"},
                                                                      {"", "1"},
                                                                      {"work mem", "1"},
                                                                      {"work_mem", "1\nport=1"}}) {
    const auto checked = check_parameters({{name, value}});
    ASSERT_FALSE(checked) << name;
    EXPECT_EQ(checked.error().code, Code::kInvalid);
    EXPECT_NE(checked.error().message.find("parameters[" + name + "]"), std::string::npos);
  }
}

TEST(Ident, MapsTheAgentsAccountToTwinspansRoles) {
  EXPECT_EQ(render_ident("twin span"), "twinspan \"twin span\" postgres\ntwinspan \"twin span\" twinspan_metrics\n");
}

TEST(CloneProgress, IsReadFromPgBasebackupsLines) {
  const auto progress =
      parse_clone_progress("   24576/38912 kB (63%), 0/1 tablespace (...data/unfinished/base/5/2601)");
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->done_bytes, 24576U * 1024);
  EXPECT_EQ(progress->total_bytes, 38912U * 1024);
  for (const char* other :
       {"", "waiting for checkpoint", "pg_basebackup: error: x", "12/", "12/x kB (1%)", "1/2 MB (1%)"})
    EXPECT_FALSE(parse_clone_progress(other)) << other;
}

TEST(LogLine, WithAPrefixOfAPersonsOwnIsReadAsFarAsItGoes) {
  const LogLine line = parse_log_line("2026-11-28 11:00:00 UTC [42] app@shop FATAL:  the LOG:  is full");
  EXPECT_EQ(line.severity, "FATAL");
  EXPECT_EQ(line.message, "the LOG:  is full");
  EXPECT_EQ(level_of(line), log::Level::kWarn);
  EXPECT_EQ(parse_log_line("ERROR:  no prefix at all").message, "no prefix at all");
  EXPECT_EQ(parse_log_line("a|b|c|d|e|f|ERROR:  bars of another prefix").message, "bars of another prefix");
  EXPECT_EQ(parse_log_line("\tSELECT 1").severity, "");
  EXPECT_EQ(parse_log_line("CATALOG:  no severity").severity, "");
}

TEST(LogLine, IsTakenApart) {
  const LogLine line = parse_log_line("42|client backend|shop|app|psql|42P01|ERROR:  relation \"x|y\" does not exist");
  EXPECT_EQ(line.pid, "42");
  EXPECT_EQ(line.sqlstate, "42P01");
  EXPECT_EQ(line.severity, "ERROR");
  EXPECT_EQ(line.message, "relation \"x|y\" does not exist");
  for (const char* other : {"", "no prefix", "1|2|3"}) {
    EXPECT_EQ(parse_log_line(other).message, other);
    EXPECT_EQ(parse_log_line(other).severity, "");
  }
}

TEST(LogRepeats, PassesTheSameComplaintOncePerTenSeconds) {
  auto now = std::chrono::steady_clock::time_point{};
  LogRepeats repeats([&] { return now; });
  const LogLine complaint = parse_log_line("1|walreceiver|||east|08006|FATAL:  could not connect");
  const LogLine detail = parse_log_line("1|walreceiver|||east|08006|DETAIL:  refused");
  EXPECT_TRUE(repeats.pass(complaint));
  EXPECT_TRUE(repeats.pass(detail));
  now += std::chrono::seconds(1);
  EXPECT_FALSE(repeats.pass(complaint));
  EXPECT_FALSE(repeats.pass(detail));
  const LogLine client = parse_log_line("1|client backend|u|d|a|08006|FATAL:  could not connect");
  EXPECT_TRUE(repeats.pass(client));
  EXPECT_TRUE(repeats.pass(client));
  now += std::chrono::seconds(10);
  EXPECT_TRUE(repeats.pass(complaint));
}

}  // namespace
}  // namespace twinspan::postgres
