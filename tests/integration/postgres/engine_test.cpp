// The engine against real PostgreSQL.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "engines/postgres/files.hpp"
#include "engines/postgres/in_force.hpp"
#include "engines/postgres/owner.hpp"
#include "engines/postgres/processes.hpp"
#include "engines/postgres/wal_end.hpp"
#include "integration/postgres/pair.hpp"

namespace twinspan::postgres::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Timer = std::chrono::steady_clock;

class Engine : public Pair {
 protected:
  void report(const char* what, Timer::time_point since) {
    const double ms = milliseconds_since(since);
    std::printf("[ TIMING   ] %s: %.1f ms\n", what, ms);
    RecordProperty(what, std::to_string(ms));
  }
};

TEST_F(Engine, OldPrimaryRejoinsByRewindAfterItsReplicaWasPromoted) {
  auto start = Timer::now();
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  report("initdb_and_start", start);
  ASSERT_OK(east.sql("CREATE TABLE t (n int primary key); INSERT INTO t SELECT generate_series(1, 10000)"));
  start = Timer::now();
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  report("clone_and_stream", start);
  EXPECT_EQ(west.value("SELECT count(*) FROM t"), "10000");

  // The receiver stops before anybody is promoted, and says so.
  west.settings.upstream.reset();
  start = Timer::now();
  ASSERT_OK(west.reload());
  auto local = open_local(west.layout, west.settings.port, kPatience);
  ASSERT_OK(local);
  ASSERT_OK(wait_until_receiver_stopped(*local, kPatience));
  report("receiver_stopped", start);
  // What the old primary writes now, its replica never gets.
  ASSERT_OK(east.sql("INSERT INTO t SELECT generate_series(10001, 20000)"));

  const pid_t postmaster = east.postmaster->pid();
  start = Timer::now();
  ASSERT_EQ(kill(postmaster, SIGKILL), 0);
  const auto death = east.wait_for_death();
  report("kill_to_reaped", start);
  ASSERT_TRUE(death);
  EXPECT_FALSE(death->asked_for);
  EXPECT_TRUE(server_processes(east.layout.pgdata(), {postmaster}).empty());

  start = Timer::now();
  ASSERT_OK(request_promotion(west.layout, *west.postmaster));
  ASSERT_OK(wait_until_promoted(*local, kPatience));
  report("promote", start);
  ASSERT_OK(west.sql("INSERT INTO t VALUES (-1)"));

  const auto own = read_ancestry(children, east.layout);
  ASSERT_OK(own);
  const auto theirs = ask_ancestry(east.layout, west.as_upstream(), "east", kPatience);
  ASSERT_OK(theirs);
  EXPECT_EQ(theirs->timeline, 2U);
  const Judgement judgement = judge(*own, *theirs);
  EXPECT_EQ(judgement.kinship, Kinship::kForked) << judgement.reason;
  EXPECT_EQ(shape_of(east.layout), Shape::kPrimary);

  start = Timer::now();
  ASSERT_OK(rewind(children, east.layout, west.as_upstream(), "east", false));
  report("rewind", start);
  EXPECT_EQ(shape_of(east.layout), Shape::kReplica);
  east.settings.upstream = west.as_upstream();
  ASSERT_OK(east.start());
  ASSERT_TRUE(eventually([&] { return east.streams_from(west); }));
  report("rewind_to_streaming", start);
  EXPECT_EQ(east.value("SELECT count(*) FROM t"), "10001");
  EXPECT_TRUE(east.seen().in_recovery);
}

// From where the histories part on it reads the log here, and the first of it may be gone by then: only the archive has
// it.
TEST_F(Engine, ARewindReadsFromTheArchiveWhatIsGoneHere) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_OK(east.sql("CREATE TABLE t (n int primary key); INSERT INTO t SELECT generate_series(1, 10000)"));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  west.settings.upstream.reset();
  ASSERT_OK(west.reload());
  auto local = open_local(west.layout, west.settings.port, kPatience);
  ASSERT_OK(local);
  ASSERT_OK(wait_until_receiver_stopped(*local, kPatience));
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK(east.sql(fmt::format("INSERT INTO t SELECT generate_series({}, {})", 10001 + i * 100, 10100 + i * 100)));
    ASSERT_OK(east.sql("SELECT pg_switch_wal()"));
    ASSERT_OK(east.sql("CHECKPOINT"));
  }
  const std::string last = east.value("SELECT pg_walfile_name(pg_current_wal_insert_lsn())");
  ASSERT_EQ(kill(east.postmaster->pid(), SIGKILL), 0);
  ASSERT_TRUE(east.wait_for_death());
  ASSERT_OK(request_promotion(west.layout, *west.postmaster));
  ASSERT_OK(wait_until_promoted(*local, kPatience));
  const std::filesystem::path archive = scratch.path() + "/archive";
  std::filesystem::create_directories(archive);
  int gone = 0;
  for (const auto& entry : std::filesystem::directory_iterator(east.layout.pgdata() + "/pg_wal"))
    if (const std::string name = entry.path().filename(); name.size() == 24 && name < last) {
      std::filesystem::copy(entry.path(), archive / name);
      std::filesystem::remove(entry.path());
      ++gone;
    }
  ASSERT_GE(gone, 3);
  const auto without = rewind(children, east.layout, west.as_upstream(), "east", false);
  ASSERT_FALSE(without) << "it needs what is gone";
  EXPECT_EQ(shape_of(east.layout), Shape::kPrimary) << "and touched nothing";
  east.settings.restore_command = fmt::format("cp {}/%f \"%p\"", archive.string());
  ASSERT_OK(east.configure());
  ASSERT_OK(rewind(children, east.layout, west.as_upstream(), "east", true));
  east.settings.restore_command.clear();
  east.settings.upstream = west.as_upstream();
  ASSERT_OK(east.start());
  ASSERT_TRUE(eventually([&] { return east.streams_from(west); }));
  EXPECT_EQ(east.value("SELECT count(*) FROM t"), "10000");
}

TEST_F(Engine, OldPrimaryWhoseWholeLogArrivedFollowsWithoutRewind) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  ASSERT_OK(east.sql("CREATE TABLE t (n int)"));
  const auto start = Timer::now();
  ASSERT_OK(east.postmaster->stop(StopMode::kFast, kPatience));
  report("stop_fast", start);
  const auto control = read_control_data(children, east.layout);
  ASSERT_OK(control);
  ASSERT_TRUE(control->cleanly_shut_down());
  // The replica has everything, shutdown record included: the final position is exact.
  const Position final = end_of_clean_log(*control);
  EXPECT_EQ(west.seen().received, final) << to_string(final);
  const auto walked = end_of_wal(east.layout.pgdata() + "/pg_wal", 1, control->redo, control->segment_bytes);
  ASSERT_OK(walked);
  EXPECT_EQ(*walked, final);

  ASSERT_OK(request_promotion(west.layout, *west.postmaster));
  auto local = open_local(west.layout, west.settings.port, kPatience);
  ASSERT_OK(local);
  ASSERT_OK(wait_until_promoted(*local, kPatience));
  const auto own = read_ancestry(children, east.layout);
  const auto theirs = ask_ancestry(east.layout, west.as_upstream(), "east", kPatience);
  ASSERT_OK(own);
  ASSERT_OK(theirs);
  ASSERT_EQ(judge(*own, *theirs).kinship, Kinship::kSame) << judge(*own, *theirs).reason;
  ASSERT_OK(ensure_slot_at(east.layout, west.as_upstream(), "east", kPatience));
  ASSERT_OK(set_standby(east.layout, true));
  east.settings.upstream = west.as_upstream();
  ASSERT_OK(east.start());
  EXPECT_TRUE(eventually([&] { return east.streams_from(west); }));
}

TEST_F(Engine, APromotionWaitsForNoReader) {
  west.settings.parameters["max_standby_streaming_delay"] = "-1";
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_OK(east.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)"));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  ASSERT_TRUE(eventually([&] { return west.sql("SELECT 1 FROM t").has_value(); }));
  auto reader = open_local(west.layout, west.settings.port, kPatience);
  ASSERT_OK(reader);
  ASSERT_OK(reader->query("BEGIN", {}, kPatience));
  ASSERT_OK(reader->query("SELECT n FROM public.t", {}, kPatience));  // an agent's session has no search_path
  ASSERT_OK(east.sql("DROP TABLE t"));
  ASSERT_TRUE(eventually([&] {
    const auto waits =
        west.sql("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event_type = 'Lock'");
    return waits && !waits->empty();
  }));
  ASSERT_OK(east.postmaster->stop(StopMode::kImmediate, kPatience));
  auto local = open_local(west.layout, west.settings.port, kPatience);
  ASSERT_OK(local);
  ASSERT_OK(request_promotion(west.layout, *west.postmaster));
  ASSERT_OK(wait_until_promoted(*local, kPatience));
  EXPECT_FALSE(west.sql("SELECT n FROM t")) << "all of the log was replayed";
}

TEST_F(Engine, NoBackendSurvivesItsPostmaster) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  // A backend that computes looks at nothing for a long time.
  auto busy = Session::open(local_conninfo(east.layout, east.settings.port), kPatience);
  ASSERT_OK(busy);
  std::jthread client(
      [&] { (void)busy->simple("DO $$ BEGIN FOR i IN 1..2000000000 LOOP NULL; END LOOP; END $$", kPatience); });
  ASSERT_TRUE(eventually([&] {
    return east.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $%' AND state = 'active'") == "1";
  }));
  const pid_t postmaster = east.postmaster->pid();
  const auto start = Timer::now();
  kill(postmaster, SIGKILL);
  ASSERT_TRUE(east.wait_for_death());
  report("kill_busy_to_reaped", start);
  EXPECT_TRUE(server_processes(east.layout.pgdata(), {postmaster}).empty());
  EXPECT_FALSE(east.postmaster->running());
}

TEST_F(Engine, SyncCommitWaitsForItsReplica) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  east.settings.sync_candidates = {"west"};
  ASSERT_OK(east.reload());
  ASSERT_TRUE(eventually([&] {
    const auto seen = east.look();
    return seen && seen->senders.size() == 1 && seen->senders[0].sync_state == "quorum";
  }));
  ASSERT_OK(east.sql("CREATE TABLE t (n int)"));
  ASSERT_OK(west.postmaster->stop(StopMode::kImmediate, kPatience));
  const auto stuck = east.sql("INSERT INTO t VALUES (1)", milliseconds(700));
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code, Code::kTimeout);
  // The agent's own work waits for nobody.
  auto local = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(local);
  EXPECT_TRUE(ensure_owner_and_database(east.layout, east.settings.port, *local, {"shop", "first"}, "shop", {}));
  ASSERT_OK(west.start());
  EXPECT_TRUE(east.sql("INSERT INTO t VALUES (2)"));
}

// Also of the databases that are declared without an owner of their own; what is another's stays so.
TEST_F(Engine, ANewOwnerGetsTheTablesOfTheOtherDatabasesToo) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, seconds(20));
  ASSERT_OK(local);
  const auto ensure = [&](const std::string& user) {
    return ensure_owner_and_database(east.layout, east.settings.port, *local, {user, "pw"}, "shop",
                                     {"stock", "theirs", "absent"});
  };
  ASSERT_OK(ensure("first"));
  ASSERT_OK(local->simple("CREATE ROLE other", seconds(20)));
  for (const char* sql :
       {"CREATE DATABASE stock OWNER first", "CREATE DATABASE kept OWNER first", "CREATE DATABASE theirs OWNER other"})
    ASSERT_OK(local->simple(sql, seconds(20)));
  for (const char* database : {"stock", "kept"}) {
    auto first = Session::open(east.owner_conninfo("first", "pw", database), seconds(20));
    ASSERT_OK(first);
    ASSERT_OK(first->simple("CREATE TABLE t AS SELECT 42 AS answer", seconds(20)));
  }
  ASSERT_OK(ensure("second"));
  ASSERT_OK(ensure("second"));
  auto second = Session::open(east.owner_conninfo("second", "pw", "stock"), seconds(20));
  ASSERT_OK(second);
  const auto rows = second->query("SELECT answer FROM t", {}, seconds(20));
  ASSERT_OK(rows);
  EXPECT_EQ(rows->front().front(), "42");
  const auto owners = local->query(
      "SELECT string_agg(datname || ' ' || pg_get_userbyid(datdba), ', ' ORDER BY datname) FROM pg_database"
      " WHERE datname IN ('shop', 'stock', 'theirs')",
      {}, seconds(20));
  ASSERT_OK(owners);
  EXPECT_EQ(owners->front().front(), "shop second, stock second, theirs other");
}

// Another username: the new role has everything, the former one is left without a login; twice is once.
TEST_F(Engine, ANewOwnerGetsWhatTheFormerOneOwned) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(local);
  const auto ensure = [&](const std::string& user) {
    return ensure_owner_and_database(east.layout, east.settings.port, *local, {user, "pw"}, "shop", {});
  };
  ASSERT_OK(ensure("first"));
  auto first = Session::open(east.owner_conninfo("first", "pw", "shop"), kPatience);
  ASSERT_OK(first);
  ASSERT_TRUE(
      first->simple("CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 42 AS answer; CREATE VIEW v AS SELECT 1; "
                    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                    kPatience));
  for (int again = 0; again < 2; ++again) ASSERT_OK(ensure("second"));
  EXPECT_FALSE(Session::open(east.owner_conninfo("first", "pw", "shop"), kPatience));
  auto second = Session::open(east.owner_conninfo("second", "pw", "shop"), kPatience);
  ASSERT_OK(second);
  EXPECT_TRUE(second->simple(
      "ALTER TABLE s.t ADD COLUMN more int; DROP VIEW v; DROP FUNCTION f(); DROP SCHEMA s CASCADE", kPatience));
  // And back again.
  ASSERT_OK(ensure("first"));
  EXPECT_TRUE(Session::open(east.owner_conninfo("first", "pw", "shop"), kPatience));
  // What a superuser owns is no former owner's: only the database is given.
  ASSERT_TRUE(local->simple("ALTER DATABASE shop OWNER TO postgres", kPatience));
  ASSERT_OK(ensure("second"));
  EXPECT_TRUE(open_local(east.layout, east.settings.port, kPatience));
}

TEST_F(Engine, OwnerLogsInByPasswordOverTlsAndNobodyElse) {
  east.settings.parameters["log_statement"] = "all";
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(local);
  ::testing::internal::CaptureStderr();
  ASSERT_OK(ensure_owner_and_database(east.layout, east.settings.port, *local, {"shop", "s3cret'\\x"}, "shop", {}));
  ASSERT_OK(ensure_owner_and_database(east.layout, east.settings.port, *local, {"shop", "an0ther"}, "shop", {}));
  EXPECT_TRUE(Session::open(east.owner_conninfo("shop", "an0ther", "shop"), kPatience));
  EXPECT_FALSE(Session::open(east.owner_conninfo("shop", "s3cret'\\x", "shop"), kPatience));
  EXPECT_FALSE(Session::open(east.owner_conninfo("shop", "an0ther", "shop") + " sslmode=disable", kPatience));
  // What is in force is not written again: every replica would have to receive it.
  const auto written = [&] {
    const auto rows = local->query("SELECT xmin::text FROM pg_authid WHERE rolname = 'shop'", {}, kPatience);
    return rows && !rows->empty() ? rows->front().front().value_or("null") : "none";
  };
  const std::string before = written();
  const auto apply_again = [&] {
    return ensure_owner_and_database(east.layout, east.settings.port, *local, {"shop", "an0ther"}, "shop", {});
  };
  ASSERT_OK(apply_again());
  EXPECT_EQ(written(), before);
  for (const char* by_hand :
       {"PASSWORD 'theirs'", "PASSWORD NULL", "NOLOGIN", "SUPERUSER", "REPLICATION", "BYPASSRLS"}) {
    ASSERT_OK(east.sql(std::string("ALTER ROLE shop ") + by_hand));
    const std::string altered = written();
    ASSERT_OK(apply_again());
    EXPECT_NE(written(), altered) << by_hand;
    EXPECT_TRUE(Session::open(east.owner_conninfo("shop", "an0ther", "shop"), kPatience)) << by_hand;
  }
  EXPECT_FALSE(Session::open(east.owner_conninfo("postgres", "an0ther", "postgres"), kPatience));
  EXPECT_FALSE(Session::open(east.owner_conninfo(kReplicationRole, "an0ther", "postgres"), kPatience));
  // By certificate the replication role gets to `postgres`, for pg_rewind, and to nothing of people's.
  EXPECT_TRUE(Session::open(upstream_conninfo(east.layout, east.as_upstream(), "x", "postgres"), kPatience));
  EXPECT_FALSE(Session::open(upstream_conninfo(east.layout, east.as_upstream(), "x", "shop"), kPatience));
  ASSERT_OK(east.postmaster->stop(StopMode::kFast, kPatience));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.find("s3cret"), std::string::npos);
  EXPECT_EQ(log.find("an0ther"), std::string::npos);
  EXPECT_EQ(log.find("SCRAM-SHA-256$"), std::string::npos);
}

TEST_F(Engine, ParametersReloadRestartOrAreRefused) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  east.settings.parameters["work_mem"] = "7MB";
  ASSERT_OK(east.reload());
  EXPECT_TRUE(eventually([&] { return east.value("SHOW work_mem") == "7MB"; }));
  EXPECT_TRUE(east.seen().pending_restart.empty());
  east.settings.parameters["max_connections"] = "40";
  ASSERT_OK(east.reload());
  EXPECT_TRUE(eventually([&] {
    const auto seen = east.look();
    return seen && seen->pending_restart == std::vector<std::string>{"max_connections"};
  }));
  east.settings.parameters["work_mem"] = "many";
  const auto refused = east.configure();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_NE(refused.error().message.find("work_mem"), std::string::npos) << refused.error().message;
  east.settings.parameters.erase("work_mem");
  ASSERT_OK(east.postmaster->stop(StopMode::kFast, kPatience));
  ASSERT_OK(east.start());
  EXPECT_EQ(east.value("SHOW max_connections"), "40");
}

TEST_F(Engine, WhatRecoveryRaisesIsJudgedAsItWasAskedFor) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  east.settings.recovery_floor = {{"max_worker_processes", 8}};
  ASSERT_TRUE(east.configure());
  east.settings.parameters["max_worker_processes"] = "-5";
  const auto refused = east.configure();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_NE(refused.error().message.find("max_worker_processes"), std::string::npos) << refused.error().message;
}

// The agent's own sessions set some of these for themselves: that says nothing of what everybody else gets.
TEST_F(Engine, SettingsThatTheAgentsSessionsChangeForThemselvesAreFoundInForce) {
  east.settings.parameters = {
      {"log_min_duration_statement", "300ms"}, {"statement_timeout", "7s"}, {"work_mem", "7MB"}};
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  const auto missing = [&] {
    auto local = open_local(east.layout, east.settings.port, kPatience);
    const auto seen =
        local ? settings_in_force(*local, east.settings.parameters, kPatience) : std::unexpected(local.error());
    std::vector<std::string> names;
    if (!seen) return std::vector<std::string>{seen.error().message};
    for (const NotInForce& one : seen->not_in_force) names.push_back(one.name);
    return names;
  };
  EXPECT_EQ(missing(), std::vector<std::string>{});
  ASSERT_OK(east.sql("ALTER SYSTEM SET statement_timeout = '9s'"));
  ASSERT_OK(east.sql("SELECT pg_reload_conf()"));
  EXPECT_TRUE(eventually([&] { return missing() == std::vector<std::string>{"statement_timeout"}; }));
}

TEST_F(Engine, SlotsFollowTheDirectDownstreams) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(local);
  ASSERT_OK(carry_out(*local, plan_slots(east.seen().slots, {"twinspan_west", "twinspan_west_2"}, false)));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  EXPECT_EQ(east.seen().slots.size(), 2U);
  // In use, so it stays; the other goes.
  ASSERT_OK(carry_out(*local, plan_slots(east.seen().slots, {}, false)));
  ASSERT_EQ(east.seen().slots.size(), 1U);
  EXPECT_EQ(east.seen().slots[0].name, "twinspan_west");
}

TEST_F(Engine, RotatedCertificateIsServedAfterReload) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  Member other(children, authority, scratch.path(), "other", 9);
  for (const char* name : {"/tls.crt", "/tls.key"})
    std::ofstream(east.layout.tls_dir + name) << *read_file(other.layout.tls_dir + name);
  const auto changed = copy_tls_files(east.layout);
  ASSERT_OK(changed);
  EXPECT_TRUE(*changed);
  EXPECT_FALSE(*copy_tls_files(east.layout));
  east.postmaster->reload();
  Upstream renamed = east.as_upstream();
  renamed.host = "orders-other-0";
  EXPECT_TRUE(eventually([&] { return ask_ancestry(east.layout, renamed, "x", seconds(10)).has_value(); }));
  EXPECT_FALSE(ask_ancestry(east.layout, east.as_upstream(), "x", kPatience));
}

TEST_F(Engine, StatisticsAreThoseOfBothSides) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  auto blocker = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(blocker);
  ASSERT_OK(blocker->simple("BEGIN; CREATE TABLE public.held (n int)", kPatience));
  auto session = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(session);
  // The backends of sessions that were closed just now may be there for a moment yet.
  const std::map<std::string, int64_t> blocker_alone{{"idle in transaction", 1}};
  auto seen = read_statistics(*session, kPatience);
  (void)eventually([&] {
    seen = read_statistics(*session, kPatience);
    return seen && seen->connections == blocker_alone;
  });
  ASSERT_OK(seen);
  EXPECT_EQ(seen->connections, blocker_alone);
  EXPECT_GT(seen->max_connections, 0);
  EXPECT_GT(seen->oldest_transaction_seconds, 0);
  EXPECT_GT(seen->wal_written_bytes.value_or(0), 0U);
  EXPECT_GE(seen->wal_directory_bytes, 16U << 20);
  const auto postgres = std::find_if(seen->databases.begin(), seen->databases.end(),
                                     [](const auto& one) { return one.name == "postgres"; });
  ASSERT_NE(postgres, seen->databases.end());
  EXPECT_GT(postgres->size_bytes, 1U << 20);
  EXPECT_GT(postgres->xid_age, 0);
  ASSERT_EQ(seen->slots.size(), 1U);
  EXPECT_TRUE(seen->slots[0].active);
  auto replica = open_local(west.layout, west.settings.port, kPatience);
  ASSERT_OK(replica);
  const auto there = read_statistics(*replica, kPatience);
  ASSERT_OK(there);
  EXPECT_EQ(there->slots.size(), 0U);
  EXPECT_GT(there->databases.size(), 0U);
}

TEST_F(Engine, HalfAClonesDirectoryIsNeverTakenForData) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_OK(east.sql("CREATE TABLE big AS SELECT repeat('x', 500) AS x FROM generate_series(1, 200000)"));
  ASSERT_OK(west.configure());
  std::stop_source stop;
  std::atomic<uint64_t> most = 0;
  const auto cut = clone(
      children, west.layout, east.as_upstream(), "west",
      [&](const CloneProgress& progress) {
        most = std::max<uint64_t>(most, progress.done_bytes);
        if (progress.done_bytes > 0) stop.request_stop();
      },
      stop.get_token());
  EXPECT_FALSE(cut);
  EXPECT_GT(most, 0U);
  EXPECT_EQ(shape_of(west.layout), Shape::kNone);
  // The sender notices a while later that nobody listens; an agent asks again until then.
  ASSERT_TRUE(eventually([&] { return east.value("SELECT count(*) FROM pg_replication_slots WHERE active") == "0"; }));
  const auto start = Timer::now();
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  report("clone_150MB_and_stream", start);
  EXPECT_EQ(west.value("SELECT count(*) FROM big"), "200000");
}

TEST_F(Engine, FrozenServerTimesOutAndIsStoppedAnyway) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(local);
  for (const pid_t pid : server_processes(east.layout.pgdata(), {})) kill(pid, SIGSTOP);
  const auto start = Timer::now();
  const auto seen = observe(*local, milliseconds(300));
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::kTimeout);
  EXPECT_LT(milliseconds_since(start), 10000) << "nobody answers: without its time-out it never ended";
  ASSERT_OK(east.postmaster->stop(StopMode::kImmediate, milliseconds(200)));
  EXPECT_TRUE(server_processes(east.layout.pgdata(), {}).empty());
}

TEST_F(Engine, WalWithoutSpaceEndsTheInstanceAtOnceAndSaysWhy) {
  const std::string small = empty_small_disk();
  if (small.empty()) GTEST_SKIP() << "needs to be started as root, to mount a small tmpfs";
  Member north(children, authority, small, "north", 3);
  north.settings.parameters["min_wal_size"] = "32MB";
  ASSERT_NO_FATAL_FAILURE(make_primary(north));
  ASSERT_OK(north.sql("CREATE UNLOGGED TABLE fill (x text)"));
  const auto start = Timer::now();
  std::jthread client([&] {
    auto session = Session::open(local_conninfo(north.layout, north.settings.port), kPatience);
    while (session && session->alive())
      if (!session->simple("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000))", kPatience)) break;
  });
  const auto death = north.wait_for_death(3 * kPatience);
  report("disk_filled_to_reaped", start);
  ASSERT_TRUE(death);
  EXPECT_FALSE(death->asked_for);
  EXPECT_NE(death->last_words.find("No space left on device"), std::string::npos) << death->last_words;
}

}  // namespace
}  // namespace twinspan::postgres::testing
