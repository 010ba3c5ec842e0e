// Two or more workers on one pair of buckets, each with its share of the keys.
#include "engines/s3/share.hpp"

#include <gtest/gtest.h>

#include "engines/s3/replicator.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kFiveMiB = 5 << 20;

TEST(Share, EveryKeyHasOneAndTheyAreBalanced) {
  for (int count : {1, 3, 32}) {
    std::map<int, int> keys;
    for (int i = 0; i < 9600; ++i) {
      const std::string key = fmt::format("daily/2026-11-21/{:08}.gz", i);
      int shares = 0;
      for (int index = 0; index < count; ++index)
        if (Share{index, count}.has(key)) ++shares, ++keys[index];
      ASSERT_EQ(shares, 1) << key;
    }
    for (int index = 0; index < count; ++index) EXPECT_NEAR(keys[index], 9600 / count, 9600 / count * 0.25);
  }
}

TEST(Share, OfAKeyNeverChanges) {
  EXPECT_TRUE((Share{1, 2}.has("a")));
  EXPECT_TRUE((Share{2, 3}.has("daily/2026-11-21.tar.gz")));
  EXPECT_TRUE((Share{6, 32}.has("")));
}

TEST(Share, PartsMakeUpTheBound) {
  for (size_t bound : {0u, 1u, 2u, 7u, 1000u})
    for (int count : {1, 2, 3, 32}) {
      size_t sum = 0;
      for (int index = 0; index < count; ++index) sum += Share{index, count}.part_of(bound);
      EXPECT_EQ(sum, bound);
    }
}

// Workers side by side, each a life of World::sync with its share.
struct Workers : World {
  std::vector<SyncProgress> sync_all(int count) {
    std::vector<SyncProgress> all(static_cast<size_t>(count));
    std::vector<std::jthread> threads;
    for (int index = 0; index < count; ++index)
      threads.emplace_back([&, index] { all[static_cast<size_t>(index)] = sync_share({index, count, 1}); });
    threads.clear();
    return all;
  }

  SyncProgress sync_share(const Share& share) {
    Settings own = settings;
    own.share = share;
    std::stop_source stop;
    if (target.fault) target.died = [&] { stop.request_stop(); };
    Route route(own, {source, source_prefix}, {target, target_prefix}, clock);
    UploadRecords records(route);
    Transfers transfers(route, records);
    SyncRun run(route, records, transfers);
    return run.run(stop.get_token());
  }

  // One share's worker dies before the nth call of that name, and the bucket is as it left it.
  void die_at(const Share& share, const std::string& name, int nth) {
    std::atomic<int> calls{0};
    target.death = FakeBucket::Death::kBefore;
    target.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
      if (call.name == name && ++calls == nth) target.die_at = call.index;
      return std::nullopt;
    };
    sync_share(share);
    target.revive();
    target.fault = nullptr;
    target.died = nullptr;
  }
};

void plant(World& world, int small) {
  world.settings.objects_at_once = {2, 2, 2, 100, 10};
  world.settings.deletes = {DeleteMode::kReplicate, 100};
  for (int i = 0; i < small; ++i) world.source.add(fmt::format("small/{:03}", i), fmt::format("{}", i));
  for (int i : {1, 3})  // "parts/3" is of the first of two and of three shares, the other isn't
    world.source.add(fmt::format("parts/{}", i), body_of(kFiveMiB + 3), {kFiveMiB, 3});
  for (int i = 0; i < 20; ++i) world.target.add(fmt::format("extra/{:02}", i), "extra");
}

TEST(Shares, TogetherAreAWholeSync) {
  for (int count : {2, 5}) {
    Workers workers;
    plant(workers, 60);
    const auto all = workers.sync_all(count);
    SyncProgress sum;
    for (const SyncProgress& one : all) {
      EXPECT_TRUE(one.complete) << one.error;
      EXPECT_LT(one.total, 62u);
      sum.total += one.total;
      sum.replicated += one.replicated;
      sum.deleted += one.deleted;
      sum.extra += one.extra;
    }
    EXPECT_EQ(sum.total, 62u);
    EXPECT_EQ(sum.replicated, 62u);  // none of them twice
    EXPECT_EQ(sum.deleted, 20u);
    EXPECT_EQ(sum.extra, 20u);
    workers.expect_mirrored();
  }
}

TEST(Shares, WhatProtectsATargetIsJudgedByTheWholeLink) {
  Workers workers;
  plant(workers, 10);
  workers.settings.deletes.max_per_sync = 15;  // each share alone has fewer
  for (const SyncProgress& one : workers.sync_all(3)) EXPECT_EQ(one.deletes_withheld, "OverCap");
  EXPECT_TRUE(workers.target.objects().contains("extra/00"));

  // A share whose part of the source is empty may delete, as long as the source is not.
  Workers few;
  few.settings.deletes = {DeleteMode::kReplicate, 100};
  few.source.add("a", "a");  // of share 1 of 2
  for (int i = 0; i < 8; ++i) few.target.add(fmt::format("extra/{}", i), "extra");
  few.sync_all(2);
  few.expect_mirrored();
  few.source.erase("a");
  for (const SyncProgress& one : few.sync_all(2))
    EXPECT_EQ(one.deletes_withheld, one.extra > 0 ? "SourceEmpty" : one.deletes_withheld);
  EXPECT_TRUE(few.target.objects().contains("a"));
}

TEST(Shares, UploadsOfOtherSharesAreLeftAlone) {
  Workers workers;
  plant(workers, 0);
  workers.die_at({0, 2, 1}, "stream_part", 2);
  const size_t left = workers.target.open_uploads();
  ASSERT_GE(left, 1u);
  EXPECT_TRUE(workers.sync_share({1, 2, 1}).complete);
  EXPECT_EQ(workers.target.open_uploads(), left);  // resumed or aborted by whoever has share 0, and nobody else
  EXPECT_TRUE(workers.sync_share({0, 2, 1}).complete);
  workers.expect_mirrored();
}

TEST(Shares, UploadsLeftByAnotherDivisionAreFoundWhateverTheNext) {
  for (int count : {1, 5}) {
    Workers workers;
    plant(workers, 10);
    workers.die_at({0, 3, 1}, "complete_upload", 1);
    for (const SyncProgress& one : workers.sync_all(count)) EXPECT_TRUE(one.complete) << one.error;
    workers.expect_mirrored();
  }
}

TEST(Shares, NotificationsAndVerificationsConcernOnlyTheirOwn) {
  World world;
  for (int i = 0; i < 40; ++i) world.source.add(fmt::format("{:02}", i), "x");
  uint64_t checked = 0, missing = 0;
  for (int index = 0; index < 2; ++index) {
    Settings own = world.settings;
    own.share = {index, 2, 7};
    Route route(own, {world.source}, {world.target}, world.clock);
    const VerificationReport report = Verification(route, {}).run({});
    EXPECT_TRUE(report.complete);
    EXPECT_EQ(report.division, 7);
    checked += report.checked;
    missing += report.missing;
    EXPECT_TRUE(world.target.objects().contains(fmt::format(".twinspan/verification/backups~{}-of-2.json", index)));
  }
  EXPECT_EQ(checked, 40u);
  EXPECT_EQ(missing, 40u);

  Settings own = world.settings;
  own.share = {0, 2, 7};
  Replicator replicator(own, {std::chrono::hours(1), 100}, {world.source}, {world.target}, world.clock);
  std::jthread thread([&](const std::stop_token& stop) { replicator.run(stop); });
  const auto arrived = [&] {
    size_t count = 0;
    for (const auto& [key, object] : world.target.objects_outside_state()) {
      EXPECT_TRUE(own.share.has(key)) << key;
      ++count;
    }
    return count;
  };
  size_t expected = 0;
  for (int i = 0; i < 40; ++i) expected += own.share.has(fmt::format("{:02}", i));
  for (int i = 0; i < 2000 && arrived() < expected; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(arrived(), expected);
  std::vector<std::string> fresh;
  for (int i = 40; i < 80; ++i) {
    fresh.push_back(fmt::format("{:02}", i));
    world.source.add(fresh.back(), "x");
    expected += own.share.has(fresh.back());
  }
  replicator.notify(fresh);
  for (int i = 0; i < 2000 && arrived() < expected; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(arrived(), expected);
}

}  // namespace
}  // namespace twinspan::s3
