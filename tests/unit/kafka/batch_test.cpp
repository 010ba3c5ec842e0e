#include "kafka/batch.hpp"

#include <gtest/gtest.h>

#include "kafka/crc32c.hpp"
#include "kafka/records.hpp"
#include "kafka/wire.hpp"

namespace twinspan::kafka {
namespace {

constexpr ProducerMark kTheirs{.id = 5, .epoch = 1, .sequence = 8, .transactional = true};
constexpr ProducerMark kOurs{.id = 0x1122334455667788, .epoch = 3, .sequence = 77, .transactional = true};

std::string a_batch(int records = 3, const ProducerMark& producer = kTheirs, size_t value_bytes = 20) {
  BatchBuilder builder;
  const std::string value(value_bytes, 'v');
  for (int n = 0; n < records; ++n)
    builder.add({.time = 1000 + n, .key = "k", .value = value, .headers = {{"h", "1"}, {"h", std::nullopt}}});
  return builder.finish(producer);
}

// As a broker keeps it: with an offset and a leader's epoch, which the checksum does not cover.
std::string stored(std::string batch, int64_t base, int32_t epoch = 4) {
  store(batch.data(), base);
  store(batch.data() + 12, epoch);
  return batch;
}

TEST(Crc32c, KnownValuesAndThoseOfTheTables) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
}

TEST(Crc32c, MovesAlongWithAChangeWhereverItLies) {
  std::string bytes(3000, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 + (i >> 8));
  for (size_t size : {size_t{1}, size_t{36}, size_t{999}, size_t{3000}})
    for (size_t at : {size_t{0}, size_t{1}, size - 1}) {
      if (at >= size) continue;
      const std::string old = bytes.substr(0, size);
      std::string now = old;
      now[at] = static_cast<char>(now[at] ^ 0x5a);
      const char change[] = {0x5a};
      EXPECT_EQ(crc32c_after(crc32c(old), {change, 1}, size - at - 1), crc32c(now));
    }
}

TEST(Batch, AMarkedOneIsOursAndItsChecksumRight_KF12) {
  for (int records : {1, 3, 500})
    for (const ProducerMark& ours : {kOurs, ProducerMark{.id = 9, .epoch = 0, .sequence = 0, .transactional = false}}) {
      const std::string source = stored(a_batch(records), 41);
      std::string batch = source;
      mark(batch, ours);
      EXPECT_TRUE(crc_is_right(batch));
      const BatchHead head = read_head(batch);
      EXPECT_EQ(head.base_offset, 0);
      EXPECT_EQ(head.producer_id, ours.id);
      EXPECT_EQ(head.producer_epoch, ours.epoch);
      EXPECT_EQ(head.base_sequence, ours.sequence);
      EXPECT_EQ(head.transactional(), ours.transactional);
      EXPECT_EQ(batch.substr(57), source.substr(57)) << "count and records are the source's";
      EXPECT_EQ(batch.substr(23, 20), source.substr(23, 20)) << "last delta and times, too";
    }
}

TEST(Batch, NoBitThatFlippedBeforeIsHealed) {
  const std::string source = stored(a_batch(), 41);
  for (size_t bit = 17 * 8; bit < source.size() * 8; ++bit) {
    std::string broken = source;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ 1 << bit % 8);
    ASSERT_FALSE(crc_is_right(broken));
    mark(broken, kOurs);
    ASSERT_FALSE(crc_is_right(broken)) << "bit " << bit;
  }
}

TEST(Batches, AreFoundOneAfterAnotherUpToTheCutOne) {
  const std::string one = stored(a_batch(3), 10), two = stored(a_batch(1), 13);
  const std::string both = one + two;
  for (size_t size = 0; size <= both.size(); ++size) {
    std::string bytes = both.substr(0, size);
    Batches batches(bytes);
    std::vector<int64_t> bases;
    Batches::Found found;
    while ((found = batches.next()) == Batches::Found::kBatch) bases.push_back(batches.head().base_offset);
    EXPECT_EQ(found, Batches::Found::kEnd);
    EXPECT_EQ(bases.size(), size_t{size >= one.size()} + size_t{size >= both.size()});
  }
}

TEST(Batches, WhatIsNoneIsTold) {
  const auto found = [](std::string bytes) { return Batches(bytes).next(); };
  std::string batch = stored(a_batch(), 7);
  EXPECT_EQ(found(batch), Batches::Found::kBatch);
  for (const char magic : {0, 1}) {
    batch[16] = magic;
    EXPECT_EQ(found(batch), Batches::Found::kOldFormat);
  }
  batch[16] = 3;
  EXPECT_EQ(found(batch), Batches::Found::kCorrupt);
  const auto with = [](size_t at, auto value) {
    std::string changed = stored(a_batch(), 7);
    store(changed.data() + at, value);
    return changed;
  };
  EXPECT_EQ(found(with(8, int32_t{48})), Batches::Found::kCorrupt) << "shorter than a head";
  EXPECT_EQ(found(with(8, int32_t{-1})), Batches::Found::kCorrupt);
  EXPECT_EQ(found(with(0, int64_t{-1})), Batches::Found::kCorrupt);
  EXPECT_EQ(found(with(0, INT64_MAX)), Batches::Found::kCorrupt) << "offsets would run over";
  EXPECT_EQ(found(with(23, int32_t{-1})), Batches::Found::kCorrupt) << "a last delta";
  EXPECT_EQ(found(with(57, int32_t{4})), Batches::Found::kCorrupt) << "more records than offsets";
  EXPECT_EQ(found(with(57, int32_t{0})), Batches::Found::kBatch) << "what the cleaner leaves";
}

TEST(Batch, SequencesWrap) {
  EXPECT_EQ(sequence_after(0, 5), 5);
  EXPECT_EQ(sequence_after(INT32_MAX, 1), 0);
  EXPECT_EQ(sequence_after(INT32_MAX - 1, 4), 2);
}

TEST(Records, AreReadAsTheyWereBuilt) {
  const std::vector<Record> records = {
      {.time = 5, .key = "k", .value = "v", .headers = {{"a", "1"}, {"a", "2"}, {"", ""}, {"n", std::nullopt}}},
      {.time = -1, .key = std::nullopt, .value = std::nullopt},
      {.time = 4102444800000, .key = "", .value = ""},
  };
  BatchBuilder builder;
  for (const Record& record : records) builder.add(record);
  const std::string batch = builder.finish(kOurs);
  EXPECT_TRUE(crc_is_right(batch));
  const BatchHead head = read_head(batch);
  EXPECT_EQ(head.bytes(), batch.size());
  EXPECT_EQ(head.count, 3);
  EXPECT_EQ(head.last_delta, 2);
  EXPECT_EQ(head.last_time, 4102444800000);
  Records read(head, std::string_view(batch).substr(kBatchHeadBytes));
  for (int32_t n = 0; n < 3; ++n) {
    const Record* got = read.next();
    ASSERT_TRUE(got);
    Record expected = records[static_cast<size_t>(n)];
    expected.offset_delta = n;
    EXPECT_EQ(*got, expected);
  }
  EXPECT_FALSE(read.next());
  EXPECT_FALSE(read.failed());
  EXPECT_EQ(builder.finish(kOurs), "") << "it begins anew";
}

TEST(Records, CutOrTooManyFail) {
  const std::string batch = a_batch(3);
  BatchHead head = read_head(batch);
  const std::string body = batch.substr(kBatchHeadBytes);
  for (size_t size = 0; size < body.size(); ++size) {
    const std::string cut = body.substr(0, size);
    Records records(head, cut);
    while (records.next()) continue;
    EXPECT_TRUE(records.failed()) << size;
  }
  head.count = 2;
  Records fewer(head, body);
  while (fewer.next()) continue;
  EXPECT_TRUE(fewer.failed()) << "one is left over";
}

}  // namespace
}  // namespace twinspan::kafka
