// Two buckets and one sync between them, as a worker process would run it.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "engines/s3/sync.hpp"
#include "fake_bucket.hpp"
#include "unit/s3_stored/bodies.hpp"

namespace twinspan::s3 {

inline std::string body_of(size_t bytes, char seed = 'a') {
  std::string body(bytes, seed);
  for (size_t i = 0; i < bytes; i += 997) body[i] = static_cast<char>('a' + i % 23);
  return body;
}

// What a stored object is the copy of, by its marks.
inline Result<std::string> original_of(const FakeBucket::Object& copy, const std::shared_ptr<const SealKey>& key,
                                       const std::string& name) {
  const auto mark = stored_mark(copy.metadata);
  if (!mark) return copy.body;
  return opened(copy.body, {key, mark->sealed ? std::optional(name) : std::nullopt, mark->packing, mark->source_bytes});
}

struct World {
  FakeBucket source{"source"}, target{"target"};
  std::string source_prefix, target_prefix;
  SystemClock clock;
  Settings settings = quick();
  std::vector<DeadLetter> dead_letters;

  static Settings quick() {
    Settings settings;
    settings.link = "backups";
    settings.listers = 2;
    settings.page_keys = 10;
    settings.retries.backoff_base = std::chrono::milliseconds(1);
    settings.record_parts_after = std::chrono::milliseconds(0);
    return settings;
  }

  // One life of a worker: ends by itself or by the death of one of the buckets.
  SyncProgress sync() {
    std::stop_source stop;
    source.died = target.died = [&] { stop.request_stop(); };
    Route route(settings, {source, source_prefix}, {target, target_prefix}, clock);
    UploadRecords records(route);
    Transfers transfers(route, records);
    SyncRun run(route, records, transfers);
    const SyncProgress progress = run.run(stop.get_token());
    dead_letters = transfers.dead_letters();
    return progress;
  }

  // A life that ends when the target would be asked for the nth time, and leaves one upload half done.
  void die_before(const std::string& call, int nth = 1) {
    std::atomic<int> calls{0};
    target.fault = [&](const FakeBucket::Call& seen) -> std::optional<Error> {
      if (seen.name == call && ++calls == nth) target.die_at = seen.index;
      return std::nullopt;
    };
    target.death = FakeBucket::Death::kBefore;
    sync();
    EXPECT_EQ(target.open_uploads(), 1u);
    target.revive();
    target.fault = nullptr;
  }

  // Same keys, same bytes, same metadata and tags; nothing half done.
  void expect_mirrored() {
    const auto ours = source.objects_outside_state();
    const auto theirs = target.objects_outside_state();
    EXPECT_EQ(ours.size(), theirs.size());
    for (const auto& [key, object] : ours) {
      if (!key.starts_with(source_prefix)) continue;
      const auto copy = theirs.find(target_prefix + key.substr(source_prefix.size()));
      ASSERT_NE(copy, theirs.end()) << key;
      const std::string form = settings.stored.mark();
      EXPECT_EQ(stored_mark(copy->second.metadata).value_or(StoredMark{}).form, form) << key;
      const auto original = original_of(copy->second, settings.stored.key, key.substr(source_prefix.size()));
      EXPECT_TRUE(original == object.body) << key << (original ? "" : ": " + original.error().message);
      Metadata metadata = unmarked(copy->second.metadata);
      Metadata wanted = object.metadata;  // which has it too where it came back from a former target
      metadata.user.erase("twinspan-source-etag");
      wanted.user.erase("twinspan-source-etag");
      EXPECT_EQ(metadata, wanted) << key;
      EXPECT_EQ(copy->second.tags, object.tags) << key;
    }
    expect_nothing_left();
  }
  void expect_nothing_left() {
    EXPECT_EQ(target.open_uploads(), 0u);
    for (const auto& [key, object] : target.objects()) EXPECT_FALSE(key.starts_with(".twinspan/uploads/")) << key;
  }
};

// Worlds that `plant` fills, in each of which a worker dies at another call of one bucket, before it took effect or
// with its answer lost, until one doesn't. `died` looks at what it left; then another worker comes, and `expect` looks.
template <class AnyWorld>
void die_at_every_call(int source_calls, int target_calls, const std::function<void(AnyWorld&)>& plant,
                       const std::function<void(AnyWorld&)>& died, const std::function<void(AnyWorld&)>& expect) {
  for (FakeBucket::Death death : {FakeBucket::Death::kBefore, FakeBucket::Death::kAfter})
    for (bool at_source : {true, false})
      for (int k = 1; k <= (at_source ? source_calls : target_calls) + 1; ++k) {
        SCOPED_TRACE(fmt::format("{} call {} {}", at_source ? "source" : "target", k, static_cast<int>(death)));
        AnyWorld world;
        plant(world);
        FakeBucket& deadly = at_source ? world.source : world.target;
        deadly.death = death;
        deadly.die_at = k;
        deadly.died = nullptr;
        (void)world.sync();
        died(world);
        deadly.revive();
        const SyncProgress again = world.sync();
        EXPECT_TRUE(again.complete) << again.error;
        expect(world);
        if (testing::Test::HasFailure()) return;
      }
}

}  // namespace twinspan::s3
