#include "engines/s3/copy_index.hpp"

#include <gtest/gtest.h>

#include "engines/s3/state_objects.hpp"
#include "engines/s3/walk.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

// Sources and copies whose ETags never match, in any number.
struct Indexed : World {
  explicit Indexed(int keys) {
    for (int i = 0; i < keys; ++i) {
      source.add(fmt::format("k/{:06}", i), "x");
      target.add(fmt::format("k/{:06}", i), "y");
    }
    settings.page_keys = 1000;
  }
  struct Seen {
    int same = 0, other = 0, nothing = 0;
  };
  // A walk that takes every pair for proven.
  Seen walk(int listers = 3) {
    settings.listers = listers;
    Route route(settings, {source}, {target}, clock);
    CopyIndex index(route);
    Seen seen;
    std::mutex mutex;
    Walk walk(route.settings, route.source, route.target);
    walk.on_range([&](const std::string& after) { index.begin_range(after); });
    const Status walked =
        walk.run({{"", "k/000700"}, {"k/000700", ""}},
                 [&](const Listed* ours, const Listed* theirs) -> Status {
                   const auto place = index.place(ours->key, {});
                   const Known known = index.look(*ours, *theirs, {});
                   index.note(place, copy_mark(settings, *ours, theirs->etag, true));
                   index.release(place);
                   std::lock_guard lock(mutex);
                   ++(known == Known::kSame ? seen.same : known == Known::kOther ? seen.other : seen.nothing);
                   return {};
                 },
                 {});
    EXPECT_TRUE(walked) << walked.error().message;
    EXPECT_TRUE(index.finish({}));
    return seen;
  }
  size_t segments() const {
    size_t count = 0;
    for (const auto& [key, object] : target.objects()) count += key.find("/segments/") != key.npos;
    return count;
  }
};

TEST(CopyIndex, KnowsEveryPairAgainHoweverTheWalkWasDivided) {
  Indexed world(40000);
  EXPECT_EQ(world.walk(4).nothing, 40000);
  EXPECT_GE(world.segments(), 2u);
  for (int listers : {1, 2, 5}) {
    world.target.forget_calls();
    EXPECT_EQ(world.walk(listers).same, 40000) << listers;
    EXPECT_EQ(world.target.calls("put"), 0) << listers;  // nothing changed: nothing is written
  }
}

TEST(CopyIndex, TellsWhatWasOverwrittenFromWhatIsNew) {
  Indexed world(3000);
  world.walk();
  world.target.add("k/000100", "z");
  world.source.add("k/000200", "w");
  const Indexed::Seen seen = world.walk();
  EXPECT_EQ(seen.other, 1);
  EXPECT_EQ(seen.nothing, 1);
  EXPECT_EQ(seen.same, 2998);
  EXPECT_EQ(world.walk().same, 3000);
}

TEST(CopyIndex, SpoiltOrMissingSegmentsAreAsGoodAsNone) {
  Indexed world(3000);
  world.walk();
  for (const auto& [key, object] : world.target.objects())
    if (key.find("/segments/") != key.npos) world.target.add(key, object.body.substr(0, object.body.size() - 5));
  EXPECT_EQ(world.walk().nothing, 3000);
  for (const auto& [key, object] : world.target.objects())
    if (key.ends_with("manifest.json")) world.target.add(key, "{");
  EXPECT_EQ(world.walk().nothing, 3000);
  EXPECT_EQ(world.walk().same, 3000);
}

TEST(CopyIndex, WhatAnUploadAnsweredIsNoProofUntilAListingShowsIt) {
  Indexed world(1);
  Route route(world.settings, {world.source}, {world.target}, world.clock);
  const Listed source = world.source.list({}, {})->objects[0], target = world.target.list({}, {})->objects[0];
  const auto look_after = [&](const std::string& etag, bool listed) {
    CopyIndex writer(route);
    writer.begin_range("");
    const auto place = writer.place(source.key, {});
    writer.note(place, copy_mark(world.settings, source, etag, listed));
    writer.release(place);
    EXPECT_TRUE(writer.finish({}));
    return CopyIndex(route).look(source, target, {});
  };
  EXPECT_EQ(look_after(target.etag, false), Known::kSame);
  EXPECT_EQ(look_after(target.etag, true), Known::kSame);
  EXPECT_EQ(look_after("another", false), Known::kNothing);
  EXPECT_EQ(look_after("another", true), Known::kOther);
  world.settings.stored.packing = Packing::kGzip;  // another form is another copy
  Route other(world.settings, {world.source}, {world.target}, world.clock);
  EXPECT_EQ(CopyIndex(other).look(source, target, {}), Known::kNothing);
}

TEST(CopyIndex, ItsListComesBack) {
  const std::vector<IndexSegment> segments{{"", 3, 0xfedcba9876543210u}, {"a\"ü", 2, 7}};
  EXPECT_EQ(parse_index_segments(to_json(segments)), segments);
  EXPECT_TRUE(parse_index_segments(Json::parse(R"({"version":2,"segments":[]})")).empty());
  const std::vector<IndexSegment> disordered{{"b", 1, 1}, {"a", 1, 1}};
  EXPECT_TRUE(parse_index_segments(to_json(disordered)).empty());
}

}  // namespace
}  // namespace twinspan::s3
