// Buckets that keep objects as files: odd keys are paths there, and paths are simplified.
#include "engines/s3/folding.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "engines/s3/removal.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

std::string path_of(const std::string& key) {
  const std::string path = std::filesystem::path("/" + key).lexically_normal().string();
  return path.substr(path.find_first_not_of('/'));
}

class FileBucket : public FakeBucket {
 public:
  using FakeBucket::FakeBucket;
  using FakeBucket::remove;
  Result<Head> head(const ObjectName& object, std::stop_token stop) override {
    return FakeBucket::head(path_of(object.key), std::move(stop));
  }
  Result<PutResult> put(const PutRequest& request, std::string_view body, std::stop_token stop) override {
    PutRequest folded = request;
    folded.key = path_of(request.key);
    return FakeBucket::put(folded, body, std::move(stop));
  }
  Result<std::vector<DeleteResult>> remove(const std::vector<std::string>& keys, std::stop_token stop) override {
    std::vector<std::string> folded;
    for (const std::string& key : keys) folded.push_back(path_of(key));
    return FakeBucket::remove(folded, std::move(stop));
  }
};

TEST(Oddities, AreWhatAPathWouldLose) {
  for (const char* plain : {"a", "a/b", "a/", "..a/b..", "a.b/.c", "", "a b/+"})
    EXPECT_TRUE(oddities(plain).empty()) << plain;
  EXPECT_EQ(oddities("a//b"), std::vector{Oddity::kSlashes});
  EXPECT_EQ(oddities("a//"), std::vector{Oddity::kSlashes});
  EXPECT_EQ(oddities("/a"), std::vector{Oddity::kLeadingSlash});
  EXPECT_EQ(oddities("a/./b"), std::vector{Oddity::kDot});
  EXPECT_EQ(oddities("."), std::vector{Oddity::kDot});
  EXPECT_EQ(oddities("a/.."), std::vector{Oddity::kDots});
  EXPECT_EQ(oddities("../a//b"), (std::vector{Oddity::kDots, Oddity::kSlashes}));
}

TEST(Folding, IsAskedOfTheServerOnceForEachKindAndLeavesNothing) {
  FileBucket files("files");
  FakeBucket objects("objects");
  for (const auto& [bucket, folds] : {std::pair<FakeBucket*, bool>{&files, true}, {&objects, false}}) {
    Folding folding(*bucket, "link");
    EXPECT_FALSE(*folding.folds("a/b", {}));
    EXPECT_EQ(bucket->calls(), 0);
    for (int round = 0; round < 2; ++round)
      for (const char* key : {"a//b", "c//d", "a/./b", "a/../b", "/a"})
        EXPECT_EQ(*folding.folds(key, {}), folds) << key;
    EXPECT_EQ(bucket->calls("head"), 4);
    EXPECT_TRUE(bucket->objects().empty());
  }
}

TEST(Folding, AServerThatDoesNotAnswerIsNotTakenForOneThatDoesNotFold) {
  FileBucket files("files");
  files.fault = [](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name != "head") return std::nullopt;
    return fail(Code::kUnavailable, "away").error();
  };
  EXPECT_FALSE(Folding(files, "link").folds("a//b", {}));
}

TEST(Folding, KeysThatWouldOverwriteOthersAreNamedAndTheOthersStay) {
  const Settings settings = World::quick();
  SystemClock clock;
  FakeBucket source("source");
  FileBucket target("target");
  for (const char* key : {"a/b", "a//b", "a/./b", "c/../a/b", "/a/b", "d//e"})
    source.add(key, std::string("body of ") + key);
  for (int round = 0; round < 2; ++round) {
    Route route(settings, {source, ""}, {target, ""}, clock);
    UploadRecords records(route);
    Transfers transfers(route, records);
    const SyncProgress progress = SyncRun(route, records, transfers).run({});
    EXPECT_TRUE(progress.complete) << progress.error;
    EXPECT_EQ(progress.failed, 5u);
    for (const DeadLetter& letter : transfers.dead_letters()) EXPECT_EQ(letter.tries, 1) << letter.key;
    const auto held = target.objects_outside_state();
    ASSERT_EQ(held.size(), 1u);
    EXPECT_EQ(held.at("a/b").body, "body of a/b");
    // One that was removed at the source was never there: its namesake stays.
    EXPECT_EQ(remove_confirmed(route, {"a//b/../b"}, {})->count, 0u);
    EXPECT_EQ(target.objects_outside_state().size(), 1u);
  }
}

}  // namespace
}  // namespace twinspan::s3
