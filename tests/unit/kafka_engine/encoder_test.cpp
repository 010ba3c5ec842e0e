#include "engines/kafka/encoder.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "unit/kafka_engine/slow_rules.hpp"

namespace twinspan::kafka_engine {
namespace {

using Outcome = Encoded::Outcome;
constexpr int64_t kNow = 1700000000123;
constexpr const char* kNowText = "2023-11-14T22:13:20.123Z";
constexpr size_t kMost = 64 << 20;

std::unique_ptr<Encoder> encoder_of(const RecordRules& rules, size_t most = kMost) {
  auto made = Encoder::make(rules, most);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

struct Call {
  std::string topic = "t";
  int partition = 7;
  int64_t from = 0, until = INT64_MAX;
  bool may_pass = false;
  std::optional<int64_t> most_bytes{};
};
Encoded encode(Encoder& encoder, const std::string& batch, const Call& call = {}) {
  return encoder.encode({.head = kafka::read_head(batch),
                         .batch = batch,
                         .topic = call.topic,
                         .partition = call.partition,
                         .from = call.from,
                         .until = call.until,
                         .now = kNow,
                         .may_pass = call.may_pass,
                         .most_bytes = call.most_bytes});
}

std::vector<int> dense(size_t count) {
  std::vector<int> deltas(count);
  for (size_t n = 0; n < count; ++n) deltas[n] = static_cast<int>(n);
  return deltas;
}
std::string whole(const std::vector<Row>& rows, int codec = 0, int64_t base = 100) {
  return stored_batch(
      rows,
      {.codec = codec, .base = base, .deltas = dense(rows.size()), .last_delta = static_cast<int>(rows.size()) - 1});
}

// A batch of ours is one that every broker takes, and which says of itself what is in it.
void expect_ours(const std::string& bytes, int32_t count) {
  ASSERT_TRUE(kafka::crc_is_right(bytes));
  const kafka::BatchHead head = kafka::read_head(bytes);
  EXPECT_EQ(head.bytes(), bytes.size());
  EXPECT_EQ(head.base_offset, 0);
  EXPECT_EQ(head.attributes & ~7, 0) << "CreateTime, no deadline, no producer yet";
  EXPECT_EQ(head.count, count);
  EXPECT_EQ(head.last_delta, count - 1);
  const std::vector<Row> rows = rows_of(head, bytes);
  ASSERT_EQ(rows.size(), static_cast<size_t>(count));
  int64_t last = rows[0].time;
  for (size_t n = 0; n < rows.size(); ++n) {
    EXPECT_EQ(rows[n].offset, static_cast<int64_t>(n));
    last = std::max(last, rows[n].time);
  }
  EXPECT_EQ(head.first_time, rows[0].time);
  EXPECT_EQ(head.last_time, last);
}

std::vector<Row> all_rows(const Encoded& encoded) {
  std::vector<Row> rows;
  for (const Encoded::Batch& made : encoded.batches) {
    expect_ours(made.bytes, made.count);
    for (Row& row : rows_of(kafka::read_head(made.bytes), made.bytes)) rows.push_back(std::move(row));
  }
  for (Row& row : rows) row.offset = 0;
  return rows;
}

size_t kept(const RecordRules& rules, const Row& row) {
  const auto encoder = encoder_of(rules);
  const Encoded encoded = encode(*encoder, whole({row}));
  EXPECT_EQ(encoded.outcome, Outcome::kMade);
  EXPECT_EQ(encoded.filtered + static_cast<int64_t>(encoded.batches.size()), 1);
  return encoded.batches.size();
}

TEST(Encoder, PatternsAreLookedForAnywhereInTheValue_KF3) {
  const Row row{.time = 5, .value = "an important order"}, none{.time = 5}, empty{.time = 5, .value = ""};
  EXPECT_EQ(kept({.include_patterns = {"important"}}, row), 1u);
  EXPECT_EQ(kept({.include_patterns = {"nothing", "imp.rt"}}, row), 1u) << "one of them is enough";
  EXPECT_EQ(kept({.include_patterns = {"^important"}}, row), 0u);
  EXPECT_EQ(kept({.include_patterns = {""}}, none), 0u) << "without a value there is no match";
  EXPECT_EQ(kept({.include_patterns = {""}}, empty), 1u);
  EXPECT_EQ(kept({.exclude_patterns = {"order"}}, row), 0u);
  EXPECT_EQ(kept({.exclude_patterns = {"", "order"}}, none), 1u) << "a tombstone is not excluded";
  EXPECT_EQ(kept({.include_patterns = {"important"}, .exclude_patterns = {"order$"}}, row), 0u) << "each has to hold";
  EXPECT_EQ(kept({.include_patterns = {"ab"}}, {.value = std::string("\xff\x00 ab", 5)}), 1u) << "no text at all";
}

TEST(Encoder, OfDoubledHeadersTheLastOneCounts_KF3) {
  const RecordRules rules{.headers = {{"region", "west"}}};
  EXPECT_EQ(kept(rules, {.headers = {{"region", "west"}}}), 1u);
  EXPECT_EQ(kept(rules, {.headers = {{"region", "east"}, {"x", "y"}, {"region", "west"}}}), 1u);
  EXPECT_EQ(kept(rules, {.headers = {{"region", "west"}, {"region", "east"}}}), 0u);
  EXPECT_EQ(kept(rules, {.headers = {{"region", "west"}, {"region", std::nullopt}}}), 0u);
  EXPECT_EQ(kept(rules, {}), 0u);
  EXPECT_EQ(kept({.headers = {{"region", ""}}}, {.headers = {{"region", std::nullopt}}}), 0u) << "null is not empty";
  EXPECT_EQ(kept({.headers = {{"a", "1"}, {"b", "2"}}}, {.headers = {{"a", "1"}}}), 0u) << "all of them";
}

TEST(Encoder, WithoutATimeOrBeforeTheLeastOneIsLeftOut_KF3) {
  const RecordRules rules{.min_time = 1000};
  EXPECT_EQ(kept(rules, {.time = 1000}), 1u);
  EXPECT_EQ(kept(rules, {.time = 999}), 0u);
  EXPECT_EQ(kept(rules, {.time = -1}), 0u);
  EXPECT_EQ(kept({.min_time = -5}, {.time = -1}), 0u) << "whatever the least one is";
}

TEST(Encoder, HeadersAreMappedThenRemovedThenAdded_KF4) {
  const RecordRules rules{.map_headers = {{"region", {{"west", "east"}, {"a", "b"}}}, {"gone", {{"1", "2"}}}},
                          .remove_headers = {"gone", "secret"},
                          .add_headers = {{"at", "${now}"},
                                          {"from", "${source}/${topic}/${partition}@${offset}"},
                                          {"odd", "$ {now} $now ${partition}${partition}"},
                                          {"plain", ""}},
                          .source = "us-west"};
  const auto encoder = encoder_of(rules);
  const std::string batch = whole({{.time = 9,
                                    .key = "k",
                                    .headers = {{"region", "west"},
                                                {"secret", "x"},
                                                {"", ""},
                                                {"region", "b"},
                                                {"from", "before"},
                                                {"region", std::nullopt},
                                                {"gone", "1"},
                                                {"region", "a"}}},
                                   {.time = 10}},
                                  kafka::kZstd, 100);
  const Encoded encoded = encode(*encoder, batch);
  const std::vector<Row> rows = all_rows(encoded);
  const auto added = [](const char* offset) {
    return decltype(Row::headers){
        {"at", kNowText}, {"from", std::string("us-west/t/7@") + offset}, {"odd", "$ {now} $now 77"}, {"plain", ""}};
  };
  auto first = added("100");
  first.insert(first.begin(),
               {{"region", "east"}, {"", ""}, {"region", "b"}, {"region", std::nullopt}, {"region", "b"}});
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0], (Row{.time = 9, .key = "k", .headers = first}));
  EXPECT_EQ(rows[1], (Row{.time = 10, .headers = added("101")}));
  EXPECT_EQ(kafka::read_head(encoded.batches[0].bytes).codec(), kafka::kZstd) << "kept";
}

TEST(Encoder, WrongRulesAreNamed_KF4) {
  const auto said = [](const RecordRules& rules) {
    const auto made = Encoder::make(rules, kMost);
    EXPECT_FALSE(made);
    return made ? std::string() : made.error().message;
  };
  EXPECT_NE(said({.include_patterns = {"ok", "("}}).find("includePatterns: \"(\""), std::string::npos);
  EXPECT_NE(said({.exclude_patterns = {"(a)\\1"}}).find("excludePatterns"), std::string::npos) << "a backreference";
  for (const char* value : {"${nonsense}", "${now", "${}", "a${now}b${ now}"})
    EXPECT_NE(said({.add_headers = {{"h", value}}}).find("addHeaders: h: "), std::string::npos) << value;
  EXPECT_NE(said({.batch_records = 0}).find("batchSize"), std::string::npos);
}

TEST(Encoder, WhatTheRulesDoNotChangeMayPass) {
  const auto encoder = encoder_of({.exclude_patterns = {"no"},
                                   .map_headers = {{"a", {{"1", "2"}, {"3", "3"}}}},
                                   .remove_headers = {"x"},
                                   .codec = Codec::kLz4});
  const Call may{.may_pass = true};
  const std::string same = whole({{.value = "yes", .headers = {{"a", "3"}}}}, kafka::kLz4);
  EXPECT_EQ(encode(*encoder, same, may).outcome, Outcome::kUnchanged);
  EXPECT_EQ(encode(*encoder, same).outcome, Outcome::kMade) << "it may not";
  for (const std::string& other :
       {whole({{.value = "yes"}}, kafka::kZstd), whole({{.value = "yes"}, {.value = "no"}}, kafka::kLz4),
        whole({{.headers = {{"a", "1"}}}}, kafka::kLz4), whole({{.headers = {{"x", std::nullopt}}}}, kafka::kLz4)})
    EXPECT_EQ(encode(*encoder, other, may).outcome, Outcome::kMade);
  EXPECT_TRUE(encoder->wants(kafka::read_head(same)));
  EXPECT_FALSE(encoder_of({})->wants(kafka::read_head(same)));
  EXPECT_FALSE(encoder_of({.codec = Codec::kLz4})->wants(kafka::read_head(same)));
  EXPECT_TRUE(encoder_of({.codec = Codec::kNone})->wants(kafka::read_head(same)));
}

TEST(Encoder, WhatNoBrokerTakesIsMadeFit_W3_W6) {
  const auto encoder = encoder_of({});
  std::vector<Row> rows{{.time = 70, .key = "a"}, {.time = -1, .value = "b"}, {.time = 40, .value = "c"}};
  const auto made = [&](const StoredShape& shape, const Call& call = {}) {
    return all_rows(encode(*encoder, stored_batch(rows, shape), call));
  };
  EXPECT_EQ(made({.base = 10, .deltas = {1, 4, 5}, .last_delta = 9}), rows) << "holes, also at both ends";
  EXPECT_EQ(made({.base = 10, .deltas = {0, 1, 2}, .last_delta = 2, .bits = 64}), rows)
      << "times count from a deadline";
  std::vector<Row> appended = rows;
  for (Row& row : appended) row.time = 1070;
  EXPECT_EQ(made({.base = 10, .deltas = {0, 1, 2}, .last_delta = 2, .bits = 8}), appended)
      << "every consumer of the source sees the broker's time";
  const StoredShape whole_shape{.base = 10, .deltas = {0, 1, 2}, .last_delta = 2};
  EXPECT_EQ(made(whole_shape, {.from = 11}), (std::vector<Row>{rows[1], rows[2]}));
  EXPECT_EQ(made(whole_shape, {.until = 12}), (std::vector<Row>{rows[0], rows[1]}));
  EXPECT_EQ(made(whole_shape, {.from = 11, .until = 12}), (std::vector<Row>{rows[1]}));
  EXPECT_EQ(made(whole_shape, {.from = 11, .until = 11}), std::vector<Row>());
}

TEST(Encoder, NothingIsMadeOfWhatIsNotRight_W4) {
  const auto encoder = encoder_of({.add_headers = {{"h", "1"}}}, 3000);
  std::string flipped = whole({{.value = "v"}});
  for (size_t bit = 17 * 8; bit < flipped.size() * 8; ++bit) {
    std::string broken = flipped;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ 1 << bit % 8);
    EXPECT_EQ(encode(*encoder, broken).outcome, Outcome::kCorrupt) << "bit " << bit;
  }
  const std::vector<Row> two{{.value = "a"}, {.value = "b"}};
  for (const std::vector<int>& deltas : {std::vector{0, 0}, {1, 0}, {0, 2}})
    EXPECT_EQ(encode(*encoder, stored_batch(two, {.base = 3, .deltas = deltas, .last_delta = 1})).outcome,
              Outcome::kCorrupt)
        << "offsets that do not grow, or go beyond the batch";
  std::string other = whole(two, kafka::kGzip);
  kafka::store(other.data() + 21, int16_t{kafka::kZstd});
  kafka::store(other.data() + 17, kafka::crc32c(std::string_view(other).substr(21)));
  EXPECT_EQ(encode(*encoder, other).outcome, Outcome::kCorrupt) << "not of that codec";
  kafka::store(other.data() + 21, int16_t{6});
  kafka::store(other.data() + 17, kafka::crc32c(std::string_view(other).substr(21)));
  EXPECT_EQ(encode(*encoder, other).outcome, Outcome::kRefused) << "no such codec";
  EXPECT_EQ(encode(*encoder, whole({{.value = std::string(4000, 'x')}}, kafka::kZstd)).outcome, Outcome::kTooLarge);
  EXPECT_EQ(all_rows(encode(*encoder, whole(two))).size(), 2u) << "and nothing of it is left behind";
}

TEST(Encoder, BatchesAreSplitByRecordsAndByBytes) {
  std::vector<Row> rows;
  for (int n = 0; n < 50; ++n)
    rows.push_back({.time = n, .value = std::string(n == 20 ? 3000u : 100u, static_cast<char>('a' + n % 20))});
  const std::string batch = whole(rows);
  const auto by_records = encoder_of({.batch_records = 7});
  const Encoded seven = encode(*by_records, batch);
  EXPECT_EQ(all_rows(seven), rows);
  ASSERT_EQ(seven.batches.size(), 8u);
  for (size_t n = 0; n < 8; ++n) {
    EXPECT_EQ(seven.batches[n].count, n == 7 ? 1 : 7);
    EXPECT_EQ(seven.batches[n].base, 100 + static_cast<int64_t>(n) * 7);
    EXPECT_EQ(seven.batches[n].next, seven.batches[n].base + seven.batches[n].count);
  }
  const auto plain = encoder_of({});
  for (const int64_t most : {100000, 4000, 2000, 1000, 100, 1}) {
    const Encoded encoded = encode(*plain, batch, {.most_bytes = most});
    EXPECT_EQ(all_rows(encoded), rows) << most;
    for (const Encoded::Batch& made : encoded.batches)
      EXPECT_TRUE(made.count == 1 || static_cast<int64_t>(made.bytes.size()) <= most) << most;
    if (most == 100000) {
      EXPECT_EQ(encoded.batches.size(), 1u);
    } else if (most == 2000) {
      EXPECT_LT(encoded.batches.size(), 25u) << "no further than needed";
    }
  }
}

// Against the slow model, by seeds.
TEST(Encoder, RandomBatchesByRandomRules_KF3_KF4) {
  int64_t carried = 0, left_out = 0, passed = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    std::mt19937 random(seed);
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    const auto word = [&] { return one_of(random, {"a", "b", "ab", "ba", "aab", ""}); };
    RecordRules rules{.source = "s"};
    for (auto* patterns : {&rules.include_patterns, &rules.exclude_patterns})
      while (one_in(3)) patterns->push_back(one_of(random, {"aa", "^b", "ab$", "b+a", "abba", "[^a]a"}));
    if (one_in(5)) rules.headers["x"] = word();
    if (one_in(5)) rules.min_time = 500;
    if (one_in(3)) rules.map_headers[one_in(2) ? "x" : "y"] = {{word(), word()}, {word(), "mapped"}};
    if (one_in(3)) rules.remove_headers = {one_in(2) ? "x" : "y", "z"};
    if (one_in(3))
      rules.add_headers = {{one_in(2) ? "x" : "w", word() + "${offset}-${partition}"},
                           {"now", "${now}${topic}${source}"}};
    rules.codec = static_cast<Codec>(random() % 6);
    if (one_in(3)) rules.batch_records = 1 + static_cast<int32_t>(random() % 5);
    const auto encoder = encoder_of(rules);
    for (int batches = 0; batches < 3; ++batches) {
      std::vector<Row> rows(1 + random() % 12);
      StoredShape shape{.codec = static_cast<int>(random() % 5), .base = static_cast<int64_t>(random() % 1000)};
      shape.bits = std::array<int16_t, 4>{0, 0, 8, 64}[random() % 4];
      for (Row& row : rows) {
        row.time = one_in(9) ? -1 : static_cast<int64_t>(random() % 1000);
        if (!one_in(4)) row.key = word();
        if (!one_in(4)) row.value = word() + word() + word();
        while (one_in(2)) {
          row.headers.emplace_back(one_of(random, {"x", "y", "z", "w", ""}), word());
          if (one_in(4)) row.headers.back().second.reset();
        }
        shape.deltas.push_back(shape.last_delta);
        shape.last_delta += 1 + (one_in(4) ? static_cast<int>(random() % 3) : 0);
      }
      --shape.last_delta;
      const std::string batch = stored_batch(rows, shape);
      Call call{.topic = "topic", .partition = 3};
      if (one_in(4)) call.from = shape.base + static_cast<int64_t>(random() % 8);
      if (one_in(4)) call.until = shape.base + static_cast<int64_t>(random() % 8);
      call.may_pass = call.from <= shape.base && call.until > shape.base + shape.last_delta && shape.bits == 0 &&
                      shape.last_delta + 1 == static_cast<int>(rows.size());
      if (one_in(3)) call.most_bytes = 80 + static_cast<int64_t>(random() % 200);
      if (call.most_bytes) call.may_pass = false;
      std::vector<Row> expected;
      int64_t filtered = 0;
      for (const Row& row : rows_of(kafka::read_head(batch), batch)) {
        if (row.offset < call.from || row.offset >= call.until) continue;
        if (auto became = by_rules(rules, row, "topic", 3, kNowText)) {
          became->offset = 0;
          expected.push_back(*became);
        } else {
          ++filtered;
        }
      }
      const Encoded encoded = encode(*encoder, batch, call);
      if (encoded.outcome == Outcome::kUnchanged) {
        ASSERT_TRUE(call.may_pass) << "seed " << seed;
        std::vector<Row> as_it_is = rows_of(kafka::read_head(batch), batch);
        for (Row& row : as_it_is) row.offset = 0;
        ASSERT_EQ(as_it_is, expected) << "seed " << seed;
        ++passed;
        continue;
      }
      ASSERT_EQ(encoded.outcome, Outcome::kMade) << "seed " << seed << ": " << encoded.why;
      ASSERT_EQ(all_rows(encoded), expected) << "seed " << seed;
      ASSERT_EQ(encoded.filtered, filtered) << "seed " << seed;
      int64_t at = call.from;
      for (const Encoded::Batch& made : encoded.batches) {
        ASSERT_TRUE(made.base >= at && made.next >= made.base + made.count) << "seed " << seed;
        ASSERT_LE(made.count, rules.batch_records.value_or(INT32_MAX)) << "seed " << seed;
        ASSERT_EQ(kafka::read_head(made.bytes).codec(),
                  rules.codec == Codec::kKeep ? shape.codec : static_cast<int>(rules.codec) - 1);
        at = made.next;
      }
      carried += static_cast<int64_t>(expected.size());
      left_out += filtered;
    }
  }
  EXPECT_GT(carried, 3000);
  EXPECT_GT(left_out, 3000);
  EXPECT_GT(passed, 20);
}

}  // namespace
}  // namespace twinspan::kafka_engine
