// The engine against real PostgreSQL.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "engines/postgres/files.hpp"
#include "engines/postgres/processes.hpp"
#include "engines/postgres/wal_end.hpp"
#include "integration/postgres/member.hpp"

namespace twinspan::postgres::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Timer = std::chrono::steady_clock;

class Engine : public ::testing::Test {
 protected:
  Children children;
  Scratch scratch;
  Authority authority;
  Member east{children, authority, scratch.path(), "east", 1};
  Member west{children, authority, scratch.path(), "west", 2};

  void make_primary(Member& member) {
    ASSERT_OK(initialize(children, member.layout));
    ASSERT_OK(member.start());
    auto session = open_local(member.layout, member.settings.port, seconds(5));
    ASSERT_OK(session);
    ASSERT_OK(ensure_replication_role(*session));
  }
  void make_replica(Member& member, Member& upstream) {
    ASSERT_OK(member.configure());
    ASSERT_OK(clone(children, member.layout, upstream.as_upstream(), member.settings.endpoint, nullptr));
    member.settings.upstream = upstream.as_upstream();
    ASSERT_OK(member.start());
    ASSERT_TRUE(eventually([&] { return member.streams_from(upstream); }));
  }
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
  EXPECT_EQ(west.sql("SELECT count(*) FROM t")->front().front(), "10000");

  // The receiver stops before anybody is promoted, and says so.
  west.settings.upstream.reset();
  start = Timer::now();
  ASSERT_OK(west.reload());
  auto local = open_local(west.layout, west.settings.port, seconds(5));
  ASSERT_OK(local);
  ASSERT_OK(wait_until_receiver_stopped(*local, seconds(5)));
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
  ASSERT_OK(wait_until_promoted(*local, seconds(20)));
  report("promote", start);
  ASSERT_OK(west.sql("INSERT INTO t VALUES (-1)"));

  const auto own = read_ancestry(children, east.layout);
  ASSERT_OK(own);
  const auto theirs = ask_ancestry(east.layout, west.as_upstream(), "east", seconds(5));
  ASSERT_OK(theirs);
  EXPECT_EQ(theirs->timeline, 2U);
  const Judgement judgement = judge(*own, *theirs);
  EXPECT_EQ(judgement.kinship, Kinship::kForked) << judgement.reason;
  EXPECT_EQ(shape_of(east.layout), Shape::kPrimary);

  start = Timer::now();
  ASSERT_OK(rewind(children, east.layout, west.as_upstream(), "east"));
  report("rewind", start);
  EXPECT_EQ(shape_of(east.layout), Shape::kReplica);
  east.settings.upstream = west.as_upstream();
  ASSERT_OK(east.start());
  ASSERT_TRUE(eventually([&] { return east.streams_from(west); }));
  report("rewind_to_streaming", start);
  EXPECT_EQ(east.sql("SELECT count(*) FROM t")->front().front(), "10001");
  EXPECT_TRUE(east.look()->in_recovery);
}

TEST_F(Engine, OldPrimaryWhoseWholeLogArrivedFollowsWithoutRewind) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  ASSERT_OK(east.sql("CREATE TABLE t (n int)"));
  const auto start = Timer::now();
  ASSERT_OK(east.postmaster->stop(StopMode::kFast, seconds(5)));
  report("stop_fast", start);
  const auto control = read_control_data(children, east.layout);
  ASSERT_OK(control);
  ASSERT_TRUE(control->cleanly_shut_down());
  // The replica has everything, shutdown record included: the final position is exact.
  const Position final = end_of_clean_log(*control);
  EXPECT_EQ(west.look()->received, final) << to_string(final);
  const auto walked = end_of_wal(east.layout.pgdata() + "/pg_wal", 1, control->redo, control->segment_bytes);
  ASSERT_OK(walked);
  EXPECT_EQ(*walked, final);

  ASSERT_OK(request_promotion(west.layout, *west.postmaster));
  auto local = open_local(west.layout, west.settings.port, seconds(5));
  ASSERT_OK(local);
  ASSERT_OK(wait_until_promoted(*local, seconds(20)));
  const auto own = read_ancestry(children, east.layout);
  const auto theirs = ask_ancestry(east.layout, west.as_upstream(), "east", seconds(5));
  ASSERT_OK(own);
  ASSERT_OK(theirs);
  ASSERT_EQ(judge(*own, *theirs).kinship, Kinship::kSame) << judge(*own, *theirs).reason;
  ASSERT_OK(ensure_slot_at(east.layout, west.as_upstream(), "east", seconds(5)));
  ASSERT_OK(set_standby(east.layout, true));
  east.settings.upstream = west.as_upstream();
  ASSERT_OK(east.start());
  EXPECT_TRUE(eventually([&] { return east.streams_from(west); }));
}

TEST_F(Engine, NoBackendSurvivesItsPostmaster) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  // A backend that computes looks at nothing for a long time.
  auto busy = Session::open(local_conninfo(east.layout, east.settings.port), seconds(5));
  ASSERT_OK(busy);
  std::jthread client(
      [&] { (void)busy->simple("DO $$ BEGIN FOR i IN 1..2000000000 LOOP NULL; END LOOP; END $$", seconds(20)); });
  ASSERT_TRUE(eventually([&] {
    const auto rows = east.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $%' AND state = 'active'");
    return rows && rows->front().front() == "1";
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
  ASSERT_OK(west.postmaster->stop(StopMode::kImmediate, seconds(2)));
  const auto stuck = east.sql("INSERT INTO t VALUES (1)", milliseconds(700));
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code, Code::kTimeout);
  // The agent's own work waits for nobody.
  auto local = open_local(east.layout, east.settings.port, seconds(5));
  ASSERT_OK(local);
  EXPECT_TRUE(ensure_owner_and_database(*local, {"shop", "first"}, "shop"));
  ASSERT_OK(west.start());
  EXPECT_TRUE(east.sql("INSERT INTO t VALUES (2)", seconds(10)));
}

TEST_F(Engine, OwnerLogsInByPasswordOverTlsAndNobodyElse) {
  east.settings.parameters["log_statement"] = "all";
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, seconds(5));
  ASSERT_OK(local);
  ::testing::internal::CaptureStderr();
  ASSERT_OK(ensure_owner_and_database(*local, {"shop", "s3cret'\\x"}, "shop"));
  ASSERT_OK(ensure_owner_and_database(*local, {"shop", "an0ther"}, "shop"));
  EXPECT_TRUE(Session::open(east.owner_conninfo("shop", "an0ther", "shop"), seconds(5)));
  EXPECT_FALSE(Session::open(east.owner_conninfo("shop", "s3cret'\\x", "shop"), seconds(5)));
  EXPECT_FALSE(Session::open(east.owner_conninfo("shop", "an0ther", "shop") + " sslmode=disable", seconds(5)));
  EXPECT_FALSE(Session::open(east.owner_conninfo("postgres", "an0ther", "postgres"), seconds(5)));
  EXPECT_FALSE(Session::open(east.owner_conninfo(kReplicationRole, "an0ther", "postgres"), seconds(5)));
  // By certificate the replication role gets to `postgres`, for pg_rewind, and to nothing of people's.
  EXPECT_TRUE(Session::open(upstream_conninfo(east.layout, east.as_upstream(), "x", "postgres"), seconds(5)));
  EXPECT_FALSE(Session::open(upstream_conninfo(east.layout, east.as_upstream(), "x", "shop"), seconds(5)));
  ASSERT_OK(east.postmaster->stop(StopMode::kFast, seconds(5)));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(log.find("s3cret"), std::string::npos);
  EXPECT_EQ(log.find("an0ther"), std::string::npos);
  EXPECT_EQ(log.find("SCRAM-SHA-256$"), std::string::npos);
}

TEST_F(Engine, ParametersReloadRestartOrAreRefused) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  east.settings.parameters["work_mem"] = "7MB";
  ASSERT_OK(east.reload());
  EXPECT_TRUE(eventually([&] { return east.sql("SHOW work_mem")->front().front() == "7MB"; }));
  EXPECT_TRUE(east.look()->pending_restart.empty());
  east.settings.parameters["max_connections"] = "40";
  ASSERT_OK(east.reload());
  EXPECT_TRUE(eventually([&] { return east.look()->pending_restart == std::vector<std::string>{"max_connections"}; }));
  east.settings.parameters["work_mem"] = "many";
  const auto refused = east.configure();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_NE(refused.error().message.find("work_mem"), std::string::npos) << refused.error().message;
  east.settings.parameters.erase("work_mem");
  ASSERT_OK(east.postmaster->stop(StopMode::kFast, seconds(5)));
  ASSERT_OK(east.start());
  EXPECT_EQ(east.sql("SHOW max_connections")->front().front(), "40");
}

TEST_F(Engine, SlotsFollowTheDirectDownstreams) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, seconds(5));
  ASSERT_OK(local);
  ASSERT_OK(reconcile_slots(*local, east.look()->slots, {"twinspan_west", "twinspan_west_2"}));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  EXPECT_EQ(east.look()->slots.size(), 2U);
  // In use, so it stays; the other goes.
  ASSERT_OK(reconcile_slots(*local, east.look()->slots, {}));
  ASSERT_EQ(east.look()->slots.size(), 1U);
  EXPECT_EQ(east.look()->slots[0].name, "twinspan_west");
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
  EXPECT_TRUE(eventually([&] { return ask_ancestry(east.layout, renamed, "x", seconds(2)).has_value(); }, seconds(5)));
  EXPECT_FALSE(ask_ancestry(east.layout, east.as_upstream(), "x", seconds(2)));
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
  const auto start = Timer::now();
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  report("clone_150MB_and_stream", start);
  EXPECT_EQ(west.sql("SELECT count(*) FROM big")->front().front(), "200000");
}

TEST_F(Engine, FrozenServerTimesOutAndIsStoppedAnyway) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  auto local = open_local(east.layout, east.settings.port, seconds(5));
  ASSERT_OK(local);
  for (const pid_t pid : server_processes(east.layout.pgdata(), {})) kill(pid, SIGSTOP);
  const auto start = Timer::now();
  const auto seen = observe(*local, milliseconds(300));
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::kTimeout);
  EXPECT_LT(milliseconds_since(start), 600);
  ASSERT_OK(east.postmaster->stop(StopMode::kImmediate, milliseconds(200)));
  EXPECT_TRUE(server_processes(east.layout.pgdata(), {}).empty());
}

TEST_F(Engine, WalWithoutSpaceEndsTheInstanceAtOnceAndSaysWhy) {
  const char* small = getenv("TWINSPAN_SMALL_DISK");  // made by main() where it may mount
  if (small == nullptr) GTEST_SKIP() << "needs to be started as root, to mount a small tmpfs";
  Member north(children, authority, small, "north", 3);
  north.settings.parameters["min_wal_size"] = "32MB";
  ASSERT_NO_FATAL_FAILURE(make_primary(north));
  ASSERT_OK(north.sql("CREATE UNLOGGED TABLE fill (x text)"));
  const auto start = Timer::now();
  std::jthread client([&] {
    auto session = Session::open(local_conninfo(north.layout, north.settings.port), seconds(5));
    while (session && session->alive())
      if (!session->simple("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000))", seconds(10))) break;
  });
  const auto death = north.wait_for_death(seconds(60));
  report("disk_filled_to_reaped", start);
  ASSERT_TRUE(death);
  EXPECT_FALSE(death->asked_for);
  EXPECT_NE(death->last_words.find("No space left on device"), std::string::npos) << death->last_words;
}

}  // namespace
}  // namespace twinspan::postgres::testing
