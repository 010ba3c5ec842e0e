#include "engines/postgres/sql_objects.hpp"

#include <gtest/gtest.h>

namespace twinspan::postgres {
namespace {

std::vector<std::string> sql_of(const std::vector<Statement>& plan) {
  std::vector<std::string> all;
  for (const Statement& one : plan) all.push_back(one.sql);
  return all;
}
bool begins(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

// The attributes that one bit each tells from the default.
RoleAttributes attributes(unsigned bits) {
  return {(bits & 1) != 0,  (bits & 2) != 0,  (bits & 4) != 0,          (bits & 8) != 0,
          (bits & 16) != 0, (bits & 32) != 0, (bits & 64) != 0 ? 7 : -1};
}

constexpr const char* kWords[] = {"LOGIN", "SUPERUSER", "CREATEDB", "CREATEROLE", "REPLICATION", "BYPASSRLS"};

// Every combination of what is there with what is wanted: a statement exactly where they differ, which says all of it.
TEST(PlanObjects, ARoleIsTouchedExactlyWhereItDiffers) {
  for (unsigned had = 0; had < 129; ++had)  // 128: it is not there
    for (unsigned wants = 0; wants < 128; ++wants)
      for (const auto& password : {std::optional<std::string>(), std::optional<std::string>("SCRAM$a"),
                                   std::optional<std::string>("SCRAM$b")}) {
        SeenObjects seen;
        const bool there = had < 128;
        if (there) seen.roles["app"] = {attributes(had), {}, "SCRAM$a"};
        const auto plan = plan_objects({{"app", false, attributes(wants), {}, password}}, {}, seen);
        const bool new_password = password && (!there || *password != "SCRAM$a");
        ASSERT_EQ(plan.size(), !there || had != wants || new_password ? 1u : 0u) << had << " " << wants;
        if (plan.empty()) continue;
        const std::string& sql = plan[0].sql;
        EXPECT_EQ(plan[0].object, "role app");
        EXPECT_TRUE(begins(sql, there ? "ALTER ROLE \"app\" WITH " : "CREATE ROLE \"app\" WITH ")) << sql;
        for (unsigned bit = 0; bit < 6; ++bit) {
          const std::string word = std::string(" ") + ((wants >> bit) & 1 ? "" : "NO") + kWords[bit] + " ";
          EXPECT_NE(sql.find(word), std::string::npos) << sql;
        }
        EXPECT_NE(sql.find((wants & 64) != 0 ? "LIMIT 7" : "LIMIT -1"), std::string::npos) << sql;
        EXPECT_EQ(sql.find("PASSWORD '" + password.value_or("") + "'") != std::string::npos, new_password) << sql;
        EXPECT_EQ(sql.find("PASSWORD") != std::string::npos, new_password) << sql;
      }
}

TEST(PlanObjects, MembershipsBecomeWhatIsDeclared) {
  const std::vector<std::string> groups = {"a", "b", "c"};
  const auto subset = [&](unsigned bits) {
    std::set<std::string> some;
    for (unsigned i = 0; i < 3; ++i)
      if ((bits >> i) & 1) some.insert(groups[i]);
    return some;
  };
  for (unsigned had = 0; had < 8; ++had)
    for (unsigned wants = 0; wants < 8; ++wants) {
      SeenObjects seen;
      seen.roles["app"] = {{}, subset(had), ""};
      std::set<std::string> now = subset(had);
      for (const std::string& sql : sql_of(plan_objects({{"app", false, {}, subset(wants), {}}}, {}, seen))) {
        const std::string group(1, sql[sql.find('"') + 1]);
        if (begins(sql, "GRANT ")) {
          EXPECT_TRUE(now.insert(group).second) << sql;
        } else {
          EXPECT_TRUE(begins(sql, "REVOKE ")) << sql;
          EXPECT_EQ(now.erase(group), 1u) << sql;
        }
      }
      EXPECT_EQ(now, subset(wants));
    }
}

TEST(PlanObjects, WhoIsNeededComesFirstAndWhatGoesComesLast) {
  SeenObjects seen;
  seen.roles["old"] = {};
  seen.databases["stock"] = "old";
  const auto plan = plan_objects({{"old", true, {}, {}, {}},
                                  {"reports", false, {}, {"readers"}, {}},
                                  {"readers", false, {}, {}, {}},
                                  {"gone", true, {}, {}, {}}},
                                 {{"stock", "reports", false, {}}, {"more", "readers", false, {}}}, seen);
  ASSERT_EQ(plan.size(), 6u);
  EXPECT_TRUE(begins(plan[0].sql, "CREATE ROLE \"reports\""));
  EXPECT_TRUE(begins(plan[1].sql, "CREATE ROLE \"readers\""));
  EXPECT_EQ(plan[2].sql, "GRANT \"readers\" TO \"reports\"");
  EXPECT_EQ(plan[3], (Statement{"database stock", "ALTER DATABASE \"stock\" OWNER TO \"reports\""}));
  EXPECT_EQ(plan[4].sql, "CREATE DATABASE \"more\" OWNER \"readers\"");
  EXPECT_EQ(plan[5], (Statement{"role old", "DROP ROLE \"old\""}));
}

TEST(PlanObjects, WhatIsThereAndWhatIsNotDeclaredIsLeftAlone) {
  SeenObjects seen;
  seen.roles["app"] = {{}, {"a"}, "x"};
  seen.roles["theirs"] = {attributes(3), {"a"}, "y"};
  seen.databases = {{"stock", "app"}, {"theirs", "theirs"}, {"shop", "another"}};
  EXPECT_TRUE(
      plan_objects({{"app", false, {}, {"a"}, {}}}, {{"stock", "app", false, {}}, {"shop", "app", true, {}}}, seen)
          .empty());
  EXPECT_TRUE(plan_objects({}, {}, seen).empty());
}

TEST(PlanExtensions, AreMadeAndUpgradedAndNeverDropped) {
  struct Case {
    std::map<std::string, std::string> installed;
    std::optional<std::string> version;
    std::vector<std::string> sql;
  };
  for (const Case& one : std::vector<Case>{
           {{}, {}, {"CREATE EXTENSION \"uuid-ossp\""}},
           {{}, "1.1", {"CREATE EXTENSION \"uuid-ossp\" VERSION '1.1'"}},
           {{{"uuid-ossp", "1.0"}}, {}, {}},
           {{{"uuid-ossp", "1.0"}}, "1.0", {}},
           {{{"uuid-ossp", "1.0"}, {"other", "1"}}, "1.1", {"ALTER EXTENSION \"uuid-ossp\" UPDATE TO '1.1'"}}}) {
    const auto plan = plan_extensions({"stock", "app", false, {{"uuid-ossp", one.version}}}, one.installed);
    EXPECT_EQ(sql_of(plan), one.sql);
    for (const Statement& statement : plan) EXPECT_EQ(statement.object, "extension uuid-ossp of stock");
  }
}

TEST(Quoted, EndsWhereItShould) {
  EXPECT_EQ(quoted_identifier("a\"; DROP"), "\"a\"\"; DROP\"");
  EXPECT_EQ(quoted_literal("a'b"), "'a''b'");
}

}  // namespace
}  // namespace twinspan::postgres
