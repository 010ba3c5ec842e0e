// What a member does for connections that hang, for log that is gone and for tablespaces, against real PostgreSQL.
#include <fmt/format.h>
#include <signal.h>

#include <filesystem>

#include "engines/postgres/tablespaces.hpp"
#include "integration/postgres/pair.hpp"
#include "worker/postgres/disk_probe.hpp"

namespace twinspan::postgres::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Heal : public Pair {
 protected:
  void write_log(Member& member, int megabytes) {
    ASSERT_OK(member.sql("CREATE TABLE IF NOT EXISTS filler (n text)"));
    ASSERT_OK(member.sql(
        fmt::format("INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, {})", megabytes * 900),
        2 * kPatience));
  }
  pid_t receiver(Member& member) {
    const auto rows = member.sql("SELECT pid FROM pg_stat_wal_receiver");
    return rows && rows->size() == 1 ? static_cast<pid_t>(std::atoi(rows->front().front()->c_str())) : 0;
  }
  int64_t sender(Member& member) {
    const auto seen = member.look();
    return seen && seen->senders.size() == 1 ? seen->senders[0].pid : 0;
  }
  // Its sender there keeps the connection for so long that whoever ends it first is not the kernel.
  void never_given_up_by_the_kernel(Member& replica, Member& upstream) {
    const int64_t before = sender(upstream);
    const std::string alter = replica.value(
        "SELECT format('ALTER SYSTEM SET primary_conninfo = %L', replace(setting, 'tcp_user_timeout=10000', "
        "'tcp_user_timeout=600000')) FROM pg_settings WHERE name = 'primary_conninfo' AND setting LIKE "
        "'%tcp_user_timeout=10000%'");
    ASSERT_OK(replica.sql(alter));
    replica.postmaster->reload();
    ASSERT_TRUE(eventually([&] {
      const int64_t now = sender(upstream);
      return now != 0 && now != before && replica.streams_from(upstream);
    }));
  }
};

TEST_F(Heal, ASenderWhoseReplicaReadsNothingIsEndedThoughItHangsInItsFarewell) {
  east.settings.parameters["wal_sender_timeout"] = "0";
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  ASSERT_NO_FATAL_FAILURE(never_given_up_by_the_kernel(west, east));
  const pid_t hung = receiver(west);
  ASSERT_GT(hung, 1);
  ASSERT_EQ(kill(hung, SIGSTOP), 0);
  ASSERT_NO_FATAL_FAILURE(write_log(east, 60));  // more than the sockets between them hold
  const int64_t pid = sender(east);
  ASSERT_GT(pid, 1);
  auto local = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(local);
  const auto start = std::chrono::steady_clock::now();
  int calls = 0;
  EXPECT_TRUE(eventually(
      [&] {
        ++calls;
        EXPECT_TRUE(end_sender(*local, pid));
        return sender(east) == 0;
      },
      seconds(40)))
      << calls;
  std::printf("[ TIMING   ] deaf sender ended: %.1f ms, %d calls\n", milliseconds_since(start), calls);
  kill(hung, SIGCONT);
  EXPECT_TRUE(eventually([&] { return west.streams_from(east); }));
}

// The agent may be away: the kernel gives the connection up.
TEST_F(Heal, ASenderWhoseReplicaReadsNothingEndsByItselfInTime) {
  east.settings.parameters["wal_sender_timeout"] = "0";
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  const pid_t hung = receiver(west);
  ASSERT_EQ(kill(hung, SIGSTOP), 0);
  ASSERT_NO_FATAL_FAILURE(write_log(east, 60));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return sender(east) == 0; }));
  std::printf("[ TIMING   ] deaf sender given up by the kernel: %.1f ms\n", milliseconds_since(start));
  kill(hung, SIGCONT);
}

TEST_F(Heal, LogThatIsGoneAtTheUpstreamIsSeen) {
  for (const char* name : {"wal_keep_size", "max_wal_size", "max_slot_wal_keep_size"})
    east.settings.parameters[name] = "32MB";
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  const Position early = west.seen().received;
  ASSERT_OK(west.postmaster->stop(StopMode::kFast, kPatience));
  const auto before = ask_log_kept(west.layout, east.as_upstream(), "west", kPatience);
  ASSERT_OK(before);
  EXPECT_TRUE(has_log_after(*before, early));
  EXPECT_GT(before->data_bytes, 1U << 20);
  for (int i = 0; i < 3; ++i) {
    ASSERT_NO_FATAL_FAILURE(write_log(east, 60));
    ASSERT_OK(east.sql("CHECKPOINT", 2 * kPatience));
  }
  const auto after = ask_log_kept(west.layout, east.as_upstream(), "west", kPatience);
  ASSERT_OK(after);
  EXPECT_FALSE(has_log_after(*after, early)) << to_string(after->oldest) << " " << to_string(early);
  EXPECT_TRUE(has_log_after(*after, east.seen().received));
  const auto slots = east.seen().slots;
  ASSERT_EQ(slots.size(), 1U);
  EXPECT_EQ(slots[0].wal_status, "lost");
  auto local = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(local);
  ASSERT_OK(carry_out(*local, plan_slots(slots, {"twinspan_west"}, false)));
  EXPECT_EQ(east.seen().slots.at(0).wal_status, "reserved");
}

TEST_F(Heal, ThePrimaryOutlivesAReplicaThatIsAwayForEver) {
  const std::string small = empty_small_disk();
  if (small.empty()) GTEST_SKIP() << "needs to be started as root, to mount a small tmpfs";
  Member north(children, authority, small, "north", 3);
  // A person's own bound is none at all: only letting the slot go helps.
  north.settings.parameters = {{"min_wal_size", "32MB"}, {"max_slot_wal_keep_size", "-1"}};
  north.settings.wal = wal_bounds(worker::volume_of(small)->total_bytes);
  ASSERT_NO_FATAL_FAILURE(make_primary(north));
  auto local = open_local(north.layout, north.settings.port, kPatience);
  ASSERT_OK(local);
  ASSERT_OK(carry_out(*local, plan_slots({}, {"twinspan_west"}, false)));
  bool dropped = false;
  for (int i = 0; i < 100; ++i) {  // 300 MB of log on a volume of 160
    ASSERT_OK(north.sql("SELECT pg_logical_emit_message(false, 'fill', repeat('x', 3000000))", kPatience));
    const auto seen = north.look();
    ASSERT_OK(seen);
    const SlotPlan plan = plan_slots(seen->slots, {"twinspan_west"}, is_critical(*worker::volume_of(small)));
    dropped = dropped || plan.makes_room;
    ASSERT_OK(carry_out(*local, plan));
  }
  EXPECT_TRUE(dropped);
}

TEST_F(Heal, OneReplicaAtATimeGivesUpWhatItHas) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_OK(west.configure());
  auto first = reserve_repair(west.layout, east.as_upstream(), "west", kPatience);
  ASSERT_OK(first);
  const auto second = reserve_repair(west.layout, east.as_upstream(), "west-2", kPatience);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  first = fail(Code::kCancelled, "gone");
  EXPECT_TRUE(
      eventually([&] { return reserve_repair(west.layout, east.as_upstream(), "west-2", kPatience).has_value(); }));
}

TEST_F(Heal, CloneTakesTablespacesToItsOwnVolumeAndAnotherCloneReplacesThem) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  const std::string place = east.layout.data_dir + "/fast";
  fs::create_directories(place);
  ASSERT_OK(east.sql(fmt::format("CREATE TABLESPACE fast LOCATION '{}'", place)));
  ASSERT_OK(east.sql("CREATE TABLE quick (n int) TABLESPACE fast"));
  ASSERT_OK(east.sql("INSERT INTO quick VALUES (42)"));
  EXPECT_EQ(east.seen().tablespaces, std::vector<std::string>{place});
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(west.value("SELECT n FROM quick"), "42");
    const auto there = west.seen().tablespaces;
    ASSERT_EQ(there.size(), 1U);
    EXPECT_TRUE(lies_within(there[0], west.layout.data_dir + "/tablespaces")) << there[0];
    if (round == 1) break;
    ASSERT_OK(west.postmaster->stop(StopMode::kFast, kPatience));
    ASSERT_OK(clone(children, west.layout, east.as_upstream(), "west", nullptr));
    ASSERT_OK(west.start());
    EXPECT_FALSE(fs::exists(there[0])) << "the former copy's tablespace is gone with it";
  }
  EXPECT_EQ(east.value("SELECT n FROM quick"), "42");
}

// A replica ends when it replays the making of a tablespace whose place it doesn't have.
TEST_F(Heal, AReplicaGoesOnOnceThePlaceOfANewTablespaceIsMade) {
  ASSERT_NO_FATAL_FAILURE(make_primary(east));
  ASSERT_NO_FATAL_FAILURE(make_replica(west, east));
  // In pods the data directory has one path everywhere; here the replica's own stands for it.
  const std::string place = west.layout.data_dir + "/fast";
  ASSERT_OK(west.postmaster->stop(StopMode::kFast, kPatience));
  ASSERT_TRUE(west.wait_for_death(kPatience));
  fs::create_directories(place);
  ASSERT_OK(east.sql(fmt::format("CREATE TABLESPACE fast LOCATION '{}'", place)));
  // What east made there belongs to east: gone, as on a volume of its own.
  fs::rename(place, place + "-of-east");
  ASSERT_OK(west.postmaster->start());
  const auto death = west.wait_for_death(kPatience);
  ASSERT_TRUE(death);
  EXPECT_FALSE(death->asked_for);
  const auto theirs = ask_tablespaces(west.layout, east.as_upstream(), "west", kPatience);
  ASSERT_OK(theirs);
  const auto outside = make_missing_locations(west.layout, *theirs);
  ASSERT_OK(outside);
  EXPECT_TRUE(outside->empty());
  ASSERT_OK(west.start());
  EXPECT_TRUE(eventually([&] { return west.streams_from(east); }));
  EXPECT_TRUE(eventually([&] {
    const auto seen = west.look();
    return seen && seen->tablespaces == std::vector<std::string>{place};
  }));
}

}  // namespace
}  // namespace twinspan::postgres::testing
