#include "sandbox/api/protobuf.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan::sandbox {
namespace {

std::string field(int number, const std::string& bytes) {
  return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(bytes.size()) + bytes;
}

std::string secret() {
  const std::string type = field(1, "v1") + field(2, "Secret");
  const std::string metadata =
      field(1, "pw") + field(3, "") + field(8, "");  // name, an empty namespace, no creation time
  const std::string raw = field(1, metadata) + field(2, field(1, "password") + field(2, "x")) + field(3, "Opaque");
  return std::string("k8s\0", 4) + field(1, type) + field(2, raw);
}

TEST(Protobuf, ReadsWhatKubectlSends) {
  ASSERT_TRUE(is_protobuf(secret()));
  const auto out = from_protobuf(secret());
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(
      *out,
      Json::parse(
          R"({"apiVersion":"v1","kind":"Secret","metadata":{"name":"pw"},"data":{"password":"eA=="},"type":"Opaque"})"));
}

TEST(Protobuf, AnUnknownKindIsRefusedByName) {
  const auto out = from_protobuf(std::string("k8s\0", 4) + field(1, field(1, "batch/v1") + field(2, "CronJob")));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, 415);
}

TEST(Protobuf, WhateverIsCutOrFlippedIsNoCrash) {
  const std::string whole = secret();
  for (size_t length = 4; length < whole.size(); ++length) from_protobuf(whole.substr(0, length));
  for (size_t at = 4; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      from_protobuf(flipped);
    }
}

}  // namespace
}  // namespace twinspan::sandbox
