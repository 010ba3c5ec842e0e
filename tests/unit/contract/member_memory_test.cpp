#include "contract/member_memory.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "failover/word.hpp"

namespace twinspan::testing {
namespace {

TEST(MemberMemory, ReadsBackWhatItWrites) {
  for (DataPart part : {DataPart::kSome, DataPart::kBegun, DataPart::kPrimary})
    for (std::optional<Epoch> data : {std::optional<Epoch>{}, {Epoch{0}}, {Epoch{7}}}) {
      const MemberMemory memory{{9}, data, part, std::chrono::seconds(15)};
      const auto read = parse_member_memory(to_json(memory));
      ASSERT_TRUE(read) << read.error().message;
      EXPECT_EQ(*read, memory);
    }
}

TEST(MemberMemory, NamesTheFieldThatItCannotRead) {
  for (const char* key : {"epochSeen", "leaseSeconds", "dataEpoch", "dataPart"})
    for (const Json& wrong : {Json("x"), Json(-1), Json(1.5), Json::array()}) {
      Json json = to_json(MemberMemory{{9}, Epoch{7}, DataPart::kBegun, {}});
      json[key] = wrong;
      const auto read = parse_member_memory(json);
      ASSERT_FALSE(read) << key << wrong;
      EXPECT_NE(read.error().message.find(key), std::string::npos) << read.error().message;
    }
  EXPECT_FALSE(parse_member_memory(Json::object()));
}

TEST(PromoteWord, ReadsEndpointAndEpochAndNothingElse) {
  EXPECT_EQ(parse_promote_word("west-2@13").value(), (PromoteWord{"west-2", {13}}));
  for (const char* wrong : {"", "west", "west@", "@3", "west@0", "west@-1", "west@3 ", "west@x", "west@3@4"}) {
    const auto read = parse_promote_word(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_NE(read.error().message.find("expected ENDPOINT@EPOCH"), std::string::npos);
  }
}

}  // namespace
}  // namespace twinspan::testing
