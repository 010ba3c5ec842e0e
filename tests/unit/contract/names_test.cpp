// What is in clusters today: these literals are never to follow a change of the program.
#include "contract/names.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

TEST(Names, AreThoseOfTheObjectsThatClustersHave) {
  EXPECT_EQ(pod_name("orders", "east"), "orders-east-0");
  EXPECT_EQ(claim_name("orders", "east"), "orders-east-data");
  EXPECT_EQ(tls_secret_name("orders", "east"), "orders-east-tls");
  EXPECT_EQ(ca_secret_name("orders"), "orders-ca");
  EXPECT_EQ(ca_bundle_name("orders"), "orders-ca");
  EXPECT_EQ(worker_account_name("orders"), "orders-worker");
  EXPECT_EQ(budget_name("orders"), "orders");
  EXPECT_EQ(lease_name("orders"), "orders-primary");
  EXPECT_EQ(s3_set_name("backups"), "backups-s3");
  EXPECT_EQ(s3_lease_name("backups", 11), "backups-s3-11");
}

TEST(Names, OfAnS3WorkerAreTheSameFromBothSides) {
  for (int64_t ordinal : {0, 1, 9, 10, 31})
    EXPECT_EQ(s3_member_of(s3_lease_name("backups", ordinal)), s3_member(ordinal));
  EXPECT_EQ(s3_member(0), "s3");
  EXPECT_EQ(s3_member(12), "s3-12");
}

}  // namespace
}  // namespace twinspan
