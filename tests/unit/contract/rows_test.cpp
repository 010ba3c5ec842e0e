#include "contract/rows.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

TEST(EndpointRows, AWordOfANewerVersionIsKeptAndSaysNothing) {
  auto row = api::parse_link_status({{"endpoints", {{{"name", "east"}, {"role", "Witness"}, {"state", "Vacuuming"}}}}})
                 ->endpoints.at(0);
  EXPECT_EQ(state_of(row), MemberState::kUnknown);
  EXPECT_EQ(role_of(row), Role::kNone);
  EXPECT_EQ(api::to_json(row)["state"], "Vacuuming");
  row.state = "Streaming";
  row.role = "Replica";
  EXPECT_EQ(state_of(row), MemberState::kStreaming);
  EXPECT_EQ(role_of(row), Role::kReplica);
}

}  // namespace
}  // namespace twinspan
