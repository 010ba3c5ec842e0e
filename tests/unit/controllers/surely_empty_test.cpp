#include <gtest/gtest.h>

#include "controllers/postgres/failover_rules.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::seconds;

class SurelyEmpty : public ::testing::Test {
 protected:
  SurelyEmpty() {
    link.metadata.uid = "new";
    link.spec.source.name = "east";
    api::PostgresEndpoint postgres;
    postgres.managed.emplace();
    link.spec.source.postgres = postgres;
    lease.created = made;
  }
  bool holds(const Claim* claim, const Pod* pod = nullptr) const {
    return surely_empty(link, "east", lease, claim, pod);
  }
  Claim claim(const std::string& uid, std::optional<WallTime> created) const {
    Claim out;
    out.made_for = uid;
    out.created = created;
    return out;
  }

  const WallTime made{seconds(1'000'000)};
  api::ReplicationLink link;
  Lease lease;
};

TEST_F(SurelyEmpty, IsOnlyAVolumeMadeForThisLinkAfterALeaseThatNobodyHeld) {
  for (const char* uid : {"new", "old", ""})
    for (const std::optional<WallTime> created :
         {std::optional<WallTime>{}, {made - seconds(1)}, {made}, {made + seconds(9)}})
      for (int64_t epoch : {0, 1})
        for (const char* holder : {"", "east"}) {
          lease.record.epoch = {epoch};
          lease.record.holder_endpoint = holder;
          const Claim one = claim(uid, created);
          EXPECT_EQ(holds(&one), std::string(uid) == "new" && created && *created >= made && epoch == 0 && !*holder);
        }
}

TEST_F(SurelyEmpty, NothingIsKnownOfAnEndpointWithoutClaimOrPod) {
  EXPECT_FALSE(holds(nullptr));
  Pod pod;
  pod.created = made;
  EXPECT_FALSE(holds(nullptr, &pod)) << "its claim is not there yet, or is not ours to see";
  link.spec.source.postgres->managed->storage.ephemeral = true;
  EXPECT_TRUE(holds(nullptr, &pod));
  pod.created = made - seconds(1);
  EXPECT_FALSE(holds(nullptr, &pod));
  lease.created.reset();
  const Claim fits = claim("new", made);
  EXPECT_FALSE(holds(&fits));
}

}  // namespace
}  // namespace twinspan::controllers
