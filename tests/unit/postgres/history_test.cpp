#include <gtest/gtest.h>

#include "engines/postgres/control_data.hpp"
#include "engines/postgres/lag.hpp"
#include "engines/postgres/observe.hpp"
#include "engines/postgres/timeline.hpp"
#include "engines/postgres/wal_end.hpp"

namespace twinspan::postgres {
namespace {

constexpr const char* kControl = R"(pg_control version number:            1300
Database system identifier:           7574996211187593216
Database cluster state:               shut down
Latest checkpoint location:           0/3000028
Latest checkpoint's REDO location:    0/3000028
Latest checkpoint's TimeLineID:       2
Minimum recovery ending location:     0/0
Min recovery ending loc's timeline:   0
wal_level setting:                    replica
max_connections setting:              60
max_worker_processes setting:         8
max_wal_senders setting:              16
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
Bytes per WAL segment:                16777216
)";

TEST(ControlData, IsReadWhole) {
  const auto control = parse_control_data(kControl);
  ASSERT_TRUE(control) << control.error().message;
  EXPECT_EQ(control->system_id, "7574996211187593216");
  EXPECT_TRUE(control->cleanly_shut_down());
  EXPECT_EQ(control->timeline, 2U);
  EXPECT_EQ(control->checkpoint, Position{0x3000028});
  EXPECT_EQ(control->recovery_floor.at("max_connections"), 60);
  EXPECT_EQ(control->recovery_floor.at("max_prepared_transactions"), 0);
  EXPECT_EQ(control->recovery_floor.at("max_locks_per_transaction"), 64);
}

TEST(ControlData, NamesTheLineThatIsMissing) {
  std::string text = kControl;
  text.erase(text.find("Latest checkpoint's TimeLineID"), 40);
  const auto control = parse_control_data(text);
  ASSERT_FALSE(control);
  EXPECT_NE(control.error().message.find("TimeLineID"), std::string::npos);
  EXPECT_FALSE(parse_control_data(""));
}

TEST(EndOfRecord, CountsPageHeadersAndAlignment) {
  constexpr uint64_t kSegment = 16777216;
  EXPECT_EQ(end_of_record({0x3000028}, 114, kSegment), Position{0x30000A0});
  // 64 bytes before a page's end: 64 here, a short header, 50 there.
  EXPECT_EQ(end_of_record({0x3001FC0}, 114, kSegment), Position{0x3002000 + 24 + 56});
  // The same before a segment's end: a long header.
  EXPECT_EQ(end_of_record({0x3FFFFC0}, 114, kSegment), Position{0x4000000 + 40 + 56});
  EXPECT_EQ(end_of_record({0x3001F80}, 128, kSegment), Position{0x3002000});
}

TEST(SegmentName, FollowsTheTimelineAndTheSegmentSize) {
  EXPECT_EQ(wal_segment_name(2, {0x3000028}, 16777216), "000000020000000000000003");
  EXPECT_EQ(wal_segment_name(1, {0x1FF000000}, 16777216), "0000000100000001000000FF");
}

TEST(History, IsReadOldestFirst) {
  const auto history = parse_history("1\t0/3000148\tno recovery target specified\n\n# note\n2\t0/4000060\tx\n");
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_EQ(*history, (std::vector<TimelineSwitch>{{1, {0x3000148}}, {2, {0x4000060}}}));
  for (const char* wrong : {"x\t0/1\n", "1\tnowhere\n", "1\n", "2\t0/1\n1\t0/2\n"})
    EXPECT_FALSE(parse_history(wrong)) << wrong;
  EXPECT_EQ(history_file_name(26), "0000001A.history");
}

Ancestry member(uint32_t timeline, std::vector<TimelineSwitch> history, std::optional<uint64_t> end,
                bool in_recovery = false) {
  Ancestry one;
  one.system_id = "7";
  one.timeline = timeline;
  one.history = std::move(history);
  if (end) one.end = Position{*end};
  one.in_recovery = in_recovery;
  return one;
}

TEST(Judge, FollowsExactlyWhenTheOwnLogIsAPrefixOfTheSources) {
  const Ancestry source = member(3, {{1, {100}}, {2, {200}}}, 300);
  struct Case {
    Ancestry own;
    Kinship kinship;
  };
  for (const Case& one : std::vector<Case>{
           {member(1, {}, 100), Kinship::kSame},  // up to the fork and not a byte more
           {member(1, {}, 101), Kinship::kForked},
           {member(2, {{1, {100}}}, 200), Kinship::kSame},
           {member(2, {{1, {100}}}, 208), Kinship::kForked},
           {member(2, {{1, {90}}}, 95), Kinship::kForked},  // another second timeline
           {member(3, {{1, {100}}, {2, {200}}}, 300), Kinship::kSame},
           {member(3, {{1, {100}}, {2, {200}}}, 301), Kinship::kForked},  // the primary lost what is here
           {member(3, {{1, {100}}, {2, {190}}}, 195), Kinship::kForked},
           {member(4, {{1, {100}}, {2, {200}}, {3, {250}}}, 260), Kinship::kForked},  // a failed promotion
           {member(4, {{1, {100}}}, 120), Kinship::kForked},
           {member(2, {{1, {100}}}, std::nullopt), Kinship::kUnmeasured},
       })
    EXPECT_EQ(judge(one.own, source).kinship, one.kinship)
        << one.own.timeline << " ending at " << (one.own.end ? one.own.end->value : 0) << ": "
        << judge(one.own, source).reason;
}

TEST(Judge, AReplicaAsSourceMayBeBehind) {
  EXPECT_EQ(judge(member(1, {}, 300), member(1, {}, 200, true)).kinship, Kinship::kSame);
  EXPECT_EQ(judge(member(1, {}, 300), member(1, {}, 200, false)).kinship, Kinship::kForked);
}

TEST(Judge, AnotherSystemIsForeignWhateverItsHistory) {
  Ancestry other = member(1, {}, 10);
  other.system_id = "8";
  EXPECT_EQ(judge(other, member(1, {}, 300)).kinship, Kinship::kForeign);
}

BootTime at(int64_t milliseconds) { return BootTime(std::chrono::milliseconds(milliseconds)); }

TEST(DownstreamLag, GrowsWhileAReplicaConfirmsNothing) {
  DownstreamLag lag;
  std::vector<Observation::Sender> senders(1);
  senders[0].application = "west";
  senders[0].replayed = Position{100};
  const BootTime begin{};
  lag.measure(begin, Position{100}, senders);
  EXPECT_EQ(senders[0].lag_seconds, 0);
  for (int second = 1; second <= 5; ++second) {
    lag.measure(begin + std::chrono::seconds(second), Position{100 + 10u * second}, senders);
    EXPECT_EQ(senders[0].lag_seconds, second - 1);
  }
  std::vector<Observation::Sender> nobody;
  lag.measure(begin + std::chrono::seconds(6), Position{200}, nobody);
  ASSERT_EQ(nobody.size(), 1u);
  EXPECT_EQ(nobody[0].application, "west");
  EXPECT_EQ(nobody[0].state, "lost");
  EXPECT_EQ(nobody[0].lag_seconds, 5);
  senders[0].replayed = Position{200};
  lag.measure(begin + std::chrono::seconds(7), Position{200}, senders);
  EXPECT_EQ(senders.size(), 1u);
  EXPECT_EQ(senders[0].lag_seconds, 0);
}

TEST(LagMeter, MeasuresTheAgeOfWhatIsMissing) {
  LagMeter lag;
  EXPECT_EQ(lag.disconnected(at(0)), std::nullopt);
  EXPECT_EQ(lag.connected(at(0), {100}, {100}), 0);
  EXPECT_EQ(lag.connected(at(3600'000), {200}, {100}), 0);  // an idle hour is no lag
  EXPECT_DOUBLE_EQ(lag.connected(at(3601'000), {300}, {100}), 1);
  EXPECT_DOUBLE_EQ(lag.connected(at(3602'000), {400}, {250}), 1);  // 200 arrived; 300 is missing since 3601
  EXPECT_DOUBLE_EQ(*lag.disconnected(at(3605'000)), 4);
  EXPECT_EQ(lag.connected(at(3606'000), {400}, {400}), 0);
  EXPECT_DOUBLE_EQ(*lag.disconnected(at(3608'000)), 2);
}

TEST(Observation, IsReadFromOneJsonValue) {
  const auto seen =
      parse_observation(R"json({"recovery":true,"timeline":2,"received":"0/3000148","replayed":"0/3000100",
    "receiver":{"status":"streaming","end":"0/3000148","heard":"2026-11-28 10:00:00.5+00","timeout":5},"senders":[{"user":"cdc","application":"west","state":"streaming","sync":"quorum","pid":7},
    {"user":null,"application":"west-3","state":"startup","sync":"async","pid":8},{"user":"twinspan_replication","application":"west-2",
    "state":"streaming","sync":"async","flushed":"0/3000148","replayed":null,"lag":0.5,"pid":42,"sent":"0/3000150","told":"2026-11-28"}],
    "sender_timeout":5,"slots":[{"name":"twinspan_west_2","active":true,"wal":"reserved","kept":1024},
    {"name":"twinspan_west","active":false,"wal":"lost","kept":null}],
    "archiving":true,"tablespaces":["/data/fast"],"pending":["max_connections"],"version":"15.20 (Debian)"})json");
  ASSERT_TRUE(seen) << seen.error().message;
  EXPECT_TRUE(seen->in_recovery);
  EXPECT_EQ(seen->received, Position{0x3000148});
  EXPECT_EQ(seen->receiver->status, "streaming");
  EXPECT_EQ(seen->receiver->timeout_seconds, 5);
  // Who logged in as another role is no replica, whatever it calls itself.
  ASSERT_EQ(seen->senders.size(), 1u);
  ASSERT_EQ(seen->strangers.size(), 2u);
  EXPECT_EQ(seen->strangers[0].user, "cdc");
  EXPECT_EQ(seen->strangers[0].application, "west");
  EXPECT_EQ(seen->strangers[0].pid, 7);
  EXPECT_EQ(seen->senders.at(0).pid, 42);
  EXPECT_EQ(seen->senders.at(0).sent, Position{0x3000150});
  EXPECT_EQ(seen->slots.at(0).kept_bytes, 1024U);
  EXPECT_EQ(seen->slots.at(1).kept_bytes, 0U);
  EXPECT_EQ(seen->senders.at(0).replayed, std::nullopt);
  EXPECT_EQ(seen->senders.at(0).lag_seconds, 0.5);
  EXPECT_EQ(seen->tablespaces, std::vector<std::string>{"/data/fast"});
  EXPECT_EQ(seen->pending_restart, std::vector<std::string>{"max_connections"});
  EXPECT_TRUE(seen->archiving);
  for (const char* wrong : {"", "[]", "{}", R"({"recovery":1})"}) EXPECT_FALSE(parse_observation(wrong)) << wrong;
}

}  // namespace
}  // namespace twinspan::postgres
