// What a link's status says of its import.
#include "controllers/postgres/import_said.hpp"

#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/postgres/postgres_status.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

using api::ImportPhase;

Json importing_json() {
  Json json = link_json();
  json["spec"]["postgres"]["bootstrap"]["import"] = {{"host", "old.shop.svc"},
                                                     {"database", "shop"},
                                                     {"username", "reader"},
                                                     {"passwordSecretRef", {{"name", "old"}, {"key", "password"}}},
                                                     {"caSecretRef", {{"name", "old-ca"}}}};
  return json;
}

class ImportSaid : public ::testing::Test {
 protected:
  void says(const Json& import) { world.report("east").details = {{"import", import}}; }
  void remember(const api::LinkStatus& status) { world.link->status = status; }
  api::LinkStatus look() {
    const LinkSeen seen = world.seen();
    return next_status(seen, plan_link(seen, render_config()));
  }
  static std::string condition(const api::LinkStatus& status, const char* type) {
    const api::Condition* found = api::find_condition(status.conditions, type);
    return found ? std::string(api::to_string(found->status)) + " " + found->reason : "absent";
  }
  World world{importing_json()};
};

TEST_F(ImportSaid, ALinkIsNotReadyBeforeAllIsHere) {
  EXPECT_EQ(condition(look(), "Imported"), "False Importing") << "nobody said anything yet";
  EXPECT_EQ(condition(look(), "Ready"), "False Importing");
  EXPECT_EQ(condition(look(), "Reconciling"), "True Importing");
  says({{"phase", "Rows"},
        {"tables", 12},
        {"tablesDone", 3},
        {"bytes", 104857600},
        {"bytesDone", 52428800},
        {"startedAt", "2026-11-21T09:00:00Z"},
        {"message", "rows are being copied"}});
  const api::LinkStatus status = look();
  EXPECT_EQ(status.import_->phase, ImportPhase::kRows);
  EXPECT_EQ(condition(status, "Imported"), "False Importing");
  EXPECT_EQ(api::find_condition(status.conditions, "Imported")->message,
            "shop of old.shop.svc:5432: rows are being copied; of 12 tables 3 are here; 50 of 100 MiB");
  says({{"phase", "Completed"}, {"completedAt", "2026-11-21T09:30:00Z"}});
  remember(status);
  EXPECT_EQ(look().import_->started_at, "2026-11-21T09:00:00Z");
  EXPECT_EQ(condition(look(), "Imported"), "True Completed");
  EXPECT_EQ(condition(look(), "Ready"), "True Replicating");
}

TEST_F(ImportSaid, AFailureWaitsForAPersonWithItsWords) {
  says({{"phase", "Failed"}, {"message", "password authentication failed; put the right one into the Secret"}});
  const api::LinkStatus status = look();
  for (const char* type : {"Imported", "Ready"}) EXPECT_EQ(condition(status, type), "False ImportFailed") << type;
  EXPECT_EQ(condition(status, "Stalled"), "True ImportFailed");
  EXPECT_EQ(condition(status, "Reconciling"), "False Stalled");
  EXPECT_EQ(api::find_condition(status.conditions, "Stalled")->message,
            "password authentication failed; put the right one into the Secret");
}

TEST_F(ImportSaid, WhatWasCompletedIsRememberedWhileNobodyIsHeard) {
  api::LinkStatus status = world.link->status;
  status.import_.emplace();
  status.import_->phase = ImportPhase::kCompleted;
  status.import_->message = "left out: event trigger audit";
  remember(status);
  EXPECT_EQ(look().import_, status.import_);
  says({{"phase", "Completed"}});
  EXPECT_EQ(look().import_, status.import_) << "an agent that began since knows less";
  says({{"phase", "Rows"}});
  EXPECT_EQ(look().import_->phase, ImportPhase::kRows) << "of a promoted replica that lacks the end of it";
}

TEST_F(ImportSaid, ALinkWithoutOneSaysNothingOfIt) {
  world = World();
  says({{"phase", "Rows"}});
  EXPECT_FALSE(look().import_);
  EXPECT_EQ(condition(look(), "Imported"), "absent");
  EXPECT_EQ(condition(look(), "Ready"), "True Replicating");
}

TEST_F(ImportSaid, EachPhaseWorthALineIsAnEventOnce) {
  api::LinkStatus before, after;
  EXPECT_FALSE(event_of_import(before, after));
  for (const auto& [phase, reason] :
       {std::pair{ImportPhase::kDefinitions, "ImportBegan"}, std::pair{ImportPhase::kFailed, "ImportFailed"},
        std::pair{ImportPhase::kCompleted, "ImportCompleted"}}) {
    after.import_.emplace().phase = phase;
    const auto event = event_of_import(before, after);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->reason, reason);
    EXPECT_EQ(event->warning, phase == ImportPhase::kFailed);
    before = after;
    EXPECT_FALSE(event_of_import(before, after));
  }
}

TEST_F(ImportSaid, ItsSecretsMayBeReadUntilAllIsHere) {
  const auto may_read = [&](const char* secret) {
    return render_role(*world.link).dump().find("\"" + std::string(secret) + "\"") != std::string::npos;
  };
  EXPECT_TRUE(may_read("old") && may_read("old-ca"));
  api::LinkStatus status = world.link->status;
  status.import_.emplace().phase = ImportPhase::kCompleted;
  remember(status);
  EXPECT_FALSE(may_read("old") || may_read("old-ca"));
}

TEST_F(ImportSaid, ProgressIsWrittenWithoutHaste) {
  api::LinkStatus before = look(), after = before;
  before.import_.emplace().phase = after.import_.emplace().phase = ImportPhase::kRows;
  after.import_->bytes_done = 7;
  EXPECT_EQ(urgency_of(before, after), Urgency::kLazy);
  after.import_->phase = ImportPhase::kCompleted;
  EXPECT_EQ(urgency_of(before, after), Urgency::kNow);
}

}  // namespace
}  // namespace twinspan::controllers::testing
