#include "contract/restore_test.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

TEST(RestoreTestContract, AnOrderIsReadAsItWasWritten) {
  RestoreTestOrder order;
  order.stanza = "orders-1-77";
  order.database = "shop";
  order.libraries = "pg_stat_statements";
  order.destination.s3.endpoint = "https://s3.example";
  order.destination.s3.bucket = "backups";
  order.destination.s3.credentials_secret_ref.name = "bucket";
  order.test = {"2026-11-29T05:00:00Z", "20261129-020000F", 3, true, {"SELECT '\n\"'"}, {{"SELECT 2", 1}}};
  for (const bool encrypted : {false, true}) {
    if (encrypted) order.encryption.emplace().key_secret_ref = {"passphrase", "key"};
    const auto read = parse_restore_test_order(to_json(order).dump());
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, order);
  }
  EXPECT_FALSE(parse_restore_test_order("{}"));
  EXPECT_FALSE(parse_restore_test_order(""));
}

TEST(RestoreTestContract, AnAnswerFitsWhatKubernetesKeepsOfIt) {
  for (const auto outcome :
       {RestoreTestResult::Outcome::kPassed, RestoreTestResult::Outcome::kFailed, RestoreTestResult::Outcome::kMoved})
    for (const std::string& message : {std::string("words"), std::string(100000, '"'), std::string("\xff\xfe \n\t")}) {
      const RestoreTestResult result{"2026-11-29T05:00:00Z", outcome, 12, message};
      const std::string text = to_text(result);
      EXPECT_LE(text.size(), 4096u);
      const auto read = restore_test_result_of(text);
      ASSERT_TRUE(read) << text;
      EXPECT_EQ(read->outcome, outcome);
      EXPECT_EQ(read->asked, result.asked);
      EXPECT_EQ(read->seconds, 12);
    }
  EXPECT_FALSE(restore_test_result_of(""));
  EXPECT_FALSE(restore_test_result_of("{\"outcome\": \"Perfect\"}"));
}

}  // namespace
}  // namespace twinspan
