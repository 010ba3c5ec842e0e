// What a worker reads and writes of its link's past, over HTTP to two servers.
#include "worker/s3/past_keeper.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "sandbox/s3/stub.hpp"

namespace twinspan::worker_s3 {
namespace {

namespace fs = std::filesystem;
using s3_stub::Fault;
using s3_stub::FaultKind;

constexpr const char* kRecord = ".twinspan/primary/shop/docs.json";

struct Keeper : testing::Test {
  SystemClock clock;
  s3_stub::Stub east{s3_stub::StubOptions{}}, west{s3_stub::StubOptions{}};
  fs::path folder = fs::temp_directory_path() / fmt::format("twinspan-past-{}", ::getpid());
  api::ReplicationLink link;

  void SetUp() override {
    for (auto [server, name] : {std::pair{&east, "east"}, {&west, "west"}}) {
      ASSERT_TRUE(server->start());
      server->create_bucket("docs");
      fs::create_directories(folder / name / "credentials");
      std::ofstream(folder / name / "credentials" / "accessKeyId") << "test";
      std::ofstream(folder / name / "credentials" / "secretAccessKey") << "test-secret";
    }
    link = *api::parse_replication_link(Json::parse(fmt::format(
        R"({{"apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
             "metadata": {{"name": "docs", "namespace": "shop", "uid": "u1"}},
             "spec": {{"engine": "S3", "source": {}, "targets": [{}]}}}})",
        endpoint("east", east), endpoint("west", west))));
  }
  ~Keeper() override { fs::remove_all(folder); }
  static std::string endpoint(const char* name, const s3_stub::Stub& server) {
    return fmt::format(
        R"({{"name": "{}", "s3": {{"endpoint": "{}", "bucket": "docs", "credentialsSecretRef": {{"name": "any"}}}}}})",
        name, server.endpoint());
  }
  void assign(int64_t epoch, const std::string& primary, const std::string& previous, const std::string& cause) {
    link.status.assignment.emplace();
    link.status.assignment->epoch = epoch;
    link.status.assignment->primary = primary;
    link.status.assignment->previous = previous;
    link.status.assignment->cause = cause;
  }
  static bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  Permit permit(const PastKeeper& keeper, const char* target) const {
    return keeper.clearance(direction_of(link), target).permission.permit;
  }
  static std::string said(const s3_stub::Stub& server) {
    const auto text = server.body("docs", kRecord);
    const Json json = text ? Json::parse(*text, nullptr, false) : Json();
    return text ? fmt::format("{}@{}", text_of(json, "primary"), integer_of(json, "epoch")) : "";
  }
};

TEST_F(Keeper, WritesThePrimarysRecordFirstAndNothingBeforeItMay) {
  PastKeeper keeper(folder.string(), clock, [] {});
  keeper.apply(link, false);
  ASSERT_TRUE(eventually([&] { return keeper.past() && keeper.past()->known; }));
  EXPECT_EQ(said(east) + said(west), "") << "without a lease nothing is written";
  EXPECT_EQ(permit(keeper, "west"), Permit::kUnknown);
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return permit(keeper, "west") == Permit::kAllowed; }));
  EXPECT_EQ(said(east), "east@1");
  EXPECT_EQ(said(west), "east@1");
  EXPECT_EQ(keeper.recorded_epoch(), 1);

  // A failover while the old primary is away: its record waits for it, and so does everything that goes there.
  east.inject({FaultKind::kCut, 1 << 30, "", "", "", 0});
  assign(2, "west", "east", "PrimaryUnreachable");
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return keeper.recorded_epoch() == 2; }));
  EXPECT_EQ(said(west), "west@2");
  EXPECT_NE(permit(keeper, "east"), Permit::kAllowed);
  east.clear_faults();
  ASSERT_TRUE(eventually([&] { return permit(keeper, "east") == Permit::kAllowed; }));
  EXPECT_EQ(said(east), "west@2");
}

TEST_F(Keeper, OfALinkThatIsAppliedAgainSaysWhoWasPrimaryAndAllowsNothingBeforeTheOperatorHasAnswered) {
  {
    PastKeeper former(folder.string(), clock, [] {});
    assign(3, "west", "east", "Switchover");
    former.apply(link, true);
    ASSERT_TRUE(eventually([&] { return said(east) == "west@3"; }));
  }
  link.status.assignment.reset();
  link.metadata.uid = "u2";
  PastKeeper keeper(folder.string(), clock, [] {});
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return keeper.past() && keeper.past()->known; }));
  EXPECT_EQ(keeper.past()->primary, "west");
  EXPECT_EQ(keeper.past()->epoch, Epoch{3});
  EXPECT_NE(permit(keeper, "west"), Permit::kAllowed);
  EXPECT_EQ(keeper.recorded_epoch(), std::nullopt);
  assign(4, "west", "west", "Restart");
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return permit(keeper, "east") == Permit::kAllowed; }));
  EXPECT_EQ(said(west), "west@4");
}

// What copies left at the new primary is told from what clients write there by the date of its record: no client is
// sent there in that second, and the date stays.
TEST_F(Keeper, TheSecondInWhichANewPrimaryIsRecordedIsOverBeforeClientsAreSentThere) {
  const auto led = [&](const PastKeeper& keeper) { return keeper.clearance(direction_of(link), "east").led; };
  const auto recorded = [&] {
    const auto found = west.body("docs", kRecord);
    return found ? text_of(Json::parse(*found), "turned") : "";
  };
  WallTime first;
  {
    PastKeeper keeper(folder.string(), clock, [] {}), other(folder.string(), clock, [] {});
    for (PastKeeper* one : {&keeper, &other}) one->apply(link, true);
    ASSERT_TRUE(eventually(
        [&] { return permit(keeper, "west") == Permit::kAllowed && permit(other, "west") == Permit::kAllowed; }));
    assign(2, "west", "east", "Switchover");
    keeper.apply(link, true);
    ASSERT_TRUE(eventually([&] { return permit(keeper, "east") == Permit::kAllowed; }));
    EXPECT_EQ(recorded(), "when written");
    ASSERT_TRUE(eventually([&] { return keeper.recorded_epoch() == 2; }));
    first = led(keeper);
    EXPECT_GE(clock.wall_now(), first + std::chrono::seconds(1)) << "of the same machine's clock";
    // Another worker carried the other way until now: what it copied is a copy as well.
    other.apply(link, true);
    ASSERT_TRUE(eventually([&] { return other.recorded_epoch() == 2 && permit(other, "east") == Permit::kAllowed; }));
    EXPECT_GT(led(other), first);
    first = led(other);
    EXPECT_GE(clock.wall_now(), first + std::chrono::seconds(1));
  }
  PastKeeper again(folder.string(), clock, [] {});
  again.apply(link, true);
  ASSERT_TRUE(eventually([&] { return permit(again, "east") == Permit::kAllowed; }));
  EXPECT_EQ(led(again), first) << "after a restart";
  assign(3, "west", "west", "Switchover");
  again.apply(link, true);
  ASSERT_TRUE(eventually([&] { return said(west) == "west@3" && permit(again, "east") == Permit::kAllowed; }));
  EXPECT_EQ(led(again), first) << "the record is another, and the time is not";
  EXPECT_EQ(recorded(), to_rfc3339(first));
}

// A link that was applied again begins with its source, and goes over to where its bucket says that clients are: what
// they wrote there meanwhile is no copy.
TEST_F(Keeper, AnEpochThatNobodyRecordedMakesNobodysWritesCopies) {
  {
    PastKeeper former(folder.string(), clock, [] {});
    assign(3, "west", "east", "Switchover");
    former.apply(link, true);
    ASSERT_TRUE(eventually([&] { return said(east) == "west@3"; }));
  }
  link.metadata.uid = "u2";
  assign(1, "east", "", "Initial");
  PastKeeper keeper(folder.string(), clock, [] {});
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return keeper.past() && keeper.past()->known; }));
  EXPECT_NE(permit(keeper, "west"), Permit::kAllowed);
  assign(4, "west", "east", "Restart");
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return permit(keeper, "east") == Permit::kAllowed; }));
  EXPECT_EQ(keeper.clearance(direction_of(link), "east").led, WallTime{});
}

// It may come when clients have been there for long.
TEST_F(Keeper, AWorkerThatDidNotStopTheOtherWayItselfSaysNothingOfWhatIsACopy) {
  {
    PastKeeper former(folder.string(), clock, [] {});
    former.apply(link, true);
    ASSERT_TRUE(eventually([&] { return permit(former, "west") == Permit::kAllowed; }));
  }
  assign(2, "west", "east", "PrimaryUnreachable");
  PastKeeper keeper(folder.string(), clock, [] {});
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return permit(keeper, "east") == Permit::kAllowed; }));
  EXPECT_EQ(keeper.clearance(direction_of(link), "east").led, WallTime{});
  EXPECT_EQ(keeper.recorded_epoch(), 2);
}

// Credentials that may only read are enough for a source that was never another's copy, and for nobody else.
TEST_F(Keeper, ASourceThatMayOnlyBeReadKeepsNoRecordAndACandidateMust) {
  east.inject({FaultKind::kDenied, 1 << 30, "PUT", "", "", 0});
  PastKeeper keeper(folder.string(), clock, [] {});
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return permit(keeper, "west") == Permit::kAllowed; }));
  EXPECT_EQ(keeper.recorded_epoch(), 1);
  EXPECT_EQ(said(east), "");
  assign(2, "west", "east", "PrimaryUnreachable");
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return keeper.recorded_epoch() == 2; }));
  assign(3, "east", "west", "Switchover");
  keeper.apply(link, true);
  ASSERT_TRUE(eventually([&] { return east.requests("PUT") > 2; }));
  EXPECT_NE(keeper.recorded_epoch(), 3) << "clients are not sent where nobody would find it later";
}

}  // namespace
}  // namespace twinspan::worker_s3
