#include "kafka/messages.hpp"

#include <gtest/gtest.h>

namespace twinspan::kafka {
namespace {

std::string bytes_of(const auto& message, int version) {
  std::string bytes;
  Writer out(bytes);
  message.encode(out, version);
  return bytes;
}

template <class Message>
std::optional<Message> read(std::string_view bytes, int version) {
  Reader in(bytes);
  Message message;
  message.decode(in, version);
  if (in.failed() || in.left() != 0) return std::nullopt;
  return message;
}

template <class... Requests>
struct Every {
  static void each(auto&& visit) { (visit(Requests{}), ...); }
};

FetchResponse an_answer() {
  FetchResponse::Topic topic{.name = "orders", .id = {1, 2, 3}};
  topic.partitions.push_back(
      {.index = 3,
       .error = ErrorCode::kNone,
       .high_watermark = 12,
       .last_stable = 11,
       .log_start = 4,
       .aborted = std::vector<FetchResponse::Topic::Partition::Aborted>{{.producer_id = 9, .first_offset = 5}},
       .preferred_replica = -1,
       .records = "batches",
       .diverging = FetchResponse::Topic::Partition::Diverging{.epoch = 7, .end_offset = 6}});
  return {.throttle_ms = 5, .topics = {topic}};
}

TEST(Messages, EmptyOnesAreReadAsTheyWereWritten_KF1) {
  EveryRequest<Every>::each([](auto request) {
    using Request = decltype(request);
    for (int version = Request::kApi.min; version <= Request::kApi.max; ++version) {
      const std::string asked = bytes_of(request, version), said = bytes_of(typename Request::Answer{}, version);
      const auto read_request = read<Request>(asked, version);
      const auto read_answer = read<typename Request::Answer>(said, version);
      ASSERT_TRUE(read_request && read_answer) << Request::kName << " " << version;
      EXPECT_EQ(bytes_of(*read_request, version), asked);
      EXPECT_EQ(bytes_of(*read_answer, version), said);
    }
  });
}

TEST(Messages, AFetchAnswerKeepsItsPartsByVersion) {
  for (int version : {12, 13}) {
    const std::string bytes = bytes_of(an_answer(), version);
    const auto got = read<FetchResponse>(bytes, version);
    ASSERT_TRUE(got);
    const auto& topic = got->topics.at(0);
    EXPECT_EQ(topic.name, version == 12 ? "orders" : "");
    EXPECT_EQ(topic.id, version == 13 ? (Uuid{1, 2, 3}) : Uuid{});
    const auto& partition = topic.partitions.at(0);
    EXPECT_EQ(partition.records, "batches");
    EXPECT_GE(partition.records.data(), bytes.data()) << "a view into what arrived";
    EXPECT_EQ(partition.aborted->at(0).first_offset, 5);
    ASSERT_TRUE(partition.diverging);
    EXPECT_EQ(partition.diverging->end_offset, 6);
  }
}

TEST(Messages, NoCutMessageIsReadAndNothingIsReadBeyondIt) {
  const std::string bytes = bytes_of(an_answer(), 13);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);  // of its own, so that a sanitizer sees a read beyond it
    EXPECT_FALSE(read<FetchResponse>(cut, 13)) << size;
  }
}

TEST(Messages, ALengthThatCannotBeTakesNoMemory) {
  std::string bytes;
  Writer out(bytes);
  out.put(int32_t{0});  // throttled
  out.put(ErrorCode::kNone);
  out.put(int32_t{0});  // session
  out.uvarint(0xffffffff);
  EXPECT_FALSE(read<FetchResponse>(bytes, 13));
  bytes.clear();
  out.put(int32_t{0});
  out.put(int32_t{0x7fffffff});  // topics, in a version that is not flexible
  EXPECT_FALSE(read<ListOffsetsResponse>(bytes, 4));
}

TEST(Messages, UnknownTagsArePassedOver) {
  std::string bytes;
  Writer out(bytes);
  out.put(int32_t{0});
  out.put(ErrorCode::kNone);
  out.put(int64_t{5});
  out.put(int16_t{6});
  out.uvarint(2);
  out.tag(7, "later");
  out.tag(900, "");
  const auto got = read<InitProducerIdResponse>(bytes, 4);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->producer_id, 5);
}

TEST(Messages, NullAndEmptyAreDifferent) {
  for (const auto& topics :
       {std::optional<std::vector<MetadataRequest::Topic>>{}, {std::vector<MetadataRequest::Topic>{}}}) {
    const auto got = read<MetadataRequest>(bytes_of(MetadataRequest{.topics = topics}, 12), 12);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->topics.has_value(), topics.has_value());
  }
  std::string no_name;  // a name that must be there is null
  Writer out(no_name);
  out.uvarint(0);
  Reader in(no_name);
  std::string name;
  in.string(name, true);
  EXPECT_TRUE(in.failed());
}

TEST(Wire, VariableNumbersToTheirLimits) {
  for (const int64_t value :
       {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{63}, int64_t{-64}, int64_t{64}, INT64_MAX, INT64_MIN}) {
    std::string bytes;
    Writer(bytes).varint(value);
    Reader in(bytes);
    EXPECT_EQ(in.varint(), value);
    EXPECT_EQ(in.left(), 0u);
    EXPECT_FALSE(in.failed());
  }
  Reader too_long(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  too_long.uvarint();
  EXPECT_TRUE(too_long.failed());
}

TEST(Errors, HaveKafkasNames) {
  EXPECT_EQ(to_string(ErrorCode::kNotLeaderOrFollower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(to_string(ErrorCode::kProducerFenced), "PRODUCER_FENCED");
  EXPECT_EQ(to_string(static_cast<ErrorCode>(119)), "error 119");
}

}  // namespace
}  // namespace twinspan::kafka
