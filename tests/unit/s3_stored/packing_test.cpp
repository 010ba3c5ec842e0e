#include "engines/s3/stored/packing.hpp"

#include <gtest/gtest.h>

#include "bodies.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kMiB = 1 << 20;

std::string packed(Packing packing, std::string_view content, size_t piece = 100'003) {
  const auto packer = make_packer(packing);
  return through(*packer, content, piece).value_or("");
}
Result<std::string> unpacked(Packing packing, std::string_view bytes, size_t piece = 100'003) {
  const auto unpacker = make_unpacker(packing);
  return through(*unpacker, bytes, piece);
}

class PackingOf : public testing::TestWithParam<Packing> {};
INSTANTIATE_TEST_SUITE_P(Every, PackingOf, testing::Values(Packing::kGzip, Packing::kZstd),
                         [](const auto& of) { return std::string(to_string(of.param)); });

TEST_P(PackingOf, GivesBackWhatItGot) {
  for (const std::string& content :
       {std::string(), std::string("x"), std::string(3 * kMiB, 'a'), content_of(kMiB + 1), noise(3 * kMiB)}) {
    const std::string bytes = packed(GetParam(), content);
    EXPECT_LE(static_cast<int64_t>(bytes.size()), packed_bytes_max(GetParam(), static_cast<int64_t>(content.size())));
    EXPECT_TRUE(unpacked(GetParam(), bytes) == content) << content.size();
    EXPECT_TRUE(unpacked(GetParam(), bytes, 1 + bytes.size() / 7) == content) << content.size();
  }
  const std::string small = content_of(3000);
  EXPECT_TRUE(unpacked(GetParam(), packed(GetParam(), small, 1), 1) == small);
}

TEST_P(PackingOf, ReadsStreamsOneAfterTheOther) {
  const std::string two = packed(GetParam(), "one ") + packed(GetParam(), "two");
  EXPECT_EQ(unpacked(GetParam(), two), "one two");
  EXPECT_EQ(unpacked(GetParam(), two, 1), "one two");
}

TEST_P(PackingOf, WhatIsCutOffOrGoesOnIsRefused) {
  const std::string bytes = packed(GetParam(), content_of(100'000));
  for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 50)
    EXPECT_FALSE(unpacked(GetParam(), std::string_view(bytes).substr(0, size))) << size;
  EXPECT_FALSE(unpacked(GetParam(), std::string_view(bytes).substr(0, bytes.size() - 1)));
  EXPECT_FALSE(unpacked(GetParam(), bytes + "rest"));
}

TEST_P(PackingOf, AChangedByteIsNoticedByTheChecksum) {
  const std::string content = noise(50'000), bytes = packed(GetParam(), content);
  for (size_t at = 20; at + 10 < bytes.size(); at += 997) {
    std::string changed = bytes;
    changed[at] ^= 0x10;
    EXPECT_FALSE(unpacked(GetParam(), changed)) << at;
  }
}

TEST_P(PackingOf, TheOpenerKnowsItByItsFirstBytes) {
  for (const std::string& content : {std::string(), std::string("x"), content_of(kMiB)}) {
    EXPECT_TRUE(opened(packed(GetParam(), content), {}) == content);
    EXPECT_TRUE(opened(packed(GetParam(), content), {.if_not_sealed = GetParam()}) == content);
    const std::string bytes = packed(GetParam(), content);
    EXPECT_TRUE(opened(bytes, {.if_not_sealed = Packing::kNone}) == bytes);
  }
}

TEST_P(PackingOf, IsDoneBeforeSealingAndUndoneAfterOpening) {
  for (size_t size : {size_t{0}, size_t{1}, 3 * kMiB}) {
    const std::string content = content_of(size);
    const std::string stored = stored_as({GetParam(), key_of()}, content);
    if (size > 0) {
      EXPECT_LT(stored.size(), size + 300);
    }
    EXPECT_TRUE(opened(stored) == content);
    std::string changed = stored;
    changed[changed.size() / 2] ^= 1;
    EXPECT_FALSE(opened(changed));
  }
}

TEST(Opener, LetsPassWhatIsNeitherSealedNorCompressed) {
  for (const char* text : {"", "x", "TWSP", "a plain text of more than eight bytes"}) EXPECT_EQ(opened(text, {}), text);
}

TEST(Opener, OfAnOriginalThatIsAnArchiveOnlyWhatWasAddedIsTakenOff) {
  const std::string archive = packed(Packing::kGzip, "text");
  EXPECT_EQ(opened(stored_as({Packing::kNone, key_of()}, archive)), archive);
  EXPECT_EQ(opened(stored_as({Packing::kZstd, nullptr}, archive), {}), archive);
}

TEST(Opener, WhatGrowsBeyondTheOriginalIsStopped) {
  const std::string bomb = packed(Packing::kZstd, std::string(50 * kMiB, '\0'));
  EXPECT_FALSE(opened(bomb, {.original_bytes = 1000}));
  const SealHeader header = seal_header(*key_of(), Packing::kZstd, salt_of(), "a", 1000);
  std::string stored;
  ASSERT_TRUE(seal_part(*key_of(), header, 0, true, bomb, stored));
  EXPECT_FALSE(opened(stored));
}

}  // namespace
}  // namespace twinspan::s3
