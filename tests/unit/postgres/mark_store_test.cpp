#include "engines/postgres/archive/mark_store.hpp"

#include <gtest/gtest.h>

#include "s3/client.hpp"
#include "s3/credentials.hpp"
#include "sandbox/s3/stub.hpp"

namespace twinspan::postgres {
namespace {

using backup::Mark;

class MarkStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stub_.start());
    stub_.create_bucket("bkp");
  }
  MarkStore store() {
    s3::ClientConfig config;
    config.endpoint = stub_.endpoint();
    config.bucket = "bkp";
    config.tries = 1;
    auto credentials = std::make_shared<s3::StaticCredentials>(s3::Credentials{"test", "test-secret"});
    return {{std::make_unique<s3::Client>(config, credentials, clock_), "orders/", ""}, "orders-1234-77"};
  }

  SystemClock clock_;
  s3_stub::Stub stub_{{}};
};

TEST_F(MarkStoreTest, TheNewestTakesThePlaceOfTheOthersOfItsTimeline) {
  for (const Mark& one : {Mark{1, 1, 100, 10, 20}, Mark{2, 2, 100, 10, 20}, Mark{2, 2, 100, 10, 30}})
    ASSERT_TRUE(store().put(one, {}));
  EXPECT_EQ(stub_.objects("bkp"), 2U);
  EXPECT_EQ(store().newest(1, {}).value(), (Mark{1, 1, 100, 10, 20}));
  EXPECT_EQ(store().newest(2, {}).value(), (Mark{2, 2, 100, 10, 30}));
  EXPECT_EQ(store().newest(3, {}).value(), std::nullopt);
}

// A bucket that keeps everything gathers hundreds a day: none costs a request for each.
TEST_F(MarkStoreTest, WhereNothingMayBeRemovedEachAsksOnce) {
  stub_.inject({.kind = s3_stub::FaultKind::kDenied, .count = 1 << 30, .method = "DELETE"});
  for (int i = 1; i <= 6; ++i) {
    const int64_t before = stub_.requests("DELETE");
    ASSERT_TRUE(store().put({2, 2, 100, 10, 10 + i}, {}));
    EXPECT_LE(stub_.requests("DELETE") - before, 1);
  }
  EXPECT_EQ(store().newest(2, {}).value(), (Mark{2, 2, 100, 10, 16}));
}

}  // namespace
}  // namespace twinspan::postgres
