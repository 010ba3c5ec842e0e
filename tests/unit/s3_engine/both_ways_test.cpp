#include "engines/s3/both_ways.hpp"

#include <gtest/gtest.h>

#include <random>

#include "engines/s3/verify.hpp"
#include "two_way_world.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kFiveMiB = 5 << 20;

TEST(BothWays, WhatEachSideWroteArrivesAtTheOther) {
  TwoWayWorld world;
  world.source.add("east", "east").metadata.content_type = "text/plain";
  world.target.add("west", "west").tags = {{"k", "v"}};
  world.target.add("parts", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  world.source.add("empty", "");
  const SyncProgress progress = world.sync();
  EXPECT_TRUE(progress.complete) << progress.error;
  EXPECT_EQ(progress.total, 4u);
  EXPECT_EQ(progress.replicated, 4u);
  EXPECT_EQ(progress.conflicts, 0u);
  world.expect_equal();
  EXPECT_EQ(world.target.objects()["east"].metadata.content_type, "text/plain");
  EXPECT_EQ(world.source.objects()["west"].tags.size(), 1u);
  EXPECT_EQ(world.source.objects()["parts"].etag, world.target.objects()["parts"].etag);
}

TEST(BothWays, ACopyIsNeverCarriedBack) {
  for (bool encrypted : {false, true}) {
    TwoWayWorld world;
    world.settings.single_put_bytes_max = kFiveMiB;
    world.source.encrypted = world.target.encrypted = encrypted;
    world.fresh();
    world.source.add("small", "east");
    world.source.add("large", body_of(2 * kFiveMiB));
    world.target.add("parts", body_of(kFiveMiB + 9), {kFiveMiB, 9});
    ASSERT_EQ(world.sync().replicated, 3u);
    for (bool anew : {false, true}) {
      if (anew) world.fresh();
      const SyncProgress again = world.sync();
      EXPECT_EQ(again.replicated, 0u) << encrypted << anew;
      EXPECT_EQ(again.skipped, 3u);
      EXPECT_EQ(again.conflicts, 0u);
    }
    world.expect_equal();
  }
}

// The side that wrote last, then who remembers, then whether ETags tell.
TEST(BothWays, AnUpdateReplacesTheCopyOfWhatItUpdatedWithoutAConflict) {
  for (bool at_source : {true, false})
    for (bool remembered : {true, false})
      for (bool parts : {true, false}) {
        SCOPED_TRACE(fmt::format("{} {} {}", at_source, remembered, parts));
        TwoWayWorld world;
        FakeBucket& writer = at_source ? world.source : world.target;
        const std::vector<int64_t> sizes = parts ? std::vector<int64_t>{kFiveMiB, 9} : std::vector<int64_t>{};
        writer.add("a", body_of(kFiveMiB + 9, 'x'), sizes);
        ASSERT_EQ(world.sync().replicated, 1u);
        world.tick();
        if (remembered) world.sync();
        if (!remembered) world.fresh();
        writer.add("a", body_of(kFiveMiB + 9, 'y'), sizes);
        const SyncProgress progress = world.sync();
        EXPECT_EQ(progress.replicated, 1u);
        EXPECT_EQ(progress.conflicts, 0u);
        world.expect_equal();
        EXPECT_EQ(world.bodies(world.source, "").at("a"), body_of(kFiveMiB + 9, 'y'));
        EXPECT_TRUE(world.kept().empty());
      }
}

TEST(BothWays, AnUpdateOfACopyIsNoConflictWhileItIsRemembered) {
  for (bool remembered : {true, false}) {
    TwoWayWorld world;
    world.source.add("a", "first");
    world.sync();
    world.tick();
    if (remembered) world.sync();
    if (!remembered) world.fresh();
    world.target.add("a", "second");
    EXPECT_EQ(world.sync().conflicts, remembered ? 0u : 1u);
    world.expect_equal();
    EXPECT_EQ(world.bodies(world.source, "").at("a"), "second");
    EXPECT_EQ(world.kept(), remembered ? std::multiset<std::string>() : std::multiset<std::string>{"first"});
  }
}

TEST(BothWays, TheNewestWinsAConflictAndTheOtherIsKept) {
  for (bool source_later : {true, false}) {
    TwoWayWorld world;
    world.source_prefix = "e/";
    world.target_prefix = "w/";
    world.fresh();
    (source_later ? world.target : world.source).add(source_later ? "w/a" : "e/a", "earlier").tags = {{"k", "v"}};
    world.tick();
    (source_later ? world.source : world.target).add(source_later ? "e/a" : "w/a", "later");
    const SyncProgress progress = world.sync();
    EXPECT_EQ(progress.conflicts, 1u);
    world.expect_equal();
    EXPECT_EQ(world.bodies(world.source, "e/").at("a"), "later");
    FakeBucket& loser = source_later ? world.target : world.source;
    const std::string kept =
        fmt::format(".twinspan/conflicts/{}a/{}", source_later ? "w/" : "e/", to_hex(md5_of("earlier")));
    ASSERT_TRUE(loser.objects().contains(kept));
    EXPECT_EQ(loser.objects()[kept].body, "earlier");
    EXPECT_EQ(loser.objects()[kept].tags.size(), 1u);
    EXPECT_EQ(world.sync().conflicts, 0u);
  }
}

TEST(BothWays, AWriteInBetweenIsNeverOverwritten) {
  for (bool conditional : {true, false}) {
    TwoWayWorld world;
    world.source.conditional = world.target.conditional = conditional;
    world.source.add("only-east", "east");
    world.target.add("a", "west");
    world.tick();
    world.source.add("a", "east");
    std::atomic<int> looks{0};
    world.source.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
      // Both keys are written at the target while they are read here, once each.
      if (call.name == "get" && call.key == "a" && world.target.objects()["a"].body == "west")
        world.target.add("a", "west again");
      if (call.name == "get" && call.key == "only-east" && !world.target.objects().contains("only-east"))
        world.target.add("only-east", "west too");
      return std::nullopt;
    };
    EXPECT_TRUE(world.sync().complete);
    world.expect_equal();
    const auto kept = world.kept();
    const auto now = world.bodies(world.source, "");
    for (const char* body : {"west", "west again", "west too", "east"})
      EXPECT_TRUE(kept.contains(body) || now.at("a") == body || now.at("only-east") == body) << body;
  }
}

// Clients carry markers along: rclone with metadata, copies within a bucket, old versions made the present ones.
TEST(BothWays, AStaleMarkerThatAClientCarriedAlongLosesNothing) {
  for (bool remembered : {true, false})
    for (const char* what : {"edited", "renamed"}) {
      SCOPED_TRACE(what);
      TwoWayWorld world;
      world.source.add("a", "first");
      world.source.add("b", "bb");
      world.sync();
      world.tick();
      const auto copies = world.target.objects();
      if (what == std::string("edited")) {
        world.target.add("a", "FIRST").metadata = copies.at("a").metadata;
      } else {
        world.target.add("b", "first").metadata = copies.at("a").metadata;
      }
      if (remembered) world.sync();
      if (!remembered) world.fresh();
      world.sync();
      world.expect_equal();
      const auto now = world.bodies(world.source, "");
      EXPECT_EQ(now.at(what == std::string("edited") ? "a" : "b"), what == std::string("edited") ? "FIRST" : "first");
    }
}

TEST(BothWays, CopiesOfAnotherBucketAreNoneOfThisLinks) {
  TwoWayWorld world;
  Metadata metadata;
  mark_copy(metadata, {"https://elsewhere source ", "a", "older", world.target.now}, to_hex(md5_of("only here")));
  world.source.add("a", "east");
  world.tick(-5);
  world.target.add("a", "only here").metadata = metadata;
  EXPECT_EQ(world.sync().conflicts, 1u);
  EXPECT_TRUE(world.kept().contains("only here"));
}

// After a change of primary, while clients that have not heard of it yet may still write to the old one.
TEST(BothWays, WhatComesLateIsBroughtAlongAndWhatWasDeletedSinceStaysDeleted) {
  TwoWayWorld world;  // the source is the new primary
  for (const char* key : {"kept", "deleted", "deleted copy"}) world.source.add(key, key);
  world.target.add("kept", "kept");
  world.target.add("deleted", "deleted");
  world.sync();  // "deleted copy" is a copy now
  world.tick(10);
  world.settings.late_since = world.target.now - std::chrono::seconds(20);
  world.target.add("before", "x").last_modified = world.target.now - std::chrono::seconds(30);
  world.source.add("before", "x");
  world.fresh();
  world.source.erase("before");
  world.source.erase("deleted copy");
  world.target.add("late", "late");
  world.source.add("new", "new");
  EXPECT_TRUE(world.sync().complete);
  EXPECT_EQ(world.source.objects_outside_state().contains("late"), true);
  EXPECT_EQ(world.target.objects_outside_state().contains("new"), true);
  for (const char* gone : {"before", "deleted copy"})
    EXPECT_FALSE(world.source.objects().contains(gone)) << gone << " was deleted at the new primary";
  EXPECT_TRUE(world.target.objects().contains("before")) << "and nothing is deleted yet";
}

// A client goes on at the former primary for a moment, and then writes the key where it is sent (gardener, S3 seed
// 101).
TEST(BothWays, WhatAClientWroteWhereItIsSentReplacesItsOwnLateWriteOfTheSameSecond) {
  for (const auto& [late, now] : {std::pair{"late", "now"}, {"now", "late"}}) {
    TwoWayWorld world;
    world.settings.source_leads = true;
    world.fresh();
    world.target.add("k", late);
    world.source.add("k", now);
    EXPECT_TRUE(world.sync().complete);
    EXPECT_EQ(world.source.objects().at("k").body, now);
    EXPECT_EQ(world.kept(), std::multiset<std::string>{late});
    world.expect_equal();
  }
}

// The source is the new primary, since this second by its own clock; a full sync that began in this second by the
// target's clock has found that both are the same. What a plain copy left at the source bears no mark.
struct Turn : TwoWayWorld {
  explicit Turn(int source_ahead = 0, bool reconciled = true, bool versions = false) {
    source.now += std::chrono::seconds(source_ahead);
    source.keeps_versions = target.keeps_versions = versions;
    settings.source_leads = true;
    settings.led_since = source.now;
    if (reconciled) settings.late_since = target.now;
    fresh();
  }
};

TEST(BothWays, ACopyFromBeforeTheChangeNeverWinsOverALateWriteOfTheFormerPrimary) {
  for (bool versions : {false, true})
    for (bool restarted : {false, true})
      for (bool reconciled : {true, false})
        for (int ahead : {0, 60, -60})
          for (const auto& [copy, late] : {std::pair{"earlier", "later"}, {"later", "earlier"}}) {
            if (ahead != 0 && !reconciled) continue;  // then dates of two clocks are all there is
            SCOPED_TRACE(fmt::format("{} {} {} {} {}", versions, restarted, reconciled, ahead, late));
            Turn world(ahead, reconciled, versions);
            world.source.add("k", copy);
            world.target.add("k", copy);
            if (restarted) world.sync();
            if (restarted) world.fresh();
            world.target.add("k", late);
            EXPECT_TRUE(world.sync().complete);
            EXPECT_EQ(world.source.objects().at("k").body, late);
            EXPECT_EQ(world.kept(), std::multiset<std::string>{copy});
            world.expect_equal();
            world.fresh();
            EXPECT_EQ(world.sync().conflicts, 0u);
          }
}

TEST(BothWays, WhatTheFormerPrimaryHadBeforeTheChangeNeverWinsOverWhatClientsWriteWhereTheyAreSent) {
  for (int ahead : {0, 60, -60}) {
    SCOPED_TRACE(ahead);
    Turn world(ahead);
    world.tick(-1);
    world.source.add("k", "before");
    world.target.add("k", "before");
    world.tick(2);
    world.source.add("k", "now");
    EXPECT_TRUE(world.sync().complete);
    EXPECT_EQ(world.target.objects().at("k").body, "now");
    world.expect_equal();
  }
}

TEST(BothWays, ADeleteThatWasCopiedLosesToALateWriteAndALateDeleteToTheCopy) {
  for (bool versions : {false, true}) {
    Turn world(60, true, versions);
    for (const char* key : {"deleted", "deleted late"})
      for (FakeBucket* bucket : {&world.source, &world.target}) bucket->add(key, "before");
    world.source.erase("deleted");
    world.target.erase("deleted");
    world.target.add("deleted", "late");
    world.target.erase("deleted late");
    EXPECT_TRUE(world.sync().complete);
    EXPECT_EQ(world.source.objects().at("deleted").body, "late");
    EXPECT_EQ(world.source.objects().at("deleted late").body, "before") << "nobody knows that it was deleted";
    world.expect_equal();
  }
}

// Clients write, the link copies, and the move comes: some clients go on where they were. Whatever the clocks say, a
// key that was written on one side alone since ends as it was written there last.
TEST(BothWays, WhateverIsWrittenAroundAChangeOfDirectionNoOlderStateWins) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const auto now_and_then = [&] { return random() % 3 == 0; };
    Turn world(static_cast<int>(random() % 200) - 100, true, random() % 2);
    std::map<std::string, std::string> before, late, sent;
    std::set<std::string> met;  // written while that sync ran, and copied
    int writes = 0;
    const auto write = [&](FakeBucket& bucket, std::map<std::string, std::string>& to, const std::string& key) {
      bucket.add(key, to[key] = fmt::format("{:x}", random()) + std::to_string(++writes));
      if (now_and_then()) world.tick();
    };
    const std::vector<std::string> keys{"a", "b", "c", "d", "e", "f"};
    for (const std::string& key : keys) write(world.target, before, key);
    world.tick();
    world.settings.late_since = world.target.now;
    for (const std::string& key : keys) {  // the last full sync, which meets late writes
      if (now_and_then()) write(world.target, before, *met.insert(key).first);
      world.source.add(key, before[key]);
      if (now_and_then()) write(world.target, late, key);
    }
    world.settings.led_since = world.source.now;
    world.tick();
    world.fresh();
    for (int step = 0; step < 10; ++step) {
      const std::string& key = keys[random() % keys.size()];
      if (now_and_then()) write(world.source, sent, key);
      if (now_and_then()) write(world.target, late, key);
      if (now_and_then()) world.sync();
      if (now_and_then()) world.fresh();
    }
    EXPECT_TRUE(world.sync().complete);
    world.expect_equal();
    for (const auto& [key, body] : world.bodies(world.source, "")) {
      std::set<std::string> last;  // of what clients wrote on both sides since, dates of two clocks decide
      for (const auto* wrote : {&late, &sent})
        if (wrote->contains(key)) last.insert(wrote->at(key));
      if (last.empty() || (met.contains(key) && sent.contains(key))) last.insert(before[key]);
      EXPECT_TRUE(last.contains(body)) << key << ": " << body;
    }
    if (testing::Test::HasFailure()) return;
  }
}

TEST(BothWays, WhatIsGoneOnOneSideComesBack) {
  TwoWayWorld world;
  world.source.add("a", "east");
  world.sync();
  world.source.erase("a");
  world.sync();
  EXPECT_EQ(world.bodies(world.source, "").at("a"), "east");
  world.expect_equal();
}

TEST(BothWays, DamageOnTheWayIsNotTakenForANewerObject) {
  TwoWayWorld world;
  world.source.add("parts", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  world.source.add("small", "small");
  std::atomic<int> reads{0};
  world.source.spoil = [&](const std::string&, std::string& body) {
    if (++reads <= 2) body[0] = 'X';
  };
  world.sync();
  world.source.spoil = nullptr;
  world.fresh();
  EXPECT_EQ(world.sync().conflicts, 0u);
  world.expect_equal();
  EXPECT_EQ(world.bodies(world.source, "").at("parts"), body_of(2 * kFiveMiB));
  EXPECT_TRUE(world.kept().empty());
}

TEST(BothWays, VerificationFindsWhatEitherSideLacks) {
  TwoWayWorld world;
  world.source.add("same", "same");
  world.source.add("east", "east");
  world.target.add("same", "same");
  world.target.add("west", "west");
  Verification verification(*world.route, {});
  const VerificationReport report = verification.run({});
  EXPECT_FALSE(report.consistent);
  EXPECT_EQ(report.missing, 1u);
  EXPECT_EQ(report.extra, 1u);
  world.sync();
  Verification again(*world.route, {});
  EXPECT_TRUE(again.run({}).consistent);
  // A marker that a client carried along hides nothing.
  world.target.add("east", "EAST").metadata = world.target.objects()["east"].metadata;
  Verification third(*world.route, {});
  EXPECT_EQ(third.run({}).different, 1u);
}

// Clients of both sides. A body is done with where a client has overwritten it, on whichever side; every other has to
// be there at the end, or to be kept.
struct History {
  TwoWayWorld& world;
  std::mt19937 random;
  std::set<std::string> open{};
  int writes = 0;

  void write(bool at_source) {
    const std::string key(1, static_cast<char>('a' + random() % 4));
    const std::string body =
        fmt::format("{} {}", at_source ? "east" : "west", ++writes) + std::string(random() % 3, '.');
    FakeBucket& bucket = at_source ? world.source : world.target;
    const auto there = bucket.objects();
    auto& object = bucket.add(key, body);
    open.insert(body);
    if (!there.contains(key)) return;
    open.erase(there.at(key).body);
    // Now and then with the metadata of what lay there, as some clients do. (Where ETags are no digests, bytes of the
    // same number are taken for the copy they say they are.)
    if (random() % 3 == 0 && !bucket.encrypted) object.metadata = there.at(key).metadata;
  }
};

TEST(BothWays, WhateverHappensBothSidesEndEqualAndNothingIsLost) {
  for (unsigned seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    TwoWayWorld world;
    History history{world, std::mt19937(seed)};
    auto& random = history.random;
    world.source.encrypted = random() % 4 == 0;
    world.target.encrypted = random() % 4 == 0;
    world.settings.objects_at_once = {1, 2, 2, 100, 10};
    world.fresh();
    for (int step = 0; step < 12; ++step) {
      for (unsigned i = random() % 4; i > 0; --i) {
        history.write(random() % 2 == 0);
        if (random() % 3) world.tick();
      }
      FakeBucket& deadly = random() % 2 ? world.source : world.target;
      deadly.forget_calls();
      switch (random() % 5) {
        case 0: break;  // nobody looks
        case 1: world.fresh(); [[fallthrough]];
        case 2: world.sync(); break;
        case 3:  // the worker dies
          deadly.death = random() % 2 ? FakeBucket::Death::kBefore : FakeBucket::Death::kAfter;
          deadly.die_at = 1 + static_cast<int>(random() % 12);
          world.sync();
          deadly.revive();
          world.fresh();
          break;
        case 4:  // one side is cut off, from some call on
          const int cut = 1 + static_cast<int>(random() % 12);
          deadly.fault = [cut](const FakeBucket::Call& call) -> std::optional<Error> {
            if (call.index >= cut) return Error{Code::kUnavailable, "cut off", true};
            return std::nullopt;
          };
          world.sync();
          deadly.fault = nullptr;
          break;
      }
    }
    EXPECT_TRUE(world.sync().complete);
    world.sync();
    world.expect_equal();
    const auto kept = world.kept();
    std::set<std::string> now;
    for (const auto& [key, body] : world.bodies(world.source, "")) now.insert(body);
    for (const std::string& body : history.open) EXPECT_TRUE(now.contains(body) || kept.contains(body)) << body;
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace twinspan::s3
