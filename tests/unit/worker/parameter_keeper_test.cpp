#include "worker/postgres/parameter_keeper.hpp"

#include <gtest/gtest.h>

#include "api/postgres_parameters.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/settings.hpp"
#include "folder.hpp"

namespace twinspan::worker {
namespace {

using Map = ParameterKeeper::Map;

class ParameterKeeperTest : public InAFolder {
 protected:
  const Map good_{{"work_mem", "8MB"}}, bad_{{"shared_preload_libraries", "pg_stat_statments"}};
};

TEST_F(ParameterKeeperTest, GoesBackToWhatLastRanWell) {
  ParameterKeeper keeper(dir_);
  EXPECT_EQ(keeper.choose(good_, ""), good_);
  EXPECT_TRUE(keeper.on_probation());
  ASSERT_TRUE(keeper.proven());
  EXPECT_FALSE(keeper.on_probation());
  EXPECT_EQ(keeper.choose(bad_, "today"), bad_);
  keeper.give_up("could not access file");
  EXPECT_EQ(keeper.chosen(), good_);
  EXPECT_EQ(keeper.trouble(), "could not access file");
  EXPECT_EQ(keeper.choose(bad_, "today"), good_) << "not again and again";
  EXPECT_EQ(keeper.choose(good_, ""), good_);
  EXPECT_EQ(keeper.trouble(), "");
  EXPECT_EQ(keeper.choose(bad_, "tomorrow"), bad_) << "another trial is another try";
}

TEST_F(ParameterKeeperTest, ARestartedAgentKnowsTheWayBack) {
  {
    ParameterKeeper keeper(dir_);
    keeper.choose(good_, "");
    ASSERT_TRUE(keeper.proven());
    keeper.choose(bad_, "");
    keeper.give_up("words");
  }
  ParameterKeeper keeper(dir_);
  EXPECT_EQ(keeper.choose(bad_, ""), bad_) << "tried once by each life of the agent";
  EXPECT_TRUE(keeper.has_good());
  keeper.give_up("words");
  EXPECT_EQ(keeper.chosen(), good_);
}

TEST_F(ParameterKeeperTest, WithoutAnyThatRanWellItGoesBackToWhatItIsGiven) {
  ParameterKeeper keeper(dir_);
  keeper.choose({{"work_mem", "8MB"}, {"no_such", "1"}}, "");
  EXPECT_FALSE(keeper.has_good());
  keeper.give_up("unrecognized", good_);
  EXPECT_EQ(keeper.chosen(), good_);
}

TEST_F(ParameterKeeperTest, WhatCanNotBeReadIsNotKnown) {
  for (const char* text : {"", "{", "[]", R"({"good": 5})"}) {
    ASSERT_TRUE(postgres::replace_file(dir_ + "/parameters.json", text, 0600));
    ParameterKeeper keeper(dir_);
    keeper.choose(bad_, "");
    EXPECT_FALSE(keeper.has_good()) << text;
  }
}

// The two sides of the one table: whatever the engine writes by itself belongs to the agent.
TEST(ParameterTable, HoldsEverythingThatTheAgentWrites) {
  const postgres::Layout layout{"/pg/bin", "/data", "/run/ts", "/tls"};
  postgres::Settings settings;
  settings.address = "10.0.0.1";
  for (const auto& [name, value] : postgres::agents_settings(layout, settings)) {
    EXPECT_TRUE(api::belongs_to_agent(name)) << name;
    const api::ParameterRule* rule = api::rule_of_parameter(name);
    if (rule && !rule->value.empty()) {
      EXPECT_EQ(rule->value, value) << name;
    }
  }
}

}  // namespace
}  // namespace twinspan::worker
