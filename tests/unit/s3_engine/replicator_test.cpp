#include "engines/s3/replicator.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engines/s3/failed_report.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Life : World {
  std::unique_ptr<Replicator> replicator;
  std::jthread thread;

  void start(milliseconds interval) {
    replicator = std::make_unique<Replicator>(settings, ReplicatorSettings{interval, 100}, Side{source, source_prefix},
                                              Side{target}, clock);
    thread = std::jthread([this](std::stop_token stop) { replicator->run(stop); });
  }
  ~Life() { thread = {}; }
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }
  bool has(const std::string& key) { return target.objects().contains(key); }
};

TEST(Replicator, SyncsThenFindsNewObjectsByListing) {
  Life life;
  life.source.add("a", "a");
  EXPECT_FALSE(life.source.objects().empty());
  life.start(milliseconds(10));
  ASSERT_TRUE(life.eventually([&] { return life.has("a"); }));
  life.source.add("b", "b");
  ASSERT_TRUE(life.eventually([&] { return life.has("b"); }));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().state == ReplicationState::kInSync; }));
  EXPECT_EQ(life.replicator->status().objects_total, 2u);
}

TEST(Replicator, ANotifiedKeysVersionsAreAllCarried) {
  Life life;
  life.source.keeps_versions = life.target.keeps_versions = true;
  life.settings.all_versions = true;
  life.settings.deletes = {DeleteMode::kReplicate, 1};
  for (const char* key : {"a", "b", "c"}) life.source.add(key, "1");
  life.start(hours(1));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().state == ReplicationState::kInSync; }));
  life.source.add("a", "2");
  life.source.add("a", "3");
  life.source.add("b", "2");
  life.source.erase("b");
  life.replicator->notify({"a", "b"});
  using Bodies = std::vector<std::string>;
  ASSERT_TRUE(life.eventually([&] { return life.target.history("a") == (Bodies{"1", "2", "3"}); }));
  ASSERT_TRUE(life.eventually([&] { return life.target.history("b") == (Bodies{"1", "2", "DELETED"}); }));
  // Beyond the cap its contents arrive all the same, and it stays to be seen.
  life.source.add("c", "2");
  life.source.erase("c");
  life.replicator->notify({"c"});
  ASSERT_TRUE(life.eventually([&] { return life.target.history("c") == (Bodies{"1", "2"}); }));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().queue_length == 0; }));
  EXPECT_EQ(life.target.history("c"), (Bodies{"1", "2"}));
  EXPECT_EQ(life.replicator->status().versions_total, 3u + 2 + 2 + 1);
}

TEST(Replicator, NotifiedKeysArriveWithoutAListing) {
  Life life;
  life.source_prefix = "p/";
  life.settings.deletes.mode = DeleteMode::kReplicate;
  life.source.add("p/a", "a");
  life.source.add("p/b", "b");
  life.start(hours(1));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().state == ReplicationState::kInSync; }));
  EXPECT_TRUE(life.has("b"));
  life.source.add("p/new", "new");
  life.source.erase("p/b");
  life.replicator->notify({"p/new", "p/b", "elsewhere", "p/.twinspan/x"});
  ASSERT_TRUE(life.eventually([&] { return life.has("new") && !life.has("b"); }));
  EXPECT_TRUE(life.has("a"));
}

TEST(Replicator, LagIsNotMeasuredBeforeTheFirstSyncAndGrowsWhileTheSourceIsAway) {
  Life life;
  life.source.add("a", "a");
  std::atomic<bool> away{true};
  life.source.fault = [&](const FakeBucket::Call&) -> std::optional<Error> {
    if (away) return Error{Code::kUnavailable, "away", true};
    return std::nullopt;
  };
  life.start(milliseconds(5));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().state == ReplicationState::kFailing; }));
  EXPECT_EQ(life.replicator->status().lag_seconds, std::nullopt);
  EXPECT_EQ(life.replicator->status().message, "away");
  away = false;
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().lag_seconds.has_value(); }));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().state == ReplicationState::kInSync; }));
  away = true;
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().lag_seconds.value_or(0) > 0.05; }));
  EXPECT_TRUE(life.has("a"));
}

TEST(Replicator, VerifiesWhenAsked) {
  Life life;
  life.source.add("a", "a");
  life.start(hours(1));
  ASSERT_TRUE(life.eventually([&] { return life.has("a"); }));
  life.target.erase("a");
  life.replicator->verify_now();
  ASSERT_TRUE(life.eventually([&] {
    const auto report = life.replicator->status().verification;
    return report && report->finished_at;
  }));
  EXPECT_EQ(life.replicator->status().verification->missing, 1u);
}

TEST(Replicator, MetadataThatAVerificationFindsDifferentIsMendedAndIsNoLag) {
  Life life;
  life.source.now = WallTime(hours(1));  // long ago
  life.source.add("a", "a").metadata.user["owner"] = "right";
  life.start(hours(1));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().state == ReplicationState::kInSync; }));
  life.target.add("a", "a").metadata.user["owner"] = "wrong";
  life.replicator->verify_now();
  ASSERT_TRUE(life.eventually([&] { return life.target.objects()["a"].metadata.user["owner"] == "right"; }));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().active_transfers == 0; }));
  EXPECT_LT(life.replicator->status().lag_seconds.value_or(0), 60);
}

TEST(Replicator, NewKeysNeedNotWaitForAFullSync) {
  Life life;
  life.settings.deletes.mode = DeleteMode::kReplicate;
  life.source.add("a", "a");
  life.source.add("gone", "g");
  life.start(hours(1));
  ASSERT_TRUE(life.eventually([&] { return life.replicator->status().state == ReplicationState::kInSync; }));
  std::atomic<bool> listing{false}, release{false};
  life.source.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name != "list" || release) return std::nullopt;
    listing = true;
    for (int i = 0; i < 2000 && !release; ++i) std::this_thread::sleep_for(milliseconds(5));
    return std::nullopt;
  };
  life.replicator->sync_now();
  ASSERT_TRUE(life.eventually([&] { return listing.load(); }));
  life.source.add("new", "new");
  life.source.erase("gone");
  life.replicator->notify({"new", "gone"});
  EXPECT_TRUE(life.eventually([&] { return life.has("new"); }));
  EXPECT_TRUE(life.has("gone"));  // the cap of deletes is the sync's
  EXPECT_FALSE(life.replicator->status().sync.completed_at);
  release = true;
  EXPECT_TRUE(life.eventually([&] { return !life.has("gone"); }));
}

TEST(Replicator, KeysThatWereGivenUpAreListedInTheTargetUntilTheyArrive) {
  Life life;
  life.settings.retries.max = life.settings.retries.network_max = 1;
  life.source.add("a", "a");
  life.source.add("bad", "b");
  std::atomic<bool> mended{false};
  life.target.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (mended || call.name != "put" || call.key != "bad") return std::nullopt;
    return fail(Code::kInvalid, "no such thing").error();
  };
  life.start(milliseconds(10));
  ASSERT_TRUE(life.eventually([&] { return life.has(failed_key("backups")); }));
  const Json listed = Json::parse(life.target.objects()[failed_key("backups")].body);
  EXPECT_EQ(listed["failed"], 1);
  EXPECT_EQ(listed["keys"][0]["key"], "bad");
  EXPECT_EQ(listed["keys"][0]["error"], "no such thing");
  mended = true;
  EXPECT_TRUE(life.eventually([&] { return life.has("bad") && !life.has(failed_key("backups")); }));
}

TEST(Lag, IsTheWorstOfWhatIsKnownAndNothingWhereNothingIs) {
  const WallTime now{hours(1000)};
  EXPECT_EQ(lag_seconds({now, std::nullopt, false, now - seconds(5), std::nullopt}), std::nullopt);
  EXPECT_EQ(lag_seconds({now, now - seconds(70), false, std::nullopt, std::nullopt}), 0);
  EXPECT_EQ(lag_seconds({now, now - seconds(70), false, now - seconds(5), std::nullopt}), 5);
  EXPECT_EQ(lag_seconds({now, now - seconds(70), false, now - seconds(5), seconds(9)}), 9);
  EXPECT_EQ(lag_seconds({now, now - seconds(70), true, now - seconds(5), seconds(9)}), 70);
  EXPECT_EQ(lag_seconds({now, now, false, now + seconds(5), std::nullopt}), 0);  // the source's clock is ahead
}

TEST(ReplicationStatus, SurvivesTheWire) {
  ReplicationStatus status;
  status.state = ReplicationState::kFailing;
  status.message = "a: no";
  status.lag_seconds = 42.5;
  status.queue_length = 120;
  status.active_transfers = 10;
  status.sync.total = 5003;
  status.sync.completed_at = WallTime(hours(1));
  status.sync.deletes_withheld = "OverCap";
  status.dead_letters = {{"a", "no", 3, WallTime(hours(2))}};
  status.verification = VerificationReport{};
  status.verification->missing_sample = {"x"};
  status.verification->rest = {{"a", "b"}};
  const auto parsed = parse_replication_status(to_json(status));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(to_json(*parsed), to_json(status));
  EXPECT_EQ(parsed->sync, status.sync);
  EXPECT_EQ(*parsed->verification, *status.verification);
  EXPECT_FALSE(parse_replication_status(Json::array()));
  EXPECT_FALSE(parse_replication_status(Json::object())->lag_seconds);
  EXPECT_TRUE(parse_replication_status({{"sync", 3}, {"deadLetters", "x"}, {"verification", Json::array()}}));
}

}  // namespace
}  // namespace twinspan::s3
