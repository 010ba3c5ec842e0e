#include "engines/s3/stored/seal.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "bodies.hpp"
#include "s3/digest.hpp"
#include "tests/places.hpp"

namespace twinspan::s3 {
namespace {

constexpr int64_t kMiB = 1 << 20, kFirst = kMiB - 112, kLater = kMiB - 16;
const std::vector<int64_t> kSizes{0,
                                  1,
                                  100,
                                  kFirst - 1,
                                  kFirst,
                                  kFirst + 1,
                                  5 * kMiB - 1,
                                  5 * kMiB,
                                  5 * kMiB + 1,
                                  kFirst + kLater - 1,
                                  kFirst + kLater,
                                  kFirst + kLater + 1,
                                  kFirst + 3 * kLater};

std::string sealed(std::string_view content, size_t piece = 100'003) {
  return stored_as({Packing::kNone, key_of()}, content, "daily/a b", piece);
}

TEST(Seal, TheContainerIsWhatAnotherImplementationMakesOfIt) {
  std::ifstream golden(test::in_source("/tests/golden/s3_sealed.txt"));
  int cases = 0;
  for (std::string line; std::getline(golden, line);) {
    if (line.starts_with('#')) continue;
    size_t content = 0, stored = 0;
    std::string digest, whole;
    std::istringstream(line) >> content >> stored >> digest >> whole;
    const std::string bytes = sealed(content_of(content));
    EXPECT_EQ(bytes.size(), stored) << content;
    EXPECT_EQ(to_hex(sha256_of(bytes)), digest) << content;
    if (whole != "-") {
      EXPECT_EQ(to_hex(bytes), whole);
    }
    ++cases;
  }
  EXPECT_EQ(cases, 6);
}

TEST(Seal, WhatWasSealedOpensWhateverItsSize) {
  for (int64_t size : kSizes) {
    const std::string content = content_of(static_cast<size_t>(size));
    const std::string stored = sealed(content);
    EXPECT_EQ(static_cast<int64_t>(stored.size()), sealed_bytes(size));
    const auto back = opened(stored);
    ASSERT_TRUE(back) << size << ": " << back.error().message;
    EXPECT_TRUE(*back == content) << size;
  }
}

TEST(Seal, ThePiecesItComesInDontMatter) {
  const std::string content = content_of(2 * kMiB + 77), stored = sealed(content);
  for (size_t piece : {size_t{1021}, size_t{kMiB}, size_t{kMiB} + 1, size_t{100} << 20}) {
    EXPECT_TRUE(sealed(content, piece) == stored) << piece;
    EXPECT_TRUE(opened(stored, {key_of()}, piece) == content) << piece;
  }
  EXPECT_EQ(opened(sealed("x"), {key_of()}, 1), "x");
}

TEST(Seal, PartsSealedByThemselvesAreTheWhole) {
  for (int64_t size : kSizes) {
    const std::string content = content_of(static_cast<size_t>(size)), stored = sealed(content);
    const SealHeader header = seal_header(*key_of(), Packing::kNone, salt_of(), "daily/a b", size);
    for (int64_t part : {kMiB, 2 * kMiB, 5 * kMiB}) {
      std::string joined;
      for (int64_t first = 0; first < sealed_bytes(size); first += part) {
        const int64_t bytes = std::min(part, sealed_bytes(size) - first);
        const ByteRange range = sealed_content({first, bytes}, size);
        const size_t before = joined.size();
        ASSERT_TRUE(seal_part(
            *key_of(), header, first, first + bytes == sealed_bytes(size),
            std::string_view(content).substr(static_cast<size_t>(range.first), static_cast<size_t>(range.size_bytes)),
            joined));
        EXPECT_EQ(static_cast<int64_t>(joined.size() - before), bytes);
      }
      EXPECT_TRUE(joined == stored) << size << " in parts of " << part;
    }
  }
}

TEST(Seal, WhatIsCutOffDoesNotOpen) {
  const std::string content = content_of(3 * kMiB), stored = sealed(content);
  for (size_t size :
       {size_t{0}, size_t{1}, size_t{7}, size_t{8}, size_t{95}, size_t{96}, size_t{97}, size_t{111}, size_t{112},
        size_t{kMiB} - 1, size_t{kMiB}, size_t{kMiB} + 15, size_t{2 * kMiB}, size_t{3 * kMiB}, stored.size() - 1}) {
    const auto back = opened(std::string_view(stored).substr(0, size), {key_of(), "daily/a b", {}, 3 * kMiB});
    EXPECT_FALSE(back) << size;
  }
  EXPECT_FALSE(opened(stored + "x"));
  EXPECT_FALSE(opened(stored + stored));
}

TEST(Seal, ABitChangedAnywhereIsNoticed) {
  const std::string stored = sealed(content_of(2 * kMiB + 100));
  std::vector<size_t> places;
  for (size_t i = 0; i < 96; ++i) places.push_back(i);  // every byte of the header
  for (size_t border : {size_t{96}, size_t{kMiB}, size_t{2 * kMiB}, stored.size()})
    for (size_t i : {border - 17, border - 16, border - 1, border, border + 20})
      if (i < stored.size()) places.push_back(i);
  for (size_t at : places) {
    std::string changed = stored;
    changed[at] ^= 1;
    // Without its magic it is taken for an object that isn't sealed: whoever expects one says so.
    const auto back = opened(changed, {key_of(), {}, {}, 2 * kMiB + 100});
    EXPECT_FALSE(back) << at;
  }
}

// Bytes are numbers from 0 to 255 on every machine, whatever a plain char is there.
TEST(Seal, WhatAHeaderSaysIsReadAlikeOnEveryMachine) {
  const std::string header = sealed("text").substr(0, kSealHeaderBytes);
  for (const auto& [at, says] : {std::pair{size_t{8}, "version 200"}, std::pair{size_t{9}, "compression 200"}}) {
    std::string changed = header;
    changed[at] = static_cast<char>(200);
    const auto read = parse_seal_header(changed);
    ASSERT_FALSE(read) << at;
    EXPECT_NE(read.error().message.find(says), std::string::npos) << read.error().message;
  }
}

TEST(Seal, SegmentsCantBeExchangedOrLeftOut) {
  const std::string stored = sealed(content_of(4 * kMiB));
  const auto segment = [&](size_t i) { return stored.substr(i * kMiB, kMiB); };
  EXPECT_TRUE(opened(segment(0) + segment(1) + segment(2) + segment(3) + segment(4)));
  EXPECT_FALSE(opened(segment(0) + segment(2) + segment(1) + segment(3) + segment(4)));
  EXPECT_FALSE(opened(segment(0) + segment(1) + segment(3) + segment(4)));
  const auto other = StoredForm{Packing::kNone, key_of()}.stages("daily/a b", 4 * kMiB, salt_of(7));
  const std::string twin = *through(*other, content_of(4 * kMiB));  // of the same content
  EXPECT_FALSE(opened(segment(0) + twin.substr(kMiB, kMiB) + segment(2) + segment(3) + segment(4)));
}

TEST(Seal, AnotherKeyIsNamedAndNeverTheKeyItself) {
  const auto back = opened(sealed("text"), {key_of(1)});
  ASSERT_FALSE(back);
  EXPECT_NE(back.error().message.find(key_of()->id()), std::string::npos) << back.error().message;
  EXPECT_NE(back.error().message.find(key_of(1)->id()), std::string::npos);
  EXPECT_FALSE(opened(sealed("text"), {}));
}

TEST(Seal, OpensUnderAnyNameUnlessOneIsAskedFor) {
  EXPECT_TRUE(opened(sealed("text"), {key_of()}));
  EXPECT_TRUE(opened(sealed("text"), {key_of(), "daily/a b"}));
  EXPECT_FALSE(opened(sealed("text"), {key_of(), "daily/b"}));
}

TEST(Seal, KeysAreThirtyTwoBytesOrTheirBase64) {
  const std::string raw(key_of()->bytes());
  for (const std::string& text :
       {raw, base64_encode(raw), base64_encode(raw) + "\n", "  " + base64_encode(raw) + "\r\n"}) {
    const auto key = SealKey::parse(text);
    ASSERT_TRUE(key);
    EXPECT_EQ((*key)->bytes(), raw);
    EXPECT_EQ((*key)->id(), "630dcd2966c43366");  // sha256sum of the bytes 0 … 31
  }
  for (const std::string& text : {std::string(), raw + "\n", raw.substr(1), to_hex(raw), base64_encode(raw + "x"),
                                  base64_encode(raw.substr(1)), std::string(44, '!'), std::string("secret words")}) {
    const auto key = SealKey::parse(text);
    ASSERT_FALSE(key) << text.size();
    EXPECT_EQ(key.error().message.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace twinspan::s3
