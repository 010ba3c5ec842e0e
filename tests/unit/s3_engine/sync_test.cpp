#include <gtest/gtest.h>

#include "engines/s3/removal.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kFiveMiB = 5 << 20;

void fill(FakeBucket& bucket, const std::string& prefix = "") {
  for (const char* key : {"a b", "a+b", "100%", "ü/ñ", "../up", "dir/", "empty", "x//y", "\xF0\x9F\x98\x80"})
    bucket.add(prefix + key, key == std::string("empty") ? "" : std::string("body of ") + key);
  bucket.add(prefix + std::string(1000, 'k'), "long name");
  for (int i = 0; i < 50; ++i) bucket.add(prefix + fmt::format("many/{:03}", i), body_of(static_cast<size_t>(i) * 10));
}

TEST(Sync, MirrorsEveryKeyWithItsMetadataAndTags) {
  World world;
  fill(world.source);
  auto& rich = world.source.add("rich", "text");
  rich.metadata.content_type = "text/plain";
  rich.metadata.content_encoding = "identity";
  rich.metadata.cache_control = "no-store";
  rich.metadata.storage_class = "STANDARD_IA";
  rich.metadata.user = {{"owner", "genesis"}};
  rich.tags = {{"kind", "daily"}};
  const SyncProgress progress = world.sync();
  EXPECT_TRUE(progress.complete) << progress.error;
  EXPECT_EQ(progress.total, 61u);
  EXPECT_EQ(progress.replicated, 61u);
  EXPECT_EQ(progress.failed, 0u);
  EXPECT_EQ(world.source.calls("head"), 0);  // one GET is enough
  EXPECT_EQ(world.source.calls("tags"), 1);
  world.expect_mirrored();
}

TEST(Sync, PrefixesAreExchanged) {
  World world;
  world.source_prefix = "from/";
  world.target_prefix = "to/";
  fill(world.source, "from/");
  world.source.add("from/", "a key that is the prefix itself");
  EXPECT_TRUE(world.sync().complete);
  EXPECT_TRUE(world.target.objects().contains("to/a b"));
  world.expect_mirrored();
}

TEST(Sync, UnchangedObjectsAreListedAndNothingElse) {
  World world;
  fill(world.source);
  world.source.add("large", body_of(2 * kFiveMiB + 7), {kFiveMiB, kFiveMiB, 7});
  world.sync();
  world.source.forget_calls();
  world.target.forget_calls();
  const SyncProgress again = world.sync();
  EXPECT_EQ(again.skipped, again.total);
  EXPECT_EQ(again.replicated, 0u);
  EXPECT_EQ(world.source.calls(), world.source.calls("list"));
  EXPECT_EQ(world.target.calls(), world.target.calls("list"));
}

TEST(Sync, KeepsTheSourcesPartsSoThatEtagsAreTheSame) {
  World world;
  world.source.add("parts", body_of(2 * kFiveMiB + 7), {kFiveMiB, kFiveMiB, 7});
  world.source.add("one-part", "small", {5});
  EXPECT_EQ(world.sync().replicated, 2u);
  for (const char* key : {"parts", "one-part"})
    EXPECT_EQ(world.target.objects()[key].etag, world.source.objects()[key].etag);
  world.expect_mirrored();
}

TEST(Sync, AnObjectCarriedInOtherPartsIsKnownAgain) {
  World world;
  world.settings.single_put_bytes_max = kFiveMiB;
  world.source.add("plain", body_of(2 * kFiveMiB));
  world.source.add("odd", body_of(2 * kFiveMiB), {kFiveMiB + 5, kFiveMiB - 5});
  EXPECT_EQ(world.sync().replicated, 2u);
  world.expect_mirrored();
  const SyncProgress again = world.sync();
  EXPECT_EQ(again.skipped, 2u);
  EXPECT_EQ(again.replicated, 0u);
}

TEST(Sync, AReverseSyncKnowsWhatWasMadeFromWhat) {
  World world;
  world.settings.single_put_bytes_max = kFiveMiB;
  world.source.add("plain", body_of(2 * kFiveMiB));
  world.sync();
  World back;
  back.settings = world.settings;
  for (auto [key, object] : world.target.objects_outside_state()) {
    back.source.add(key, object.body, object.part_bytes).metadata = object.metadata;
  }
  for (auto [key, object] : world.source.objects()) back.target.add(key, object.body);
  const SyncProgress progress = back.sync();
  EXPECT_EQ(progress.skipped, 1u);
  EXPECT_EQ(progress.replicated, 0u);
}

TEST(Sync, EncryptionThatHidesDigestsOnEitherSideCopiesOnce) {
  for (bool source_encrypted : {false, true})
    for (bool target_encrypted : {false, true}) {
      World world;
      world.source.encrypted = source_encrypted;
      world.target.encrypted = target_encrypted;
      fill(world.source);
      world.source.add("parts", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
      const SyncProgress first = world.sync();
      EXPECT_EQ(first.replicated, first.total);
      world.expect_mirrored();
      const SyncProgress again = world.sync();
      EXPECT_EQ(again.skipped, again.total);
      EXPECT_EQ(again.replicated, 0u);
    }
}

TEST(Sync, ChangedObjectsOfTheSameSizeAreCarried) {
  World world;
  fill(world.source);
  world.sync();
  world.source.add("many/007", body_of(70, 'z'));
  world.source.add("many/008", "another size");
  EXPECT_EQ(world.sync().replicated, 2u);
  world.expect_mirrored();
}

TEST(Sync, WhatWasWrittenSinceIsCarriedWithoutAsking) {
  World world;
  fill(world.source);
  world.sync();
  world.target.forget_calls();
  world.source.forget_calls();
  world.source.now = world.target.now + std::chrono::hours(1);
  world.source.add("many/007", body_of(world.source.objects()["many/007"].body.size(), 'z'));
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(world.target.calls("head") + world.source.calls("head"), 0);
  world.expect_mirrored();
}

// One whose clock is ahead, and whose ETags say nothing, costs a few copies in the life of a worker, not all of them.
TEST(Sync, AClockThatIsAheadDoesNotCopyEncryptedObjectsForEver) {
  World world;
  world.settings.objects_at_once = {.min = 1, .initial = 1, .max = 1};
  world.settings.listers = 1;
  world.settings.queue_max = 1;
  world.target.encrypted = true;
  world.source.now = world.target.now + std::chrono::hours(1);
  for (int i = 0; i < 30; ++i) world.source.add(fmt::format("k{:02}", i), fmt::format("body {}", i));
  EXPECT_EQ(world.sync().replicated, 30u);
  const SyncProgress again = world.sync();  // by a new worker, that has yet to learn
  EXPECT_LE(again.replicated, 5u);
  EXPECT_EQ(again.skipped + again.replicated, 30u);
  world.expect_mirrored();
}

TEST(Sync, ABodyDamagedOnTheWayIsReadAgain) {
  World world;
  world.source.add("a", "the body");
  std::atomic<int> reads{0};
  world.source.spoil = [&](const std::string&, std::string& body) {
    if (++reads == 1) body[0] = 'X';
  };
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(reads, 2);
  world.expect_mirrored();
}

TEST(Sync, APartDamagedOnTheWayIsCarriedAgain) {
  World world;
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  std::atomic<int> reads{0};
  world.source.spoil = [&](const std::string&, std::string& body) {
    if (++reads == 1) body[0] = 'X';
  };
  EXPECT_EQ(world.sync().replicated, 1u);
  world.expect_mirrored();
}

TEST(Sync, PartsPassThroughOrAreKeptAsTheTargetTakesThem) {
  for (const bool streaming : {true, false}) {
    World world;
    world.target.streaming = streaming;
    world.settings.buffer_bytes = 2 * kFiveMiB;  // a part that passes through may be larger
    world.source.add("fits", body_of(3 * kFiveMiB), {2 * kFiveMiB, kFiveMiB});
    world.source.add("large", body_of(4 * kFiveMiB), {3 * kFiveMiB, kFiveMiB});
    EXPECT_EQ(world.sync().replicated, 2u);
    world.expect_mirrored();
    EXPECT_EQ(world.target.objects()["fits"].etag, world.source.objects()["fits"].etag);
    EXPECT_EQ(world.target.objects()["large"].etag == world.source.objects()["large"].etag, streaming);
    EXPECT_EQ(world.target.calls("stream_part") > 0, streaming);
    EXPECT_EQ(world.target.calls("upload_part") > 0, !streaming);
    EXPECT_EQ(world.sync().skipped, 2u);
  }
}

TEST(Sync, AnObjectThatIsReplacedWhileItsPartsPassArrivesAsItIsThen) {
  World world;
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  int reads = 0;
  world.settings.objects_at_once = {.min = 1, .initial = 1, .max = 1};
  world.source.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name == "get" && ++reads == 2) return fail(Code::kConflict, "another ETag").error();
    return std::nullopt;
  };
  EXPECT_EQ(world.sync().replicated, 1u);
  world.expect_mirrored();
}

TEST(Sync, APartThatArrivesShortIsNotTakenForWhole) {
  World world;
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  std::atomic<int> reads{0};
  world.source.spoil = [&](const std::string&, std::string& body) {
    if (++reads == 1) body.pop_back();
  };
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(reads, 3);
  world.expect_mirrored();
}

TEST(Sync, ServerSideCopyMovesNoBytesThroughUs) {
  World world;
  world.settings.same_endpoint = true;
  world.target.other = &world.source;
  fill(world.source);
  world.source.add("parts", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB}).metadata.user["owner"] = "x";
  world.source.add("tagged", "t").tags = {{"k", "v"}};
  auto& cold = world.source.add("cold", "c");
  cold.metadata.storage_class = "STANDARD_IA";
  cold.metadata.user["owner"] = "y";
  EXPECT_TRUE(world.sync().complete);
  EXPECT_EQ(world.source.calls("get"), 0);
  world.expect_mirrored();
  EXPECT_EQ(world.target.objects()["parts"].etag, world.source.objects()["parts"].etag);
}

TEST(Sync, WhatFailsIsTriedAgainThenNamedAndTheRestGoesOn) {
  World world;
  fill(world.source);
  std::mutex mutex;
  std::map<std::string, int> tries;
  world.target.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    std::lock_guard lock(mutex);
    if (call.name != "put") return std::nullopt;
    ++tries[call.key];
    if (call.key == "a b") return Error{Code::kUnavailable, "no", true};
    if (call.key == "a+b") return Error{Code::kInternal, "never", false};
    if (call.key == "100%" && tries[call.key] < 5) return Error{Code::kThrottled, "slow down", true};
    if (call.key == "empty") return Error{Code::kDenied, "no right", false};
    return std::nullopt;
  };
  const SyncProgress progress = world.sync();
  EXPECT_TRUE(progress.complete);
  EXPECT_EQ(progress.failed, 3u);
  EXPECT_EQ(progress.replicated, progress.total - 3);
  EXPECT_EQ(tries["a b"], 5);
  EXPECT_EQ(tries["a+b"], 3);
  EXPECT_EQ(tries["empty"], 1);
  EXPECT_EQ(world.dead_letters.size(), 3u);
  world.target.fault = nullptr;
  EXPECT_EQ(world.sync().replicated, 3u);
  world.expect_mirrored();
}

TEST(Sync, AnObjectThatChangesOnTheWayArrivesAsItIsThen) {
  World world;
  world.settings.objects_at_once = {1, 1, 1, 100, 10};
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  world.source.add("b", "old");
  world.source.add("c", "gone soon");
  world.source.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name == "get" && call.key == "a" && world.source.objects()["a"].body.size() == 2 * kFiveMiB)
      world.source.add("a", "new and small");
    if (call.name == "get" && call.key == "b") world.source.add("b", "new");
    if (call.name == "get" && call.key == "c") world.source.erase("c");
    return std::nullopt;
  };
  const SyncProgress progress = world.sync();
  EXPECT_EQ(progress.failed, 0u);
  EXPECT_EQ(progress.total, 2u);
  world.expect_mirrored();
}

TEST(Sync, CompletingWithItsAnswerLostIsNotDoneTwice) {
  World world;
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  bool lost = false;
  world.target.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name != "complete_upload" || std::exchange(lost, true)) return std::nullopt;
    const Upload upload{"a", "upload-1", {}};
    const auto parts = world.target.list_parts(upload, {});
    EXPECT_TRUE(world.target.complete_upload(upload, *parts, {}));
    return Error{Code::kTimeout, "lost", true};
  };
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(world.target.calls("create_upload"), 1);
  world.expect_mirrored();
}

TEST(Sync, AnUploadWhoseIdNeverArrivedIsAborted) {
  World world;
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  bool lost = false;
  world.target.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name != "create_upload" || std::exchange(lost, true)) return std::nullopt;
    world.target.begin_upload("a");
    return Error{Code::kTimeout, "lost", true};
  };
  EXPECT_EQ(world.sync().replicated, 1u);
  world.expect_mirrored();
}

TEST(Sync, UploadsOfOthersAreLeftAlone) {
  World world;
  world.source.add("a", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
  world.target.begin_upload("a");
  world.target.now += std::chrono::hours(1);
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(world.target.open_uploads(), 1u);
}

TEST(Sync, WhatCantBeListedIsAnErrorAndDeletesNothing) {
  World world;
  world.settings.deletes.mode = DeleteMode::kReplicate;
  fill(world.source);
  world.sync();
  for (int cut = 1; cut < 8; ++cut) {
    world.source.forget_calls();
    world.source.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
      if (call.index >= cut) return Error{Code::kUnavailable, "cut", true};
      return std::nullopt;
    };
    world.target.add("extra", "x");
    const SyncProgress progress = world.sync();
    EXPECT_FALSE(progress.complete);
    EXPECT_EQ(progress.deleted, 0u);
    EXPECT_TRUE(world.target.objects().contains("extra"));
  }
}

TEST(Sync, DeletesAreReplicatedOnlyWhenAskedForAndWithinTheCap) {
  World world;
  fill(world.source);
  world.sync();
  world.source.erase("a b");
  EXPECT_EQ(world.sync().extra, 1u);
  EXPECT_TRUE(world.target.objects().contains("a b"));

  world.settings.deletes = {DeleteMode::kReplicate, 3};
  EXPECT_EQ(world.sync().deleted, 1u);
  world.expect_mirrored();

  for (int i = 0; i < 4; ++i) world.source.erase(fmt::format("many/{:03}", i));
  const SyncProgress over = world.sync();
  EXPECT_EQ(over.deleted, 0u);
  EXPECT_EQ(over.deletes_withheld, "OverCap");
  EXPECT_TRUE(world.target.objects().contains("many/000"));
}

// What a target held when the link came is nobody's copy, however few keys it is; where it is written later it is.
TEST(Sync, WhatWasInTheTargetBeforeTheLinkIsNeverDeleted) {
  World world;
  world.settings.deletes = {DeleteMode::kReplicate, 2};
  world.source.add("a", "a");
  for (int i = 0; i < 10; ++i) world.target.add(fmt::format("theirs{}", i), "precious");
  world.target.now += std::chrono::seconds(5);
  world.settings.deletes.not_before = world.target.now;
  world.target.add("copied once", "x");
  const SyncProgress done = world.sync();
  EXPECT_TRUE(done.complete) << done.error;
  EXPECT_EQ(done.deleted, 1u);
  EXPECT_EQ(done.extra, 11u);
  EXPECT_EQ(done.deletes_withheld, "OlderThanLink");
  EXPECT_EQ(world.target.objects_outside_state().size(), 11u);
  EXPECT_FALSE(world.target.objects().contains("copied once"));

  // Nor upon a notification, which no listing goes before.
  Route route(world.settings, {world.source}, {world.target}, world.clock);
  const auto removed = remove_confirmed(route, {"theirs1"}, {});
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->count, 0u);
  EXPECT_EQ(removed->older, 1u);
}

// A server that has lost an object's data still lists it. The copy may be all that is left of it.
TEST(Sync, WhatIsListedAndAnswersNotFoundIsNotGone) {
  for (const std::string call : {"get", "head"}) {
    World world;
    world.settings.deletes = {DeleteMode::kReplicate, 10};
    world.settings.retries.network_max = 2;
    world.source.add("a", "a");
    world.source.add("lost", "new content");
    world.target.add("lost", "older copy");
    world.source.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
      const bool read = seen.name == "get" || seen.name == "head";
      if (read && seen.key == "lost") return fail(Code::kNotFound, "HTTP 404 NoSuchKey").error();
      return std::nullopt;
    };
    const SyncProgress done = world.sync();
    EXPECT_FALSE(done.complete);
    EXPECT_TRUE(done.tried) << "everything else was";
    EXPECT_EQ(done.failed, 1u);
    EXPECT_EQ(done.lost, 1u);
    EXPECT_EQ(done.total, 2u);
    EXPECT_NE(done.error.find("1 object is listed"), std::string::npos) << done.error;
    ASSERT_EQ(world.dead_letters.size(), 1u);
    EXPECT_EQ(world.dead_letters[0].key, "lost");
    Route route(world.settings, {world.source}, {world.target}, world.clock);
    const auto removed = remove_confirmed(route, {"lost"}, {});
    ASSERT_TRUE(removed) << removed.error().message;
    EXPECT_EQ(removed->count, 0u);
    EXPECT_EQ(world.target.objects().at("lost").body, "older copy");
  }
}

TEST(Sync, AKeyThatCantBeDeletedKeepsNoneOfTheOthersAndIsNamed) {
  World world;
  world.settings.deletes = {DeleteMode::kReplicate, 10};
  world.source.add("stays", "a");
  for (const char* key : {"a", "locked", "z"}) world.target.add(key, key);
  world.target.undeletable = [](const std::string& key) -> std::optional<Error> {
    if (key != "locked") return std::nullopt;
    return fail(Code::kDenied, "AccessDenied: Object Lock").error();
  };
  const SyncProgress done = world.sync();
  EXPECT_TRUE(done.complete) << done.error;
  EXPECT_EQ(done.deleted, 2u);
  EXPECT_EQ(done.failed, 1u);
  ASSERT_EQ(world.dead_letters.size(), 1u);
  EXPECT_EQ(world.dead_letters[0].key, "locked");
  EXPECT_EQ(world.target.objects_outside_state().size(), 2u);
}

TEST(Sync, ArchivedObjectsArePassedOverAndCountedApart) {
  World world;
  for (const char* key : {"a", "frozen", "z"}) world.source.add(key, key).metadata.storage_class = "GLACIER";
  world.source.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
    if (seen.name != "get" || seen.key != "frozen") return std::nullopt;
    return fail(Code::kDenied, "HTTP 403 InvalidObjectState: The operation is not valid for its storage class").error();
  };
  const SyncProgress done = world.sync();
  EXPECT_TRUE(done.complete) << done.error;
  EXPECT_EQ(done.archived, 1u);
  EXPECT_EQ(done.failed, 0u);
  EXPECT_EQ(done.replicated, 2u);
  EXPECT_TRUE(world.dead_letters.empty());
  world.source.fault = nullptr;  // restored
  EXPECT_EQ(world.sync().replicated, 1u);
}

TEST(Sync, AStorageClassThatTheTargetLacksBecomesItsUsualOne) {
  World world;
  world.target.classes = {"STANDARD"};
  world.source.add("whole", "a").metadata.storage_class = "GLACIER_IR";
  world.source.add("parts", body_of(12 << 20), {6 << 20, 6 << 20}).metadata.storage_class = "STANDARD_IA";
  world.source.add("usual", "b").metadata.storage_class = "STANDARD";
  const SyncProgress done = world.sync();
  EXPECT_TRUE(done.complete) << done.error;
  EXPECT_EQ(done.failed, 0u);
  EXPECT_EQ(done.replicated, 3u);
  EXPECT_EQ(world.target.objects().at("whole").metadata.storage_class, "");
  EXPECT_EQ(world.target.objects().at("usual").metadata.storage_class, "STANDARD");
}

// Two kilobytes are what S3 allows: our own marks are left out before a client's metadata makes an object fail.
TEST(Sync, MetadataNearTheLimitArrivesWholeAndOursGivesWay) {
  for (const size_t bytes : {1900u, 2000u, 2040u}) {
    World world;
    world.target.encrypted = true;  // so that copies bear a mark
    world.source.add("k", "body").metadata.user["note"] = std::string(bytes, 'x');
    const SyncProgress done = world.sync();
    EXPECT_EQ(done.failed, 0u) << bytes;
    ASSERT_TRUE(world.target.objects().contains("k")) << bytes;
    EXPECT_EQ(world.target.objects().at("k").metadata.user.at("note").size(), bytes);
  }
}

TEST(Sync, HowAnUploadWasSignedIsNoEncodingOfWhatIsStored) {
  World world;
  for (const auto& [given, carried] : {std::pair<std::string, std::string>{"aws-chunked", ""},
                                       {"aws-chunked,gzip", "gzip"},
                                       {"gzip, aws-chunked", "gzip"},
                                       {"gzip", "gzip"}}) {
    world.source.add(given, "body").metadata.content_encoding = given;
    world.sync();
    EXPECT_EQ(world.target.objects().at(given).metadata.content_encoding, carried) << given;
  }
}

TEST(Sync, WhatASourceUnpacksOnTheWayIsAskedForAsItIsStored) {
  World world;
  world.source.unpacks = true;
  world.source.add("plain", "body");
  world.source.add("packed", "not really gzip").metadata.content_encoding = "gzip";
  const SyncProgress done = world.sync();
  EXPECT_TRUE(done.complete) << done.error;
  EXPECT_EQ(done.failed, 0u);
  world.expect_mirrored();
}

TEST(Sync, AnEmptySourceDeletesNothing) {
  World world;
  world.settings.deletes = {DeleteMode::kReplicate, 1000};
  fill(world.target);
  const SyncProgress progress = world.sync();
  EXPECT_EQ(progress.deleted, 0u);
  EXPECT_EQ(progress.deletes_withheld, "SourceEmpty");
  EXPECT_EQ(world.target.objects().size(), 60u);
}

TEST(Sync, AKeyTheSourceStillAnswersForIsNotDeleted) {
  World world;
  world.settings.deletes = {DeleteMode::kReplicate, 1000};
  fill(world.source);
  world.sync();
  world.target.add("late", "x");
  world.source.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name == "head") world.source.add("late", "x");  // written after it was listed
    return std::nullopt;
  };
  EXPECT_EQ(world.sync().deleted, 0u);
  EXPECT_TRUE(world.target.objects().contains("late"));
}

TEST(Sync, WhereTheSourceKeepsVersionsOnlyDeleteMarkersDelete) {
  World world;
  world.settings.deletes = {DeleteMode::kReplicate, 1000};
  world.source.keeps_versions = world.target.keeps_versions = true;
  fill(world.source);
  world.source.add("a b c", "begins like one that goes");
  world.sync();
  world.source.erase("a b");
  world.source.erase("100%");
  world.source.add("100%", "came back");
  world.target.add("never there", "somebody else's");
  const SyncProgress progress = world.sync();
  EXPECT_EQ(progress.extra, 2u);
  EXPECT_EQ(progress.deleted, 1u);
  EXPECT_EQ(progress.deletes_withheld, "NoDeleteMarker");
  EXPECT_FALSE(world.target.objects().contains("a b"));
  EXPECT_TRUE(world.target.objects().contains("a b c"));
  EXPECT_TRUE(world.target.objects().contains("never there"));
  world.target.erase("never there");
  world.expect_mirrored();
  EXPECT_EQ(world.sync().deletes_withheld, "");
}

TEST(Sync, WhereItCantBeAskedWhetherTheSourceKeepsVersionsNothingIsDeleted) {
  for (Code code : {Code::kUnavailable, Code::kDenied}) {
    World world;
    world.settings.deletes = {DeleteMode::kReplicate, 1000};
    fill(world.source);
    world.sync();
    world.source.erase("a b");
    world.source.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
      if (call.name == "versioned") return Error{code, "no", code == Code::kUnavailable};
      return std::nullopt;
    };
    // Who may not ask is told from one that can't be asked: many credentials have no right to it.
    EXPECT_EQ(world.sync().deleted, code == Code::kDenied ? 1u : 0u);
    EXPECT_EQ(world.target.objects().contains("a b"), code == Code::kUnavailable);
  }
}

TEST(Sync, HighPriorityGoesFirst) {
  World world;
  world.settings.objects_at_once = {1, 1, 1, 100, 10};
  world.settings.listers = 1;
  world.settings.priorities = {{"urgent/", 100}};
  for (int i = 0; i < 30; ++i) world.source.add(fmt::format("a/{:02}", i), "x");
  for (int i = 0; i < 30; ++i) world.source.add(fmt::format("urgent/{:02}", i), "x");
  std::vector<std::string> order;
  world.target.fault = [&](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name == "put") order.push_back(call.key);
    return std::nullopt;
  };
  world.sync();
  ASSERT_EQ(order.size(), 60u);
  EXPECT_TRUE(
      std::all_of(order.begin(), order.begin() + 30, [](const auto& key) { return key.starts_with("urgent/"); }));
}

// A mirror that somebody else has made, with parts of other sizes: what both servers have a digest of isn't carried
// again.
TEST(Sync, ADigestOfTheWholeThatBothServersNameProvesACopy) {
  const std::string body = body_of(12 << 20);
  const auto carried = [&](std::map<std::string, std::string> ours, std::map<std::string, std::string> theirs) {
    World world;
    world.source.add("parts", body, {6 << 20, 6 << 20}).checksums = std::move(ours);
    world.target.add("parts", body, {5 << 20, 7 << 20}).checksums = std::move(theirs);
    const SyncProgress done = world.sync();
    EXPECT_TRUE(done.complete);
    return done.replicated;
  };
  EXPECT_EQ(carried({{"crc64nvme", "abc="}, {"type", "FULL_OBJECT"}}, {{"crc64nvme", "abc="}}), 0u);
  EXPECT_EQ(carried({{"crc64nvme", "abc="}}, {{"crc64nvme", "abd="}}), 1u);
  EXPECT_EQ(carried({{"crc64nvme", "abc="}, {"sha256", "x"}}, {{"crc64nvme", "abc="}, {"sha256", "y"}}), 1u);
  EXPECT_EQ(carried({{"crc32c", "abc="}}, {{"crc32c", "abc="}}), 1u) << "32 bits prove nothing";
  EXPECT_EQ(carried({{"sha256", "abc=-2"}}, {{"sha256", "abc=-2"}}), 1u) << "of digests of parts";
  EXPECT_EQ(carried({{"sha256", "abc="}, {"type", "COMPOSITE"}}, {{"sha256", "abc="}}), 1u);
  EXPECT_EQ(carried({{"sha256", "abc="}}, {}), 1u);
}

}  // namespace
}  // namespace twinspan::s3
