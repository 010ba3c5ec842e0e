#include "engines/postgres/archive/lineage_store.hpp"

#include <gtest/gtest.h>

#include "s3/client.hpp"
#include "s3/credentials.hpp"
#include "sandbox/s3/stub.hpp"

namespace twinspan::postgres {
namespace {

using backup::LineageEntry;

class LineageStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(stub_.start());
    stub_.create_bucket("bkp");
  }
  LineageStore store(const char* stanza = "orders-1234-77") {
    s3::ClientConfig config;
    config.endpoint = stub_.endpoint();
    config.bucket = "bkp";
    config.tries = 1;
    auto credentials = std::make_shared<s3::StaticCredentials>(s3::Credentials{"test", "test-secret"});
    return {{std::make_unique<s3::Client>(config, credentials, clock_), "orders/", "not told"}, stanza};
  }
  Result<backup::LineageNotes> note(const LineageEntry& entry) {
    return store().note({entry, entry.epoch, {}, {{Epoch{1}, {}}, {Epoch{static_cast<int64_t>(entry.epoch)}, {}}}},
                        [] { return true; }, {});
  }
  std::vector<LineageEntry> noted(const char* stanza = "orders-1234-77") {
    const auto listed = store(stanza).list({});
    EXPECT_TRUE(listed) << listed.error().message;
    return listed.value_or(backup::LineageNotes{}).begun;
  }

  SystemClock clock_;
  s3_stub::Stub stub_{{}};
};

TEST_F(LineageStoreTest, EachIsNotedOnceAndAnotherPromotionsIsRefused) {
  ASSERT_TRUE(note({1, 1, 0}));
  const int64_t puts = stub_.requests("PUT");
  ASSERT_TRUE(note({1, 1, 0}));
  EXPECT_EQ(stub_.requests("PUT"), puts) << "it is there";
  ASSERT_TRUE(note({3, 2, 900}));
  stub_.add("bkp", "orders/archive/orders-1234-77/15-1/00000002.history", "1\t0/384\tno\n");
  const auto refused = note({4, 2, 900});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_NE(refused.error().message.find("timeline 2 is another promotion's"), std::string::npos)
      << refused.error().message;
  const auto all = note({5, 3, 950});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->begun, (std::vector<LineageEntry>{{1, 1, 0}, {3, 2, 900}, {5, 3, 950}}));
  EXPECT_EQ(noted(), all->begun);
  EXPECT_TRUE(noted("orders-1234-78").empty()) << "another link's";
}

// Who fell between its note and the first thing that it stored is in nobody's way; who comes late is.
TEST_F(LineageStoreTest, ANoteBehindWhichNothingIsStoredHoldsUpNobody) {
  for (const char* stored : {"orders/archive/orders-1234-77/15-1/0000000200000000/000000020000000000000005-abc.gz",
                             "orders/tail/orders-1234-77/000000020000000000000005.0000000005000100.0000000000000003"}) {
    ASSERT_TRUE(note({3, 2, 900}));
    stub_.add("bkp", stored, "something");
    EXPECT_EQ(note({4, 2, 800}).error().code, Code::kConflict) << stored;
    stub_.remove("bkp", stored);
  }
  ASSERT_TRUE(note({4, 2, 800}));
  EXPECT_TRUE(note({4, 2, 800})) << "again, beside the other's note";
  EXPECT_EQ(note({3, 2, 900}).error().code, Code::kConflict);
}

// A primary that is frozen anywhere in between and wakes as none leaves no note.
TEST_F(LineageStoreTest, WhoIsPrimaryNoMoreNotesNothing) {
  for (const int answers : {0, 1}) {
    int asked = 0;
    const auto late =
        store().note({{2, 2, 70}, 2, {}, {{Epoch{1}, {}}, {Epoch{2}, {}}}}, [&] { return asked++ < answers; }, {});
    ASSERT_FALSE(late);
    EXPECT_TRUE(late.error().retryable);
    EXPECT_TRUE(noted().empty()) << answers;
  }
}

TEST_F(LineageStoreTest, WhatCannotBeAskedIsNoAnswer) {
  ASSERT_TRUE(note({1, 1, 0}));
  stub_.inject({.kind = s3_stub::FaultKind::kUnavailable, .count = 1 << 30, .method = "GET"});
  EXPECT_FALSE(store().list({}));
  const auto unknown = note({2, 1, 70});
  ASSERT_FALSE(unknown) << "it might be another promotion's";
  EXPECT_NE(unknown.error().code, Code::kConflict);
  stub_.clear_faults();
  EXPECT_EQ(noted().size(), 1U);
}

}  // namespace
}  // namespace twinspan::postgres
