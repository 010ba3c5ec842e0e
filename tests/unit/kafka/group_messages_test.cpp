// Requests about consumer groups, byte by byte as a Kafka 4.1.1 broker took and answered them.
#include <gtest/gtest.h>

#include "kafka/exchange.hpp"
#include "kafka/messages.hpp"

namespace twinspan::kafka {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

std::string bytes_of(const auto& message, int version) {
  std::string bytes;
  Writer out(bytes);
  message.encode(out, version);
  return bytes;
}

template <class Message>
std::optional<Message> read(std::string_view hex, int version) {
  const std::string bytes = from_hex(hex);
  Reader in(bytes);
  Message message;
  message.decode(in, version);
  if (in.failed() || in.left() != 0) return std::nullopt;
  EXPECT_EQ(bytes_of(message, version), bytes) << "written as it was read";
  return message;
}

TEST(GroupMessages, CoordinatorsOfManyGroups_KF6) {
  EXPECT_EQ(bytes_of(FindCoordinatorsRequest{.kind = 0, .keys = {"g1", "g2"}}, 4), from_hex("000303673103673200"));
  const auto got = read<FindCoordinatorsResponse>(
      "0000000003036731000000010a3132372e302e302e31000098b400000100036732000000010a3132372e302e302e31000098b400000100"
      "00",
      4);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->coordinators.size(), 2u);
  EXPECT_EQ(got->coordinators[1].key, "g2");
  EXPECT_EQ(got->coordinators[1].node, 1);
  EXPECT_EQ(got->coordinators[1].host, "127.0.0.1");
  EXPECT_EQ(got->coordinators[1].port, 39092);
  EXPECT_EQ(got->coordinators[1].error, ErrorCode::kNone);
}

TEST(GroupMessages, ABrokerThatIsTooOldForManyIsToldBeforeAnythingIsSent_KF6) {
  ApiVersionsResponse theirs;
  theirs.apis = {{.key = 9, .min = 0, .max = 7}, {.key = 10, .min = 0, .max = 3}};
  for (const AnyRequest& many : {AnyRequest(FindCoordinatorsRequest{}), AnyRequest(OffsetFetchManyRequest{})}) {
    const auto version = choose_version(range_of(many), theirs);
    ASSERT_FALSE(version) << name_of(many);
    EXPECT_EQ(version.error().code, Code::kInvalid) << "by which it is asked for one at a time";
  }
  EXPECT_EQ(choose_version(FindCoordinatorRequest::kApi, theirs), 3);
  EXPECT_EQ(choose_version(OffsetFetchRequest::kApi, theirs), 7);
  theirs.apis[1].max = 6;
  EXPECT_EQ(choose_version(FindCoordinatorRequest::kApi, theirs), 3) << "one at a time has no keys in version 4";
}

TEST(GroupMessages, ACommitByWhoIsNoMember_KF6) {
  OffsetCommitRequest request{.group = "g1", .generation = -1, .member = "", .topics = {}};
  auto& topic = request.topics.emplace_back();
  topic.name = "t1";
  topic.partitions.push_back({.index = 0, .offset = 0, .leader_epoch = -1, .metadata = "twinspan a.b 5"});
  topic.partitions.push_back({.index = 1, .offset = 0, .leader_epoch = -1, .metadata = std::nullopt});
  EXPECT_EQ(bytes_of(request, 8), from_hex("036731ffffffff01000203743103000000000000000000000000ffffffff0f7477696e73706"
                                           "16e20612e62203500000000010000000000000000ffffffff00000000"));
  const auto got = read<OffsetCommitResponse>("00000000020374310300000000000000000000010000000000", 8);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->topics.at(0).partitions.size(), 2u);
  EXPECT_EQ(got->topics[0].partitions[1].index, 1);
  EXPECT_EQ(got->topics[0].partitions[1].error, ErrorCode::kNone);
}

TEST(GroupMessages, AllPositionsOfAGroup_KF6) {
  EXPECT_EQ(bytes_of(OffsetFetchRequest{.group = "g1", .topics = std::nullopt, .stable = true}, 7),
            from_hex("036731000100"));
  const auto got = read<OffsetFetchResponse>(
      "000000000203743103000000000000000000000000ffffffff0f7477696e7370616e20612e622035000000000000010000000000000000ff"
      "ffffff0100000000000000",
      7);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->topics.at(0).partitions.size(), 2u);
  EXPECT_EQ(got->topics[0].partitions[0].metadata, "twinspan a.b 5");
  EXPECT_EQ(got->topics[0].partitions[0].leader_epoch, -1);
  EXPECT_EQ(got->topics[0].partitions[1].metadata, "");
}

TEST(GroupMessages, PositionsOfManyGroups_KF6) {
  OffsetFetchManyRequest request{.groups = {}, .stable = true};
  for (const char* name : {"g1", "nope"}) request.groups.push_back({.name = name, .topics = std::nullopt});
  EXPECT_EQ(bytes_of(request, 8), from_hex("030367310000056e6f706500000100"));
  const auto got = read<OffsetFetchManyResponse>(
      "00000000030367310203743103000000000000000000000000ffffffff0f7477696e7370616e20612e6220350000000000000100000000"
      "00000000ffffffff0100000000000000056e6f70650100000000",
      8);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->groups.size(), 2u);
  EXPECT_EQ(got->groups[0].topics.at(0).partitions.at(0).metadata, "twinspan a.b 5");
  EXPECT_EQ(got->groups[1].name, "nope");
  EXPECT_TRUE(got->groups[1].topics.empty()) << "a group that there is not stands nowhere";
  EXPECT_EQ(got->groups[1].error, ErrorCode::kNone);
}

TEST(GroupMessages, GroupsAreListedWithTheirStates_KF6) {
  EXPECT_EQ(bytes_of(ListGroupsRequest{}, 4), from_hex("0100"));
  EXPECT_EQ(bytes_of(ListGroupsRequest{}, 5), from_hex("010100"));
  EXPECT_EQ(bytes_of(ListGroupsRequest{.states = {"Dead"}, .types = {"share"}}, 5),
            from_hex("0205446561640206736861726500"));
  const auto older = read<ListGroupsResponse>("000000000000020367310106456d7074790000", 4);
  const auto newer = read<ListGroupsResponse>("000000000000020367310106456d70747908636c61737369630000", 5);
  ASSERT_TRUE(older && newer);
  EXPECT_EQ(older->groups.at(0).name, "g1");
  EXPECT_EQ(older->groups[0].state, "Empty");
  EXPECT_EQ(older->groups[0].kind, "");
  EXPECT_EQ(newer->groups.at(0).protocol, "");
  EXPECT_EQ(newer->groups[0].kind, "classic");
}

TEST(GroupMessages, ErrorsHaveKafkasNamesAndNumbers) {
  const std::pair<int, const char*> every[] = {
      {12, "OFFSET_METADATA_TOO_LARGE"}, {22, "ILLEGAL_GENERATION"},    {24, "INVALID_GROUP_ID"},
      {25, "UNKNOWN_MEMBER_ID"},         {27, "REBALANCE_IN_PROGRESS"}, {69, "GROUP_ID_NOT_FOUND"},
      {82, "FENCED_INSTANCE_ID"},        {87, "INVALID_RECORD"},        {88, "UNSTABLE_OFFSET_COMMIT"},
      {110, "FENCED_MEMBER_EPOCH"},      {113, "STALE_MEMBER_EPOCH"}};
  for (const auto& [number, name] : every) EXPECT_EQ(to_string(static_cast<ErrorCode>(number)), name);
}

}  // namespace
}  // namespace twinspan::kafka
