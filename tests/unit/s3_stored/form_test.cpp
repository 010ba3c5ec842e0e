#include "engines/s3/stored/form.hpp"

#include <gtest/gtest.h>

#include "bodies.hpp"

namespace twinspan::s3 {
namespace {

TEST(StoredForm, NamesItself) {
  EXPECT_EQ(StoredForm{}.mark(), "");
  EXPECT_EQ((StoredForm{Packing::kGzip, nullptr}.mark()), "gzip");
  EXPECT_EQ((StoredForm{Packing::kNone, key_of()}.mark()), "seal:630dcd2966c43366");
  EXPECT_EQ((StoredForm{Packing::kZstd, key_of()}.mark()), "zstd+seal:630dcd2966c43366");
}

TEST(StoredForm, MarksComeOffAgainAndLeaveWhatTheOriginalHad) {
  for (const char* coding : {"", "gzip", "aws-chunked, br", "zstd"})
    for (Packing packing : {Packing::kNone, Packing::kGzip, Packing::kZstd})
      for (bool sealed : {false, true}) {
        const StoredForm form{packing, sealed ? key_of() : nullptr};
        Metadata original;
        original.content_encoding = coding;
        original.content_type = "text/plain";
        original.user = {{"owner", "a"}};
        const Metadata copy = marked(original, form, 77);
        EXPECT_EQ(unmarked(copy), original) << coding << " " << form.mark();
        const auto mark = stored_mark(copy);
        ASSERT_EQ(mark.has_value(), !form.plain());
        if (!mark) continue;
        EXPECT_EQ(mark->form, form.mark());
        EXPECT_EQ(mark->packing, packing);
        EXPECT_EQ(mark->sealed, sealed);
        EXPECT_EQ(mark->source_bytes, 77);
      }
  Metadata brotli;
  brotli.content_encoding = "br";
  EXPECT_EQ(marked(brotli, {Packing::kZstd, key_of()}, 1).content_encoding, "br, zstd, twinspan-aes256gcm");
}

TEST(StoredForm, AMarkThatMakesNoSenseIsNone) {
  for (const char* form : {"", "lzma", "gzip+", "seal", "zstd+gzip"}) {
    Metadata metadata;
    metadata.user = {{"twinspan-stored", form}, {"twinspan-source-size", "12"}};
    EXPECT_EQ(stored_mark(metadata).has_value(), std::string(form).empty()) << form;
  }
  for (const char* size : {"", "-1", "1x", "99999999999999999999"}) {
    Metadata metadata;
    metadata.user = {{"twinspan-stored", "gzip"}, {"twinspan-source-size", size}};
    EXPECT_FALSE(stored_mark(metadata)) << size;
  }
}

// Whatever is read: an answer or an error, never more than it may be, and what was sealed only where it is untouched.
TEST(StoredFuzz, OfWhateverIsReadNothingUnprovenComesOut) {
  const std::vector<std::string> seeds{
      stored_as({Packing::kNone, key_of()}, content_of(3000)), stored_as({Packing::kZstd, key_of()}, content_of(3000)),
      stored_as({Packing::kGzip, key_of()}, content_of(3000)), stored_as({Packing::kGzip, nullptr}, content_of(3000)),
      stored_as({Packing::kZstd, nullptr}, content_of(3000))};
  const std::string content = content_of(3000);
  for (unsigned round = 0; round < 3000; ++round) {
    uint32_t state = round * 2654435761u + 12345;
    const auto random = [&](size_t below) {
      state ^= state << 13, state ^= state >> 17, state ^= state << 5;
      return below ? state % below : 0;
    };
    const size_t which = random(seeds.size());
    std::string bytes = seeds[which];
    for (size_t changes = 1 + random(4); changes > 0; --changes) {
      const size_t at = random(bytes.size());
      switch (random(5)) {
        case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random(8))); break;
        case 1: bytes.resize(at); break;
        case 2: bytes.insert(at, 1, static_cast<char>(random(256))); break;
        case 3: bytes.erase(at, 1 + random(40)); break;
        case 4: bytes += bytes.substr(at); break;
      }
    }
    const auto back = opened(bytes, {.key = key_of(), .original_bytes = 3000}, 1 + random(5000));
    if (bytes == seeds[which]) continue;
    if (back && which < 3) {
      EXPECT_TRUE(*back == content) << "round " << round;
    }
    if (back) {
      EXPECT_EQ(back->size(), 3000u) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace twinspan::s3
