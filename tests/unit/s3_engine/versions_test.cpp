// All versions of each key, in their order, once; whatever is found at the target and wherever the worker dies.
#include "engines/s3/versions.hpp"

#include <gtest/gtest.h>

#include "engines/s3/verify.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kFiveMiB = 5 << 20;

struct VersionWorld : World {
  VersionWorld() {
    source.keeps_versions = target.keeps_versions = true;
    settings.all_versions = true;
    settings.deletes = {DeleteMode::kReplicate, 10};
  }
  void write(const std::string& key, const std::vector<std::string>& bodies) {
    for (const std::string& body : bodies) {
      source.now += std::chrono::seconds(1);
      if (body == "DELETED")
        source.erase(key);
      else
        source.add(key, body);
    }
  }
  void plant(const std::string& key, const std::vector<std::string>& bodies) {
    for (const std::string& body : bodies) {
      target.now += std::chrono::seconds(1);
      if (body == "DELETED")
        target.erase(key);
      else
        target.add(key, body);
    }
  }
  void expect_same_histories() {
    for (const std::string& key : source.keys_ever()) EXPECT_EQ(source.history(key), target.history(key)) << key;
    expect_nothing_left();
  }
};

using Bodies = std::vector<std::string>;

TEST(Versions, AreCarriedOldestFirstAndOnce) {
  VersionWorld world;
  world.write("a", {"1", "2", "DELETED", "3"});
  world.write("a/b", {"x", "x", "y", "x"});
  world.write("b", {"only"});
  world.write("gone", {"1", "DELETED"});
  world.source.add("parts", body_of(kFiveMiB + 3), {kFiveMiB, 3});
  world.source.add("parts", body_of(2 * kFiveMiB + 3, 'b'), {kFiveMiB, kFiveMiB, 3});
  for (int i = 0; i < 35; ++i) world.write("many", {fmt::format("{}", i)});  // over several pages
  const SyncProgress first = world.sync();
  EXPECT_TRUE(first.complete) << first.error;
  EXPECT_EQ(first.replicated, 6u);
  EXPECT_EQ(first.versions, 4u + 4 + 1 + 2 + 2 + 35);
  EXPECT_EQ(first.unaligned, 0u);
  world.expect_same_histories();
  const SyncProgress again = world.sync();
  EXPECT_EQ(again.skipped, 6u);
  EXPECT_EQ(again.versions, 0u);
  world.expect_same_histories();
}

TEST(Versions, WhatIsWrittenLaterIsAppended) {
  VersionWorld world;
  world.write("a", {"1", "2"});
  world.write("b", {"1"});
  world.sync();
  world.write("a", {"3", "DELETED", "1"});
  const SyncProgress second = world.sync();
  EXPECT_EQ(second.versions, 3u);
  EXPECT_EQ(second.deleted, 0u);
  world.expect_same_histories();
}

TEST(Versions, AMarkerThatHidesAnObjectIsMadeWithinTheCapOnly) {
  VersionWorld world;
  world.settings.deletes.max_per_sync = 2;
  for (int i = 0; i < 5; ++i) world.write(fmt::format("k{}", i), {"1"});
  world.sync();
  for (int i = 0; i < 3; ++i) world.write(fmt::format("k{}", i), {"2", "DELETED"});
  const SyncProgress over = world.sync();
  EXPECT_EQ(over.deletes_withheld, "OverCap");
  EXPECT_EQ(over.deleted, 0u);
  EXPECT_EQ(over.versions, 3u);
  EXPECT_EQ(world.target.history("k0"), (Bodies{"1", "2"}));
  world.write("k0", {"3"});
  const SyncProgress within = world.sync();
  EXPECT_EQ(within.deleted, 2u);
  world.expect_same_histories();
  EXPECT_EQ(world.target.history("k0"), (Bodies{"1", "2", "DELETED", "3"}));
}

TEST(Versions, EachShareCarriesItsKeysAndTheCapIsTheWholeLinks) {
  VersionWorld world;
  world.settings.deletes.max_per_sync = 3;
  const auto sync = [&] {
    uint64_t deleted = 0;
    for (int share = 0; share < 3; ++share) {
      world.settings.share = {share, 3, 1};
      const SyncProgress progress = world.sync();
      EXPECT_TRUE(progress.complete) << progress.error;
      deleted += progress.deleted;
    }
    return deleted;
  };
  for (int i = 0; i < 20; ++i) world.write(fmt::format("k{}", i), {"1", "2", "DELETED", "1"});
  EXPECT_EQ(sync(), 0u);
  world.expect_same_histories();
  for (int i = 0; i < 6; ++i) world.write(fmt::format("k{}", i), {"DELETED"});
  EXPECT_EQ(sync(), 0u);
  for (int i = 0; i < 3; ++i) world.write(fmt::format("k{}", i), {"3"});
  EXPECT_EQ(sync(), 3u);
  world.expect_same_histories();
}

TEST(Versions, AServerThatTellsAVersionTwiceAndMarksNothingAbsentIsUnderstood) {
  VersionWorld world;
  world.source.repeats_last = true;
  world.target.marks_absent = false;
  world.settings.page_keys = 2;
  world.write("a", {"DELETED", "1", "DELETED", "DELETED", "2", "2", "1", "2"});
  world.write("b", {"1", "DELETED", "DELETED"});
  world.sync();
  EXPECT_EQ(world.target.history("a"), (Bodies{"1", "DELETED", "2", "2", "1", "2"}));
  EXPECT_EQ(world.target.history("b"), (Bodies{"1", "DELETED"}));
  EXPECT_EQ(world.sync().versions, 0u);
}

// One key with as many versions as one likes, which exist on paper only.
class LongBucket final : public FakeBucket {
 public:
  LongBucket(size_t versions) : FakeBucket("long"), versions_(versions) {}
  Result<Page> list_versions(const ListRequest& request, std::stop_token) override {
    Page page;
    for (size_t i = request.continuation.empty() ? versions_ : std::stoul(request.continuation); i > 0; --i) {
      if (page.objects.size() == 1000) {
        page.next = std::to_string(i);
        break;
      }
      Listed& one = page.objects.emplace_back();
      one.key = "k";
      one.version_id = std::to_string(i);
      one.latest = i == versions_;
    }
    return page;
  }

 private:
  const size_t versions_;
};

TEST(Versions, OneLongHistoryAtATimeIsHeld) {
  LongBucket bucket(25000);
  LongHistories all;
  std::stop_source stop;
  std::jthread other;
  std::atomic<bool> read{false};
  {
    LongHistories::Turn turn(all);
    for (int side = 0; side < 2; ++side) {  // of one key, in one turn
      const auto history = read_history(bucket, "k", turn, {});
      ASSERT_TRUE(history);
      ASSERT_EQ(history->size(), 25000u);
      EXPECT_EQ(history->front().id, "1");
      EXPECT_EQ(history->back().id, "25000");
    }
    LongBucket usual(900);
    LongHistories::Turn another(all);
    EXPECT_TRUE(read_history(usual, "k", another, {}));
    stop.request_stop();
    EXPECT_FALSE(read_history(bucket, "k", another, stop.get_token()));
    other = std::jthread([&] {
      LongHistories::Turn later(all);
      read = read_history(bucket, "k", later, {}).has_value();
    });
    EXPECT_FALSE(read);
  }
  other.join();
  EXPECT_TRUE(read);
}

TEST(Versions, KeysThatWereDeletedLongAgoAreNoDeletes) {
  VersionWorld world;
  world.settings.deletes.max_per_sync = 1;
  for (int i = 0; i < 5; ++i) world.write(fmt::format("k{}", i), {"1", "DELETED"});
  world.write("live", {"1"});
  EXPECT_EQ(world.sync().deletes_withheld, "");
  world.expect_same_histories();
}

TEST(Versions, WithDeletesIgnoredNoMarkerIsMade) {
  VersionWorld world;
  world.settings.deletes.mode = DeleteMode::kIgnore;
  world.write("a", {"1", "DELETED", "2", "DELETED"});
  EXPECT_EQ(world.sync().versions, 2u);
  EXPECT_EQ(world.target.history("a"), (Bodies{"1", "2"}));
  EXPECT_EQ(world.sync().versions, 0u);
  EXPECT_EQ(world.target.calls("add_delete_marker"), 0);
}

TEST(Versions, AnEmptiedSourceHidesNothing) {
  VersionWorld world;
  world.write("a", {"1"});
  world.sync();
  world.write("a", {"DELETED"});
  EXPECT_EQ(world.sync().deletes_withheld, "SourceEmpty");
  EXPECT_EQ(world.target.history("a"), (Bodies{"1"}));
}

TEST(Versions, NothingIsDoneWhereASideKeepsNoVersions) {
  for (const bool at_source : {true, false}) {
    VersionWorld world;
    world.write("a", {"1"});
    (at_source ? world.source : world.target).keeps_versions = false;
    const SyncProgress progress = world.sync();
    EXPECT_FALSE(progress.complete);
    EXPECT_NE(progress.error.find("versioning is not enabled"), std::string::npos) << progress.error;
    EXPECT_TRUE(world.target.objects().empty());
  }
}

// Both begin the same, then a rule or a person does something; never more than once is anything appended for it.
TEST(Versions, WhateverIsFoundAtTheTargetEndsAsTheSourceDoesAndStaysSo) {
  struct Case {
    Bodies before;  // at the source, and carried
    size_t source_pruned, target_pruned;
    Bodies planted, after;  // at the target by somebody, then at the source
    Bodies expected;
  };
  const std::vector<Case> cases{
      {{"1", "2"}, 1, 0, {}, {"3"}, {"1", "2", "3"}},
      {{"1", "2", "1"}, 0, 2, {}, {}, {"1"}},
      {{"1", "2", "1"}, 0, 2, {}, {"2"}, {"1", "2"}},
      {{"1", "2", "1", "2"}, 0, 3, {}, {"1"}, {"2", "1"}},
      {{"1", "DELETED", "1", "DELETED"}, 0, 3, {}, {"3"}, {"DELETED", "3"}},
      {{"1"}, 0, 0, {"x"}, {}, {"1", "x", "1"}},
      {{"1"}, 0, 0, {"x"}, {"2", "3"}, {"1", "x", "2", "3"}},
      {{"1"}, 0, 0, {"DELETED"}, {}, {"1", "DELETED", "1"}},
      {{"1"}, 0, 0, {"DELETED"}, {"DELETED"}, {"1", "DELETED"}},
      {{"1", "DELETED"}, 0, 0, {"x"}, {}, {"1", "DELETED", "x", "DELETED"}},
      {{"1", "2"}, 0, 0, {"1"}, {}, {"1", "2", "1", "2"}},
      {{"1", "2"}, 2, 0, {}, {"long", "longer", "longest"}, {"1", "2", "long", "longer", "longest"}},
      {{}, 0, 0, {"x", "foreign"}, {"1", "2"}, {"x", "foreign", "1", "2"}},
      {{"1", "1", "1"}, 0, 0, {}, {"1", "1"}, {"1", "1", "1", "1", "1"}},
      {{"1", "2", "3"}, 0, 0, {"2"}, {}, {"1", "2", "3", "2", "3"}},
  };
  for (const bool opaque : {false, true})
    for (const Case& one : cases) {
      VersionWorld world;
      world.target.encrypted = opaque;
      SCOPED_TRACE(fmt::format("{} then {} then {}{}", fmt::join(one.before, " "), fmt::join(one.planted, " "),
                               fmt::join(one.after, " "), opaque ? ", opaque" : ""));
      world.write("other", {"so that the source is not empty"});
      world.write("a", one.before);
      world.sync();
      world.source.prune("a", one.source_pruned);
      world.target.prune("a", one.target_pruned);
      world.plant("a", one.planted);
      world.write("a", one.after);
      world.sync();
      const Bodies reached = world.target.history("a");
      EXPECT_EQ(reached.back(), world.source.history("a").back());
      if (!opaque) {
        EXPECT_EQ(reached, one.expected);
      }
      const SyncProgress again = world.sync();
      EXPECT_EQ(again.versions, 0u);
      EXPECT_EQ(world.target.history("a"), reached);
    }
}

// What was copied by a link of the newest only bears no mark.
TEST(Versions, ATargetThatHadTheNewestOnlyIsGoneOnWith) {
  VersionWorld world;
  world.settings.all_versions = false;
  world.write("a", {"1", "2"});
  world.sync();
  world.settings.all_versions = true;
  world.write("a", {"3"});
  EXPECT_EQ(world.sync().versions, 1u);
  EXPECT_EQ(world.target.history("a"), (Bodies{"2", "3"}));
  EXPECT_EQ(world.sync().versions, 0u);
}

TEST(Versions, AnAnswerThatIsLostMakesNoSecondVersion) {
  for (const char* call : {"put", "add_delete_marker", "complete_upload"}) {
    VersionWorld world;
    world.write("a", {"1", "DELETED", "1", "1"});
    world.source.add("a", "in parts", {8});
    std::set<int> lost;
    world.target.lose_answers = [&](const FakeBucket::Call& seen) {
      return seen.name == call && seen.key == "a" && lost.insert(static_cast<int>(lost.size())).second &&
             lost.size() < 3;
    };
    const SyncProgress progress = world.sync();
    EXPECT_EQ(progress.failed, 0u) << call;
    EXPECT_GE(lost.size(), 1u);
    world.expect_same_histories();
  }
}

TEST(Versions, APartDamagedOnTheWayBecomesNoVersion) {
  VersionWorld world;
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  std::atomic<int> reads{0};
  world.source.spoil = [&](const std::string&, std::string& body) {
    if (++reads == 1) body[0] = 'X';
  };
  EXPECT_EQ(world.sync().replicated, 1u);
  world.expect_same_histories();
}

TEST(Versions, DeathAtAnyCallLosesNothingAndMakesNothingTwice) {
  const auto plant = [](VersionWorld& world) {
    world.settings.objects_at_once = {2, 2, 2, 100, 10};
    world.write("a", {"1", "2", "DELETED", "1"});
    world.write("deleted", {"1"});
    world.source.add("parts", "first", {5});
    world.source.add("parts", "second", {6});
    world.sync();
    world.write("a", {"2", "2", "DELETED", "1"});
    world.write("deleted", {"2", "DELETED"});
    world.source.add("parts", "first", {5}).tags = {{"k", "v"}};
    world.source.forget_calls();
    world.target.forget_calls();
  };
  VersionWorld whole;
  plant(whole);
  ASSERT_TRUE(whole.sync().complete);
  whole.expect_same_histories();
  const int source_calls = whole.source.calls(), target_calls = whole.target.calls();
  die_at_every_call<VersionWorld>(
      source_calls, target_calls, plant, [](VersionWorld&) {},
      [](VersionWorld& world) { world.expect_same_histories(); });
}

TEST(Versions, AVerificationNamesTheVersionsThatAreMissing) {
  for (const bool opaque : {false, true}) {
    VersionWorld world;
    world.target.encrypted = opaque;
    world.write("a", {"1", "2", "DELETED", "1", "3"});
    world.write("b", {"1", "2"});
    world.write("gone", {"1", "DELETED"});
    world.sync();
    const auto verified = [&] {
      Route route(world.settings, {world.source}, {world.target}, world.clock);
      return Verification(route, {}).run({});
    };
    VerificationReport report = verified();
    EXPECT_TRUE(report.consistent) << to_json(report).dump();
    EXPECT_EQ(report.checked, 3u);
    world.target.prune("a", 2);
    world.write("b", {"3"});
    world.plant("gone", {"back"});
    world.plant("extra", {"1"});
    report = verified();
    EXPECT_FALSE(report.consistent);
    std::sort(report.missing_sample.begin(), report.missing_sample.end());
    ASSERT_EQ(report.missing_sample.size(), 3u) << to_json(report).dump();
    EXPECT_EQ(report.missing_sample.at(0), "a (version v000001)");
    std::sort(report.extra_sample.begin(), report.extra_sample.end());
    EXPECT_EQ(report.extra_sample, (std::vector<std::string>{"extra", "gone"}));
  }
}

}  // namespace
}  // namespace twinspan::s3
