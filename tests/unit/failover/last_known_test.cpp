#include "failover/last_known.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

TEST(LastKnown, IsTheFurthestOfTheLatestEpoch) {
  LastKnown known;
  EXPECT_FALSE(known.position());
  known.hear({2}, Position{100});
  known.hear({2}, Position{90});  // an older word that arrives late
  EXPECT_EQ(known.position(), Position{100});
  known.hear({3}, Position{95});  // the next primary did not have all of it
  EXPECT_EQ(known.position(), Position{95});
  known.hear({2}, Position{200});  // of an old primary that wakes
  EXPECT_EQ(known.position(), Position{95});
}

}  // namespace
}  // namespace twinspan
