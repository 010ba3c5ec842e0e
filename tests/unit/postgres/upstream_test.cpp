#include "engines/postgres/upstream.hpp"

#include <gtest/gtest.h>

namespace twinspan::postgres {
namespace {

TEST(UpstreamPlace, IsReadFromPostmasterPid) {
  const auto place =
      place_in("17\n/var/lib/twinspan/pgdata\n1764490000\n5432\n/run/twinspan\n*\n  5432001  3\nready   \n");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->pgdata, "/var/lib/twinspan/pgdata");
  EXPECT_EQ(place->socket_directory, "/run/twinspan");
  EXPECT_EQ(place->port, 5432);
  for (const char* text : {"", "17\n", "17\n/data\n1\n5432\n", "17\n/data\n1\n5432\n\n*\n", "17\n/data\n1\nx\n/run\n"})
    EXPECT_FALSE(place_in(text)) << text;
}

}  // namespace
}  // namespace twinspan::postgres
