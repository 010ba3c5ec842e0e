#include "kafka/codec.hpp"

#include <gtest/gtest.h>
#include <snappy.h>

#include <random>

#include "kafka/records.hpp"
#include "kafka/wire.hpp"
#include "unit/kafka/foreign_batches.hpp"

namespace twinspan::kafka {
namespace {

constexpr int kCodecs[] = {kNoCodec, kGzip, kSnappy, kLz4, kZstd};
constexpr size_t kMost = 256 << 20;
using Found = Unpacker::Found;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t at = 0; at + 1 < hex.size(); at += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
  return bytes;
}

std::string packed(int codec, std::string_view body) {
  std::string out = "before";
  Packer().pack(codec, body, out);
  EXPECT_TRUE(out.starts_with("before")) << "it appends";
  return out.substr(6);
}

// Text, noise, and runs, of lengths around the libraries' own frames.
std::vector<std::string> bodies() {
  std::mt19937 random(1);
  std::vector<std::string> all;
  for (const size_t size : {1u, 100u, 32767u, 32768u, 32769u, 65536u, 65537u, 262144u, 262145u, 3000000u})
    for (const int kind : {0, 1, 2}) {
      std::string body(size, 'x');
      for (size_t i = 0; kind != 0 && i < size; ++i)
        body[i] = static_cast<char>(kind == 1 ? random() : "the quick brown fox "[random() % 3 + i % 17]);
      all.push_back(std::move(body));
    }
  return all;
}

TEST(Codec, WhatWasPackedIsUnpackedAsItWas_W17) {
  Unpacker unpacker;
  Packer packer;
  for (const std::string& body : bodies())
    for (const int codec : kCodecs) {
      std::string bytes;
      packer.pack(codec, body, bytes);
      std::string_view out;
      ASSERT_EQ(unpacker.unpack(codec, bytes, kMost, out), Found::kDone) << codec << ", " << body.size();
      ASSERT_EQ(out, body) << codec;
      ASSERT_EQ(unpacker.unpack(codec, bytes, body.size(), out), Found::kDone) << "exactly as large as allowed";
      ASSERT_EQ(unpacker.unpack(codec, bytes, body.size() - 1, out), Found::kTooLarge) << codec << ", " << body.size();
      ASSERT_EQ(out, "") << "nothing of what is too large is handed out";
    }
}

TEST(Codec, OtherClientsBatchesAreRead_W17) {
  for (const Foreign& foreign : kForeign) {
    const std::string batch = from_hex(foreign.hex);
    ASSERT_TRUE(crc_is_right(batch)) << foreign.name;
    const BatchHead head = read_head(batch);
    ASSERT_EQ(head.codec(), foreign.codec);
    Unpacker unpacker;
    std::string_view body;
    ASSERT_EQ(unpacker.unpack(head.codec(), std::string_view(batch).substr(kBatchHeadBytes), kMost, body), Found::kDone)
        << foreign.name;
    Records records(head, body);
    int n = 12 - head.count;
    while (const Record* record = records.next()) {
      EXPECT_EQ(record->value, "line " + std::to_string(n) + " abcabcabcabcabc") << foreign.name;
      if (foreign.name.starts_with("librdkafka")) {
        EXPECT_EQ(record->time, 1700000000000 + n);
      }
      ++n;
    }
    EXPECT_FALSE(records.failed());
    EXPECT_EQ(n, 12) << foreign.name;
  }
}

// What Java's client reads: its own frames of snappy, and of lz4 blocks that stand alone alone.
TEST(Codec, FormsThatEveryClientReads_W17) {
  const std::string body(100000, 'x');
  const std::string snappy = packed(kSnappy, body);
  EXPECT_EQ(snappy.substr(0, 16), std::string("\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16));
  const std::string lz4 = packed(kLz4, body);
  EXPECT_EQ(lz4.substr(0, 4), "\x04\x22\x4d\x18");
  EXPECT_EQ(lz4[4] & 0x20, 0x20) << "blocks stand alone";
  EXPECT_EQ(lz4[4] & 0x08, 0) << "no size";
  EXPECT_EQ(packed(kGzip, body).substr(0, 2), "\x1f\x8b");
  EXPECT_EQ(packed(kZstd, body).substr(0, 4), "\x28\xb5\x2f\xfd");
}

TEST(Codec, RawSnappyAndFramesOneAfterAnother_W17) {
  Unpacker unpacker;
  std::string_view out;
  std::string raw;
  snappy::Compress("hello hello hello", 17, &raw);
  EXPECT_EQ(unpacker.unpack(kSnappy, raw, kMost, out), Found::kDone);
  EXPECT_EQ(out, "hello hello hello");
  for (const int codec : {kGzip, kLz4, kZstd}) {
    EXPECT_EQ(unpacker.unpack(codec, packed(codec, "one ") + packed(codec, "two"), kMost, out), Found::kDone);
    EXPECT_EQ(out, "one two");
  }
}

TEST(Codec, CutChangedOrForeignBytesAreToldAndNothingMore) {
  Unpacker unpacker;
  std::string_view out;
  const std::string body = "hello hello hello " + std::string(300, 'y');
  for (const int codec : {kGzip, kSnappy, kLz4, kZstd}) {
    const std::string bytes = packed(codec, body);
    for (size_t size = 0; size < bytes.size(); ++size) {
      // Frames of snappy have no end but the batch's.
      const Found found = unpacker.unpack(codec, std::string_view(bytes).substr(0, size), kMost, out);
      if (codec == kSnappy && size == 16) continue;
      EXPECT_EQ(found, Found::kCorrupt) << codec << ", " << size << " bytes";
    }
    EXPECT_NE(unpacker.unpack(codec, bytes + "x", kMost, out), Found::kDone) << codec << ": something behind it";
    EXPECT_EQ(unpacker.unpack(codec, bytes, kMost, out), Found::kDone) << "nothing of the failures is left behind";
    EXPECT_EQ(out, body);
    EXPECT_NE(unpacker.unpack(codec, std::string(100, 'x'), kMost, out), Found::kDone) << codec;
  }
  for (const int codec : {5, 6, 7}) EXPECT_EQ(unpacker.unpack(codec, body, kMost, out), Found::kUnknownCodec);
}

// What a header claims is not what is allocated.
TEST(Codec, ClaimsAreNotBelieved_W17) {
  Unpacker unpacker;
  std::string_view out;
  std::string claim;
  Writer(claim).uvarint(0xffffffff);  // snappy: four GiB in five bytes
  EXPECT_EQ(unpacker.unpack(kSnappy, claim + "\xfcxxx", SIZE_MAX / 2, out), Found::kCorrupt);
  std::string frames = packed(kSnappy, "hello");
  store(frames.data() + 16, int32_t{0x7fffffff});
  EXPECT_EQ(unpacker.unpack(kSnappy, frames, kMost, out), Found::kCorrupt);
  store(frames.data() + 16, int32_t{-1});
  EXPECT_EQ(unpacker.unpack(kSnappy, frames, kMost, out), Found::kCorrupt);
  // A thousand times smaller than it becomes.
  const std::string zeros(30 << 20, '\0');
  for (const int codec : {kGzip, kSnappy, kLz4, kZstd}) {
    const std::string bytes = packed(codec, zeros);
    EXPECT_LT(bytes.size(), zeros.size() / 10);
    EXPECT_EQ(unpacker.unpack(codec, bytes, 1 << 20, out), Found::kTooLarge) << codec;
    EXPECT_EQ(unpacker.unpack(codec, bytes, kMost, out), Found::kDone) << codec;
  }
}

TEST(Records, ABatchIsBuiltWithEachCodec) {
  Packer packer;
  for (const int codec : kCodecs) {
    BatchBuilder builder;
    for (int n = 0; n < 300; ++n)
      builder.add({.time = 1000 - n * 7, .key = "k", .value = std::string(static_cast<size_t>(n), 'v')});
    const std::string batch = builder.finish({}, packer, codec);
    ASSERT_TRUE(crc_is_right(batch));
    const BatchHead head = read_head(batch);
    EXPECT_EQ(head.codec(), codec);
    EXPECT_EQ(head.bytes(), batch.size());
    EXPECT_EQ(head.last_time, 1000);
    Unpacker unpacker;
    std::string_view body;
    ASSERT_EQ(unpacker.unpack(codec, std::string_view(batch).substr(kBatchHeadBytes), kMost, body), Found::kDone);
    Records records(head, body);
    int n = 0;
    while (const Record* record = records.next()) {
      EXPECT_EQ(record->time, 1000 - n * 7);
      EXPECT_EQ(record->offset_delta, n);
      EXPECT_EQ(record->value->size(), static_cast<size_t>(n));
      ++n;
    }
    EXPECT_EQ(n, 300);
  }
}

}  // namespace
}  // namespace twinspan::kafka
