#include "s3/uri.hpp"

#include <gtest/gtest.h>

namespace twinspan::s3::testing {
namespace {

TEST(Uri, KeysAreEncodedByteByByteButForTheirSlashes) {
  EXPECT_EQ(encode_key("a b+c%/ü/"), "a%20b%2Bc%25/%C3%BC/");
  EXPECT_EQ(encode_key("/x//y~-._"), "/x//y~-._");
  EXPECT_EQ(encode_key(""), "");
}

}  // namespace
}  // namespace twinspan::s3::testing
