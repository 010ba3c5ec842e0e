// A worker that dies at any call, before it took effect or with its answer lost: the next one makes it good.
#include <gtest/gtest.h>

#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kFiveMiB = 5 << 20;

void plant(World& world) {
  world.settings.objects_at_once = {2, 2, 2, 100, 10};
  world.settings.deletes = {DeleteMode::kReplicate, 10};
  world.source.add("parts", body_of(kFiveMiB + 3), {kFiveMiB, 3});
  world.source.add("small", "small").tags = {{"k", "v"}};
  world.source.add("same", "same");
  world.source.add("changed", "new");
  world.target.add("same", "same");
  world.target.add("changed", "old");
  world.target.add("extra", "extra");
}

TEST(Death, AtAnyCallLeavesNothingThatTheNextWorkerDoesNotMend) {
  World whole;
  plant(whole);
  ASSERT_TRUE(whole.sync().complete);
  whole.expect_mirrored();
  const int source_calls = whole.source.calls(), target_calls = whole.target.calls();
  ASSERT_GT(target_calls, 8);
  die_at_every_call<World>(
      source_calls, target_calls, plant,
      [](World& world) {
        for (const char* key : {"same", "changed"}) EXPECT_TRUE(world.target.objects().contains(key));
      },
      [](World& world) { world.expect_mirrored(); });
}

TEST(Death, PartsThatArrivedAreNotCarriedAgain) {
  World world;
  world.settings.objects_at_once = {1, 1, 1, 100, 10};
  world.source.add("parts", body_of(4 * kFiveMiB), {kFiveMiB, kFiveMiB, kFiveMiB, kFiveMiB});
  world.die_before("stream_part", 3);
  world.target.forget_calls();
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(world.target.calls("stream_part"), 2);
  EXPECT_EQ(world.target.calls("create_upload"), 0);
  world.expect_mirrored();
}

// Versity S3 Gateway 1.8.0 keeps a part whose upload was cut off, in the size that was announced.
TEST(Death, APartThatWasCutOffIsCarriedAgain) {
  constexpr size_t kBytes = 6 * kFiveMiB;
  const int64_t part_bytes = plan_parts(kBytes, {}, kPartBytesMax)->part_bytes;
  for (const bool sealed : {false, true})
    for (const int torn : {1, 2}) {  // 1 was acknowledged before: what came late of an earlier try has replaced it
      World world;
      world.settings.objects_at_once = {1, 1, 1, 100, 10};
      if (sealed) world.settings.stored.key = key_of();
      world.source.add("whole", body_of(kBytes));  // no ETag of parts that would betray it
      world.die_before(sealed ? "upload_part" : "stream_part", 2);
      world.target.add_torn_part(torn, part_bytes);
      EXPECT_EQ(world.sync().replicated, 1u);
      world.expect_mirrored();
    }
}

TEST(Death, FinishedPartsAreWrittenDownNowAndThen) {
  World world;
  world.settings.objects_at_once = {1, 1, 1, 100, 10};
  world.settings.record_parts_after = std::chrono::hours(1);
  world.source.add("parts", body_of(4 * kFiveMiB), {kFiveMiB, kFiveMiB, kFiveMiB, kFiveMiB});
  world.die_before("stream_part", 3);
  world.target.forget_calls();
  EXPECT_EQ(world.sync().replicated, 1u);
  EXPECT_EQ(world.target.calls("stream_part"), 4);  // none was written down yet
  EXPECT_EQ(world.target.calls("create_upload"), 0);
  world.expect_mirrored();
}

TEST(Death, AHalfDoneUploadOfChangedContentIsAborted) {
  for (bool removed : {false, true}) {
    World world;
    world.source.add("parts", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
    world.die_before("complete_upload");
    if (removed) world.source.erase("parts");
    if (!removed) world.source.add("parts", body_of(2 * kFiveMiB, 'q'), {kFiveMiB, kFiveMiB});
    EXPECT_TRUE(world.sync().complete);
    world.expect_mirrored();
  }
}

}  // namespace
}  // namespace twinspan::s3
