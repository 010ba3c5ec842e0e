// What an import does next, and what is read from PostgreSQL's programs.
#include "engines/postgres/import_rules.hpp"

#include <gtest/gtest.h>

namespace twinspan::postgres {
namespace {

TEST(ImportRules, OnlyHalfOfOnesOwnIsReplacedAndWhatWasWholeIsNeverImportedAgain) {
  for (const ImportMark mark : {ImportMark::kNone, ImportMark::kBegun, ImportMark::kCompleted})
    for (const std::string holds : {"", "table public.orders"})
      for (const auto& [told, shut] : {std::pair{false, true}, {true, true}, {false, false}, {true, false}}) {
        const ImportStep step = next_step({mark, holds, shut, "", told, {}, 0, {}, false});
        const ImportStep on = next_step({mark, holds, shut, "", told, {}, 0, {}, true});
        if (mark == ImportMark::kBegun) {  // where somebody opened it, people may have put theirs into it
          EXPECT_EQ(step, shut ? ImportStep::kAnew : ImportStep::kRefuse);
          EXPECT_EQ(on, shut ? ImportStep::kFollow : ImportStep::kRefuse);
          continue;
        }
        EXPECT_EQ(on, step);
        EXPECT_NE(step, ImportStep::kAnew);
        EXPECT_EQ(step == ImportStep::kNothing, mark == ImportMark::kCompleted || (mark == ImportMark::kNone && told));
        EXPECT_EQ(step == ImportStep::kBegin, mark == ImportMark::kNone && !told && holds.empty());
        EXPECT_EQ(step == ImportStep::kRefuse, mark == ImportMark::kNone && !told && !holds.empty());
      }
}

TEST(ImportRules, ContentsAreDividedIntoSchemasAndTheRestWithoutWhatASuperuserOwns) {
  const ContentsPlan plan = plan_contents(
      ";\n; Archive created at 2026-11-30\n;\n"
      "6; 2615 16386 SCHEMA - shop postgres\n"
      "2; 3079 16387 EXTENSION - citext \n"
      "3400; 0 0 COMMENT - EXTENSION citext \n"
      "215; 1259 16500 TABLE shop EXTENSION - orders app\n"
      "3401; 0 0 COMMENT shop TABLE orders app\n"
      "3300; 3466 16600 EVENT TRIGGER - audit postgres\n"
      "3402; 0 0 COMMENT - EVENT TRIGGER audit postgres\n");
  EXPECT_EQ(plan.schemas, "6; 2615 16386 SCHEMA - shop postgres\n");
  EXPECT_EQ(plan.rest, "215; 1259 16500 TABLE shop EXTENSION - orders app\n3401; 0 0 COMMENT shop TABLE orders app\n");
  EXPECT_EQ(plan.left_out, std::vector<std::string>{"event trigger audit"});
}

TEST(ImportRules, EveryTableIsInExactlyOneShareAndTheLargestAreApart) {
  EXPECT_EQ(share_out({}, 4).size(), 1u);
  const std::vector<SourceTable> tables{{"a", 1}, {"b", 100}, {"c", 60}, {"d", 50}, {"e", 0}};
  for (const size_t jobs : {0u, 1u, 2u, 3u, 9u}) {
    const auto shares = share_out(tables, jobs);
    EXPECT_EQ(shares.size(), std::max<size_t>(1, std::min<size_t>(jobs, tables.size())));
    std::vector<std::string> all;
    for (const auto& share : shares) all.insert(all.end(), share.begin(), share.end());
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
  }
  EXPECT_EQ(share_out(tables, 2), (std::vector<std::vector<std::string>>{{"b", "a", "e"}, {"c", "d"}}));
}

TEST(ImportRules, WhatPassesByItselfIsToldFromWhatWaitsForAPerson) {
  const auto code = [](const std::string& words) { return explained({Code::kUnavailable, words, true}).code; };
  EXPECT_EQ(code("connection to server at \"10.0.0.1\", port 5432 failed: Connection refused"), Code::kUnavailable);
  EXPECT_EQ(code("connection to server failed: FATAL:  the database system is starting up"), Code::kUnavailable);
  EXPECT_EQ(code("pg_restore: exit code 1: pg_restore: error: server closed the connection unexpectedly"),
            Code::kUnavailable);
  const auto words = [](const std::string& said) { return explained({Code::kInternal, said, false}); };
  const Error password = words("FATAL:  password authentication failed for user \"app\"");
  EXPECT_EQ(password.code, Code::kInvalid);
  EXPECT_FALSE(password.retryable);
  EXPECT_NE(password.message.find("passwordSecretRef"), std::string::npos);
  EXPECT_NE(words("FATAL:  database \"shop\" does not exist").message.find("; database: "), std::string::npos);
  EXPECT_NE(words("extension postgis: ERROR:  extension \"postgis\" is not available").message.find("drop it"),
            std::string::npos);
  EXPECT_EQ(explained({Code::kCancelled, "stopped", false}).code, Code::kCancelled);
}

TEST(ImportRules, OfAProgramsLastWordsTheErrorIsTold) {
  EXPECT_EQ(failure_words("pg_restore: exit code 1: pg_restore: processing data for table \"public.a\"; "
                          "pg_restore: error: COPY failed for table \"a\": ERROR:  no; DETAIL: x"),
            "pg_restore: error: COPY failed for table \"a\": ERROR: no; DETAIL: x");
  EXPECT_EQ(failure_words("the source is PostgreSQL 16"), "the source is PostgreSQL 16");
  EXPECT_TRUE(begins_table("pg_restore: processing data for table \"public.a\""));
  EXPECT_FALSE(begins_table("pg_restore: executing SEQUENCE SET a_id_seq"));
}

TEST(ImportRules, APasswordIsOneFieldOfThePassfile) { EXPECT_EQ(pass_file_text("a:b\\c"), "*:*:*:*:a\\:b\\\\c\n"); }

}  // namespace
}  // namespace twinspan::postgres
