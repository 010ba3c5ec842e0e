// Copies that are compressed, sealed, or both, and the way back.
#include <gtest/gtest.h>

#include "engines/s3/verify.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kFiveMiB = 5 << 20;

std::vector<StoredForm> forms() {
  return {
      {Packing::kGzip, nullptr}, {Packing::kZstd, nullptr}, {Packing::kNone, key_of(1)}, {Packing::kZstd, key_of(1)}};
}

struct Formed : World {
  explicit Formed(StoredForm form) {
    settings.stored = std::move(form);
    settings.single_put_bytes_max = kFiveMiB;
  }
  VerificationReport verify(VerifySettings with = {}) {
    Route route(settings, {source}, {target}, clock);
    return Verification(route, with).run({});
  }
};

void fill(FakeBucket& bucket) {
  bucket.add("empty", "");
  bucket.add("one", "x");
  bucket.add("a b/ü", body_of(1000));
  bucket.add("five", body_of(kFiveMiB));
  bucket.add("five and one", body_of(kFiveMiB + 1));
  bucket.add("noise", noise(kFiveMiB + 77));
  bucket.add("parts", body_of(kFiveMiB + 7), {kFiveMiB, 7});
  auto& rich = bucket.add("rich", "text");
  rich.metadata.content_type = "text/plain";
  rich.metadata.content_encoding = "br";
  rich.metadata.user = {{"owner", "genesis"}};
  rich.tags = {{"kind", "daily"}};
}

TEST(Formed, EveryKeyArrivesInTheFormThatIsWantedAndIsKnownAgain) {
  for (const StoredForm& form : forms()) {
    SCOPED_TRACE(form.mark());
    Formed world(form);
    fill(world.source);
    const SyncProgress first = world.sync();
    EXPECT_TRUE(first.complete) << first.error;
    EXPECT_EQ(first.replicated, 8u);
    world.expect_mirrored();
    world.source.forget_calls();
    world.target.forget_calls();
    const SyncProgress again = world.sync();
    EXPECT_EQ(again.skipped, 8u);
    EXPECT_EQ(again.replicated, 0u);
    // Listings, and the index: its list and its one segment.
    EXPECT_EQ(world.source.calls(), world.source.calls("list"));
    EXPECT_EQ(world.target.calls("head"), 0);
    EXPECT_EQ(world.target.calls("put"), 0);
    EXPECT_LE(world.target.calls("get"), 4);
    EXPECT_TRUE(world.verify({true, std::chrono::seconds(10), true}).consistent);
  }
}

TEST(Formed, ContentEncodingSaysHowToReadACompressedCopy) {
  Formed world({Packing::kZstd, nullptr});
  world.source.add("a", "text").metadata.content_encoding = "br";
  world.source.add("b", "text");
  world.sync();
  EXPECT_EQ(world.target.objects()["a"].metadata.content_encoding, "br, zstd");
  EXPECT_EQ(world.target.objects()["b"].metadata.content_encoding, "zstd");
}

TEST(Formed, NothingOfASealedObjectIsReadable) {
  Formed world({Packing::kNone, key_of(1)});
  world.source.add("a", std::string(100000, 'q'));
  world.sync();
  for (const auto& [key, object] : world.target.objects())
    EXPECT_EQ(object.body.find("qqqq"), std::string::npos) << key;
}

TEST(Formed, AnIndexThatIsLostCostsALookAtEachObjectAndNoCopy) {
  for (const StoredForm& form : forms()) {
    Formed world(form);
    fill(world.source);
    world.sync();
    for (const auto& [key, object] : world.target.objects())
      if (key.starts_with(".twinspan/index/")) world.target.erase(key);
    world.target.forget_calls();
    EXPECT_EQ(world.sync().replicated, 0u);
    EXPECT_EQ(world.target.calls("head"), 8);
    world.target.forget_calls();
    EXPECT_EQ(world.sync().replicated, 0u);
    EXPECT_EQ(world.target.calls("head"), 0);
  }
}

TEST(Formed, ACopyThatWasOverwrittenIsFoundThoughItBearsTheMarks) {
  for (const StoredForm& form : forms()) {
    SCOPED_TRACE(form.mark());
    Formed world(form);
    fill(world.source);
    world.sync();
    auto spoilt = world.target.objects()["noise"];
    spoilt.body[spoilt.body.size() / 2] ^= 1;
    world.target.add("noise", spoilt.body, spoilt.part_bytes).metadata = spoilt.metadata;
    const VerificationReport report = world.verify();
    EXPECT_FALSE(report.consistent);
    EXPECT_EQ(report.different_sample, std::vector<std::string>{"noise"});
    EXPECT_EQ(world.sync().replicated, 1u);
    world.expect_mirrored();
    EXPECT_TRUE(world.verify().consistent);
  }
}

TEST(Formed, BytesThatRotUnderTheirEtagAreFoundByReadingBack) {
  for (const StoredForm& form : forms()) {
    SCOPED_TRACE(form.mark());
    Formed world(form);
    world.source.add("a", body_of(5000));
    world.source.add("b", body_of(5000));
    world.sync();
    world.target.spoil = [](const std::string& key, std::string& body) {
      if (key == "b") body[body.size() / 2] ^= 1;
    };
    EXPECT_TRUE(world.verify().consistent);
    const VerificationReport report = world.verify({false, std::chrono::seconds(10), true});
    EXPECT_EQ(report.different_sample, std::vector<std::string>{"b"});
  }
}

TEST(Formed, CopiesExchangedForEachOtherAreFoundByReadingBack) {
  Formed world({Packing::kNone, key_of(1)});
  world.source.add("a", "one");
  world.source.add("b", "two");
  world.sync();
  const auto before = world.target.objects();
  world.target.spoil = [&](const std::string& key, std::string& body) {
    if (before.contains(key) && key.size() == 1) body = before.at(key == "a" ? "b" : "a").body;
  };
  EXPECT_EQ(world.verify({false, std::chrono::seconds(10), true}).different, 2u);
}

TEST(Formed, AnotherFormOrKeyReplacesWhatIsThere) {
  const std::vector<StoredForm> wanted{
      {}, {Packing::kGzip, nullptr}, {Packing::kZstd, key_of(1)}, {Packing::kZstd, key_of(2)}, {}};
  Formed world({});
  fill(world.source);
  for (const StoredForm& form : wanted) {
    SCOPED_TRACE(form.mark());
    world.settings.stored = form;
    EXPECT_EQ(world.sync().replicated, 8u);
    world.expect_mirrored();
    EXPECT_EQ(world.sync().skipped, 8u);
  }
}

TEST(Formed, WhatChangesIsCarriedAndNothingElse) {
  for (const StoredForm& form : forms()) {
    Formed world(form);
    fill(world.source);
    world.sync();
    world.source.add("one", "y");
    world.source.add("parts", body_of(kFiveMiB + 7, 'z'), {kFiveMiB, 7});
    world.source.add("new", "new");
    EXPECT_EQ(world.sync().replicated, 3u);
    world.expect_mirrored();
    EXPECT_EQ(world.sync().replicated, 0u);
  }
}

TEST(Formed, ABodyDamagedOnTheWayIsReadAgain) {
  for (const StoredForm& form : forms()) {
    Formed world(form);
    world.source.add("a", "the body");
    world.source.add("large", body_of(kFiveMiB + 100));
    std::atomic<int> reads{0};
    world.source.spoil = [&](const std::string&, std::string& body) {
      if (reads++ == 0) body[3] ^= 1;
    };
    world.settings.objects_at_once = {1, 1, 1, 100, 10};
    EXPECT_TRUE(world.sync().complete);
    world.source.spoil = nullptr;
    world.expect_mirrored();
  }
}

TEST(Formed, AWorkerThatDiesAtAnyCallLeavesNothingThatTheNextDoesNotMend) {
  for (const StoredForm& form : {forms()[1], forms()[2]}) {
    const auto plant = [](World& world) {
      world.settings.objects_at_once = {2, 2, 2, 100, 10};
      world.source.add("large", body_of(kFiveMiB + 3));
      world.source.add("small", "small").tags = {{"k", "v"}};
      world.source.add("changed", "new");
      world.target.add("changed", "old");
    };
    Formed whole(form);
    plant(whole);
    ASSERT_TRUE(whole.sync().complete);
    const int calls = whole.target.calls();
    for (FakeBucket::Death death : {FakeBucket::Death::kBefore, FakeBucket::Death::kAfter})
      for (int k = 1; k <= calls + 1; ++k) {
        SCOPED_TRACE(fmt::format("{}: call {} {}", form.mark(), k, static_cast<int>(death)));
        Formed world(form);
        plant(world);
        world.target.death = death;
        world.target.die_at = k;
        (void)world.sync();
        world.target.revive();
        EXPECT_TRUE(world.sync().complete);
        world.expect_mirrored();
        EXPECT_EQ(world.sync().replicated, 0u);
        if (testing::Test::HasFailure()) return;
      }
  }
}

TEST(Formed, SealedPartsThatArrivedAreNotCarriedAgain) {
  Formed world({Packing::kNone, key_of(1)});
  world.settings.objects_at_once = {1, 1, 1, 100, 10};
  world.source.add("large", noise(30 << 20));  // four parts of 8 MiB, as stored
  world.die_before("upload_part", 3);
  world.target.forget_calls();
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(world.target.calls("upload_part"), 2);
  EXPECT_EQ(world.target.calls("create_upload"), 0);
  world.expect_mirrored();
}

TEST(Formed, AHalfDoneUploadWithAnotherKeyIsAborted) {
  Formed world({Packing::kNone, key_of(1)});
  world.source.add("large", body_of(kFiveMiB + 3));
  world.die_before("complete_upload");
  world.settings.stored.key = key_of(2);
  EXPECT_TRUE(world.sync().complete);
  world.expect_mirrored();
}

// A former target is the source now, and what was the source gets back what it lost.
struct Back : World {
  explicit Back(Formed& forth, const std::shared_ptr<const SealKey>& key) {
    settings.single_put_bytes_max = kFiveMiB;
    settings.restore = true;
    settings.restore_key = key;
    for (auto& [name, object] : forth.target.objects_outside_state()) {
      auto& copy = source.add(name, object.body, object.part_bytes);
      copy.metadata = object.metadata;
      copy.tags = object.tags;
    }
  }
};

TEST(Restored, TheWayBackGivesTheOriginalsAndKnowsWhatIsThere) {
  for (const StoredForm& form : forms()) {
    SCOPED_TRACE(form.mark());
    Formed forth(form);
    fill(forth.source);
    forth.sync();
    Back back(forth, form.key);
    for (const auto& [key, object] : forth.source.objects())
      if (key != "rich" && key != "noise") back.target.add(key, object.body, object.part_bytes) = object;
    back.source.add("written meanwhile", "plain");
    back.source.add("written in parts", body_of(kFiveMiB + 1), {kFiveMiB, 1});
    const SyncProgress progress = back.sync();
    EXPECT_TRUE(progress.complete) << progress.error;
    EXPECT_EQ(progress.replicated, 4u);
    EXPECT_EQ(progress.skipped, 6u);
    for (const auto& [key, object] : forth.source.objects()) {
      const auto there = back.target.objects()[key];
      EXPECT_TRUE(there.body == object.body) << key;
      EXPECT_EQ(there.tags, object.tags);
      EXPECT_EQ(there.metadata.content_encoding, object.metadata.content_encoding);
      EXPECT_FALSE(stored_mark(there.metadata)) << key;
    }
    EXPECT_EQ(back.target.objects()["written meanwhile"].body, "plain");
    EXPECT_EQ(back.target.objects()["written in parts"].etag, back.source.objects()["written in parts"].etag);
    back.expect_nothing_left();
    const SyncProgress again = back.sync();
    EXPECT_EQ(again.replicated, 0u);
    EXPECT_EQ(again.skipped, 10u);
    Route route(back.settings, {back.source}, {back.target}, back.clock);
    EXPECT_TRUE(Verification(route, {}).run({}).consistent);

    // And forth again: what came back is known there as what it was made from.
    Formed once_more(form);
    for (auto& [name, object] : back.source.objects_outside_state()) once_more.target.add(name, "") = object;
    for (auto& [name, object] : back.target.objects_outside_state()) once_more.source.add(name, "") = object;
    EXPECT_EQ(once_more.sync().replicated, 2u);  // what was written there, plain
    once_more.expect_mirrored();
  }
}

TEST(Restored, WithoutTheKeyNothingIsWrittenAndTheReasonIsNamed) {
  Formed forth({Packing::kNone, key_of(1)});
  forth.source.add("a", "text");
  forth.sync();
  for (const auto& key : {std::shared_ptr<const SealKey>(), key_of(2)}) {
    Back back(forth, key);
    EXPECT_EQ(back.sync().failed, 1u);
    ASSERT_EQ(back.dead_letters.size(), 1u);
    EXPECT_NE(back.dead_letters[0].error.find("sealed with key"), std::string::npos) << back.dead_letters[0].error;
    EXPECT_TRUE(back.target.objects_outside_state().empty());
  }
}

TEST(Restored, AnObjectThatWasExchangedForAnotherIsRefused) {
  Formed forth({Packing::kNone, key_of(1)});
  forth.source.add("a", "one");
  forth.sync();
  Back back(forth, key_of(1));
  const auto a = back.source.objects()["a"];
  back.source.add("b", "") = a;
  back.sync();
  EXPECT_FALSE(back.target.objects().contains("b"));
  EXPECT_TRUE(back.target.objects().contains("a"));
}

TEST(Restored, OtherwiseMarkedObjectsPassAsTheyAre) {
  Formed forth({Packing::kZstd, key_of(1)});
  forth.source.add("a", "text");
  forth.sync();
  World on;
  for (auto& [name, object] : forth.target.objects_outside_state()) on.source.add(name, "") = object;
  EXPECT_EQ(on.sync().replicated, 1u);
  const auto copy = on.target.objects()["a"];
  EXPECT_EQ(copy.body, on.source.objects()["a"].body);
  EXPECT_EQ(original_of(copy, key_of(1), "a"), "text");
  EXPECT_EQ(on.sync().replicated, 0u);
}

}  // namespace
}  // namespace twinspan::s3
