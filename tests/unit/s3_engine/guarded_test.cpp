// What a link that goes one way writes over: what it has looked at, and nothing else.
#include <gtest/gtest.h>

#include "engines/s3/conflict_copy.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

struct GuardedWorld : World {
  GuardedWorld() { settings.guarded = true; }

  // Somebody writes "a client's" at the target just before the first `call` there for `key`.
  void a_client_writes(const std::string& call, const std::string& key) {
    target.fault = [this, call, key](const FakeBucket::Call& seen) -> std::optional<Error> {
      if (seen.key == key && seen.name == call && !std::exchange(written, true)) target.add(key, "a client's");
      return std::nullopt;
    };
  }
  // What a notification of `key` brings about, without a full sync before.
  std::vector<DeadLetter> notified(const std::string& key, bool traits_known = true) {
    Route route(settings, {source}, {target}, clock);
    route.conditional_puts = route.conditional_completes = route.traits_known = traits_known;
    UploadRecords records(route);
    Transfers transfers(route, records);
    const auto there = source.objects().at(key);
    Listed object;
    object.key = key;
    object.etag = there.etag;
    object.size_bytes = static_cast<int64_t>(there.body.size());
    transfers.submit(object, "", {}, nullptr, false);
    EXPECT_TRUE(transfers.wait_idle({}));
    return transfers.dead_letters();
  }
  std::string at_target(const std::string& key) { return target.objects().at(key).body; }
  bool written = false;
};

// A request of an old direction that arrives when clients write there already. However many tries are allowed: the next
// one would have looked at what the client wrote, and written over that.
TEST(Guarded, WhatWasWrittenSinceItWasLookedAtIsNotOverwrittenWhereTheServerHoldsToPreconditions) {
  for (const int tries : {1, 3})
    for (const bool there : {false, true})
      for (const bool in_parts : {false, true}) {
        SCOPED_TRACE(fmt::format("{} tries, there {} in parts {}", tries, there, in_parts));
        GuardedWorld world;
        world.settings.retries.max = tries;
        if (in_parts)
          world.source.add("k", body_of(12 << 20), {6 << 20, 6 << 20});
        else
          world.source.add("k", "old direction");
        if (there) world.target.add("k", "before");
        world.a_client_writes(in_parts ? "complete_upload" : "put", "k");
        EXPECT_EQ(world.sync().failed, 1u);
        EXPECT_TRUE(world.written);
        EXPECT_EQ(world.at_target("k"), "a client's");
        EXPECT_NE(world.dead_letters.at(0).error.find("was written at the target after it was looked at"),
                  std::string::npos)
            << world.dead_letters.at(0).error;
        world.expect_nothing_left();
        EXPECT_EQ(world.sync().replicated, 1u) << "the next full sync has looked at it";
      }
}

// The source changes under the first try: what is at the target was not looked at anew by that.
TEST(Guarded, ASourceThatChangesMeanwhileIsNoLookAtTheTarget) {
  GuardedWorld world;
  world.source.add("k", "old direction");
  bool changed = false;
  world.source.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
    if (seen.name != "get" || std::exchange(changed, true)) return std::nullopt;
    world.source.add("k", "old direction, newer");
    world.target.add("k", "a client's");
    return std::nullopt;
  };
  EXPECT_EQ(world.sync().failed, 1u);
  EXPECT_EQ(world.at_target("k"), "a client's");
}

// Its answer was lost, or it was made by the worker before: a look tells, and nothing is sent again.
TEST(Guarded, WhatIsThereAlreadyIsDoneHoweverFewTriesAreAllowed) {
  for (const bool lost : {false, true}) {
    GuardedWorld world;
    world.settings.retries.max = 1;
    world.source.add("k", "same");
    if (lost)
      world.target.lose_answers = [&](const FakeBucket::Call& seen) {
        return seen.name == "put" && seen.key == "k" && !std::exchange(world.written, true);
      };
    else
      world.target.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
        if (seen.name == "put" && seen.key == "k" && !std::exchange(world.written, true)) world.target.add("k", "same");
        return std::nullopt;
      };
    const SyncProgress done = world.sync();
    EXPECT_EQ(done.failed, 0u);
    EXPECT_EQ(done.replicated + done.skipped, 1u);
  }
}

// MinIO: "a/b" beside "a".
TEST(Guarded, WhatNoListingShowsIsLookedAtAndKeptUpToDateWithOneTry) {
  GuardedWorld world;
  world.settings.retries.max = 1;
  world.target.unlisted = {"a/b"};
  world.source.add("a/b", "first");
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(world.sync().failed, 0u);
  world.source.add("a/b", "second");
  EXPECT_EQ(world.sync().failed, 0u);
  EXPECT_EQ(world.at_target("a/b"), "second");
}

TEST(Guarded, WhatHasGoneMeanwhileIsMadeAnewWithOneTry) {
  GuardedWorld world;
  world.settings.retries.max = 1;
  world.source.add("k", "new");
  world.target.add("k", "old");
  world.target.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
    if (seen.name == "put" && seen.key == "k" && !std::exchange(world.written, true)) world.target.erase("k");
    return std::nullopt;
  };
  EXPECT_EQ(world.sync().failed, 0u);
  EXPECT_EQ(world.at_target("k"), "new");
}

// The same upon a notification, where no listing has told what is there.
TEST(Guarded, TheTargetIsLookedAtBeforeWhatWasNotifiedOfIsWritten) {
  GuardedWorld world;
  world.source.add("k", "new");
  world.target.add("k", "old");
  EXPECT_TRUE(world.notified("k").empty());
  EXPECT_EQ(world.at_target("k"), "new");
  EXPECT_EQ(world.target.calls("head"), 1);
}

// Unknown is not "no": a request without a precondition that arrives late writes over a client's object.
TEST(Guarded, NothingIsWrittenBeforeItIsKnownWhetherTheTargetHoldsToPreconditions) {
  GuardedWorld world;
  world.source.add("k", "new");
  world.target.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
    if (seen.key.starts_with(".twinspan/probe/")) return Error{Code::kUnavailable, "not now", true};
    return std::nullopt;
  };
  const SyncProgress done = world.sync();
  EXPECT_FALSE(done.complete);
  EXPECT_NE(done.error.find("not now"), std::string::npos) << done.error;
  EXPECT_EQ(world.notified("k", false).size(), 1u);
  EXPECT_TRUE(world.target.objects_outside_state().empty());
  world.target.fault = nullptr;
  EXPECT_EQ(world.sync().replicated, 1u);
}

TEST(Guarded, CredentialsThatMayNotDeleteOrListUploadsAreProbedAllTheSame) {
  GuardedWorld world;
  world.source.add("k", "old direction");
  world.target.undeletable = [](const std::string&) -> std::optional<Error> {
    return Error{Code::kDenied, "no", false};
  };
  world.target.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
    if (seen.name == "list_uploads") return Error{Code::kDenied, "no", false};
    if (seen.name == "put" && seen.key == "k" && !std::exchange(world.written, true))
      world.target.add("k", "a client's");
    return std::nullopt;
  };
  EXPECT_EQ(world.sync().failed, 1u);
  EXPECT_EQ(world.at_target("k"), "a client's");
}

TEST(Guarded, ACopyWithinOneServerCarriesPreconditionsWhereTheServerHoldsToThem) {
  for (const bool there : {false, true})
    for (const bool knows : {true, false}) {
      SCOPED_TRACE(fmt::format("there {} knows {}", there, knows));
      GuardedWorld world;
      world.settings.same_endpoint = true;
      world.target.other = &world.source;
      world.target.conditional_copies = knows;
      world.source.add("k", "old direction");
      world.source.add("other", "o");
      if (there) world.target.add("k", "before");
      world.a_client_writes("copy", "k");
      const SyncProgress done = world.sync();
      EXPECT_EQ(world.source.calls("get"), 0);
      EXPECT_EQ(done.failed, knows ? 1u : 0u);
      EXPECT_EQ(world.at_target("k"), knows ? "a client's" : "old direction");
      EXPECT_EQ(world.at_target("other"), "o");
    }
}

TEST(Guarded, ACopyWithinOneServerWhoseSourceChangesIsMadeOfTheNewOne) {
  for (const bool there : {false, true})
    for (const bool gone : {false, true}) {
      GuardedWorld world;
      world.settings.same_endpoint = true;
      world.target.other = &world.source;
      world.source.add("k", "first");
      if (there) world.target.add("k", "before");
      world.target.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
        if (seen.name != "copy" || seen.key != "k" || std::exchange(world.written, true)) return std::nullopt;
        gone ? world.source.erase("k") : (void)world.source.add("k", "second");
        return std::nullopt;
      };
      const SyncProgress done = world.sync();
      EXPECT_TRUE(done.complete) << done.error;
      EXPECT_EQ(done.failed, 0u);
      if (gone) {
        EXPECT_EQ(world.target.objects().contains("k"), there);
      } else {
        EXPECT_EQ(world.at_target("k"), "second");
      }
    }
}

// What a target had before the link is nobody's copy: it is not deleted, and not written over without a trace.
struct ForeignWorld : World {
  ForeignWorld() {
    target.add("mine", "somebody else's");
    target.add("same", "same");
    kept = conflict_name("mine", target.objects().at("mine").etag);
    settings.deletes.not_before = target.now + std::chrono::seconds(1);
    target.now += std::chrono::seconds(2);
    source.add("mine", "the source's");
    source.add("same", "same");
  }
  std::string kept;
};

TEST(Foreign, WhatATargetHadBeforeTheLinkIsKeptBeforeItIsReplaced) {
  for (const bool guarded : {true, false}) {
    ForeignWorld world;
    world.settings.guarded = guarded;
    EXPECT_EQ(world.sync().replicated, 1u);
    EXPECT_EQ(world.target.objects().at("mine").body, "the source's");
    EXPECT_EQ(world.target.objects().at(world.kept).body, "somebody else's");
    EXPECT_FALSE(world.target.objects().contains(conflict_name("same", world.target.objects().at("same").etag)));
    const std::string copy = world.target.objects().at("mine").etag;
    world.source.add("mine", "the source's, newer");
    EXPECT_EQ(world.sync().replicated, 1u);
    EXPECT_FALSE(world.target.objects().contains(conflict_name("mine", copy))) << "a copy is replaced without";
  }
}

TEST(Foreign, IsKeptUponANotificationToo) {
  ForeignWorld world;
  Route route(world.settings, {world.source}, {world.target}, world.clock);
  UploadRecords records(route);
  Transfers transfers(route, records);
  Listed object;
  object.key = "mine";
  object.etag = world.source.objects().at("mine").etag;
  object.size_bytes = static_cast<int64_t>(world.source.objects().at("mine").body.size());
  transfers.submit(object, "", {}, nullptr, false);
  ASSERT_TRUE(transfers.wait_idle({}));
  EXPECT_EQ(route.set_aside, 1u);
  EXPECT_EQ(world.target.objects().at(world.kept).body, "somebody else's");
}

TEST(Foreign, IsNotReplacedWhereItCantBeKept) {
  ForeignWorld world;
  world.target.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
    if (seen.name == "copy") return Error{Code::kDenied, "no right to copy", false};
    return std::nullopt;
  };
  EXPECT_EQ(world.sync().failed, 1u);
  EXPECT_EQ(world.target.objects().at("mine").body, "somebody else's");
}

TEST(Foreign, IsReplacedByALinkThatRestores) {
  ForeignWorld world;
  world.settings.restore = true;
  EXPECT_TRUE(world.sync().complete);
  EXPECT_EQ(world.target.objects().at("mine").body, "the source's");
  EXPECT_FALSE(world.target.objects().contains(world.kept));
}

}  // namespace
}  // namespace twinspan::s3
