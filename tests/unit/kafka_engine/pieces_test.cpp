#include <gtest/gtest.h>

#include "engines/kafka/route.hpp"
#include "engines/kafka/state.hpp"
#include "engines/kafka/topics.hpp"
#include "kafka/crc32c.hpp"
#include "kafka/records.hpp"

namespace twinspan::kafka_engine {
namespace {

std::string a_batch(int64_t base, int records, int64_t producer = -1, int16_t attributes = 0,
                    bool transactional = false) {
  kafka::BatchBuilder builder;
  for (int n = 0; n < records; ++n) builder.add({.time = 5, .value = "v"});
  std::string batch = builder.finish({.id = producer, .epoch = 0, .sequence = 0, .transactional = transactional});
  const auto bits = static_cast<int16_t>(attributes | (transactional ? 16 : 0));
  kafka::store(batch.data() + 21, bits);
  kafka::store(batch.data() + 17, kafka::crc32c(std::string_view(batch).substr(21)));
  kafka::store(batch.data(), base);
  return batch;
}

std::string a_marker(int64_t base, int64_t producer, bool commit) {
  kafka::BatchBuilder builder;
  const std::string key{0, 0, 0, static_cast<char>(commit)};
  builder.add({.time = 5, .key = key});
  std::string batch = builder.finish({.id = producer, .epoch = 0, .sequence = -1, .transactional = true});
  kafka::store(batch.data() + 21, int16_t{48});
  kafka::store(batch.data() + 17, kafka::crc32c(std::string_view(batch).substr(21)));
  kafka::store(batch.data(), base);
  return batch;
}

Route route(Router& router, const std::string& batch, int64_t position = 0) {
  return router.route(kafka::read_head(batch), batch, position);
}

TEST(Route, AbortedUpToTheMarkerAndNoFurther_KF5) {
  Router router({{.producer_id = 7, .first_offset = 2}});
  EXPECT_EQ(route(router, a_batch(0, 2, 7, 0, true)), Route::kPass) << "of a transaction before";
  EXPECT_EQ(route(router, a_batch(2, 2, 7, 0, true)), Route::kDrop);
  EXPECT_EQ(route(router, a_batch(4, 1, 8, 0, true)), Route::kPass) << "somebody else's";
  EXPECT_EQ(route(router, a_batch(5, 1, 7)), Route::kPass) << "the same id without a transaction";
  EXPECT_EQ(route(router, a_batch(6, 1, 7, 0, true)), Route::kDrop);
  EXPECT_EQ(route(router, a_marker(7, 7, false)), Route::kDrop);
  EXPECT_EQ(route(router, a_batch(8, 1, 7, 0, true)), Route::kPass) << "the next transaction";
}

TEST(Route, MarkersBeforeThePositionCountToo) {
  Router router({{.producer_id = 7, .first_offset = 0}});
  EXPECT_EQ(route(router, a_batch(0, 2, 7, 0, true), 3), Route::kOld);
  EXPECT_EQ(route(router, a_marker(2, 7, false), 3), Route::kOld);
  EXPECT_EQ(route(router, a_batch(3, 1, 7, 0, true), 3), Route::kPass);
}

TEST(Route, WhatIsDroppedHasARightChecksum) {
  Router router({{.producer_id = 7, .first_offset = 0}});
  for (std::string batch : {a_marker(9, 5, true), a_batch(3, 2, 7, 0, true)}) {
    batch.back() = static_cast<char>(batch.back() ^ 1);
    EXPECT_EQ(route(router, batch), Route::kCorrupt);
  }
  std::string data = a_batch(5, 1);  // a flipped bit makes a control batch of it: it is not lost in silence
  kafka::store(data.data() + 21, int16_t{32});
  EXPECT_EQ(route(router, data), Route::kCorrupt);
}

TEST(Route, WhatThePositionAndTheBrokerForbid_W3) {
  Router router({});
  const auto with = [](size_t at, auto value) {
    std::string batch = a_batch(4, 3);
    kafka::store(batch.data() + at, value);
    kafka::store(batch.data() + 17, kafka::crc32c(std::string_view(batch).substr(21)));
    return batch;
  };
  EXPECT_EQ(route(router, a_batch(4, 3), 7), Route::kOld);
  EXPECT_EQ(route(router, a_batch(4, 3), 5), Route::kEncode) << "the position lies inside";
  EXPECT_EQ(route(router, a_batch(4, 3), 4), Route::kPass);
  EXPECT_EQ(route(router, with(57, int32_t{2})), Route::kEncode) << "a hole";
  EXPECT_EQ(route(router, with(57, int32_t{0})), Route::kDrop) << "left empty by the cleaner";
  EXPECT_EQ(route(router, with(21, int16_t{8})), Route::kEncode) << "LogAppendTime";
  EXPECT_EQ(route(router, with(21, int16_t{64})), Route::kEncode) << "a delete horizon";
  for (int16_t codec = 0; codec <= 4; ++codec) EXPECT_EQ(route(router, with(21, codec)), Route::kPass);
}

TEST(State, IsReadAsItWasWritten) {
  const PartitionState state{{1, 2}, {3}, {INT64_MAX, 7}, 12};
  const std::string bytes = encode_state(state);
  EXPECT_EQ(decode_state(bytes), state);
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_state(std::string_view(bytes).substr(0, size)));
  EXPECT_FALSE(decode_state(bytes + "x"));
  std::string later = bytes;
  later[0] = 2;
  EXPECT_EQ(decode_state(later).error().code, Code::kInvalid) << "nobody goes on from what it cannot read";
  const PartitionName name{"a.b-c", 12};
  EXPECT_EQ(parse_state_key(state_key(name)), name);
  for (const char* wrong : {"", "holder", "/1", "t/", "t/x", "t/-1", "t/1x"})
    EXPECT_FALSE(parse_state_key(wrong)) << wrong;
}

TEST(Topics, WhatWouldSpoilAMirrorIsNamed_W7) {
  EXPECT_EQ(spoils_mirror("t", {{"compression.type", "producer"}, {"message.timestamp.type", "CreateTime"}}), "");
  EXPECT_EQ(spoils_mirror("t", {}), "");
  EXPECT_NE(spoils_mirror("t", {{"compression.type", "lz4"}}).find("expected producer"), std::string::npos);
  EXPECT_NE(spoils_mirror("t", {{"message.timestamp.type", "LogAppendTime"}}).find("expected CreateTime"),
            std::string::npos);
  const Configs made =
      mirror_configs({{"cleanup.policy", "compact"}, {"compression.type", "zstd"}, {"max.message.bytes", "5"}});
  EXPECT_EQ(made.at("compression.type"), "producer");
  EXPECT_EQ(made.at("cleanup.policy"), "compact");
  EXPECT_EQ(made.at("max.message.bytes"), "5");
}

}  // namespace
}  // namespace twinspan::kafka_engine
