#include "contract/backup_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

TEST(BackupReport, IsReadAsItWasWritten) {
  for (const auto phase : {BackupReport::Phase::kRunning, BackupReport::Phase::kWaitingForWal,
                           BackupReport::Phase::kCompleted, BackupReport::Phase::kFailed})
    for (const auto step :
         {BackupReport::Step::kFetching, BackupReport::Step::kRecovering, BackupReport::Step::kRestored,
          BackupReport::Step::kFailed, BackupReport::Step::kPrepared}) {
      BackupReport report;
      report.stanza = "orders";
      report.ready = report.archiving = report.at_replicas = true;
      report.timeline = 3;
      report.trouble = "a";
      report.stored = "b";
      report.waiting = "c";
      report.run = {"u", 2, phase, "words",      "20261129-130701F",   "0/1", "0/2", 3, 4,
                    5,   6, 7,     std::nullopt, {"20261128-130701F"}, false};
      report.restored = {"before", step, "words"};
      for (const auto corrupt : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
        report.run->corrupt = corrupt;
        report.run->no_parent = !corrupt;
        report.continuous = {5, "0/5F0139A0", std::nullopt, 7, 60};
        report.dropped = {
            {"000000010000000000000004", "000000010000000000000006", "why", "2026-11-29T12:00:00Z", !corrupt}};
        if (corrupt) report.continuous->unsafe_seconds = 6;
        EXPECT_EQ(backup_report_of(to_json(report)), report);
      }
      report.restored->plan = {"20261129-130701F", "Full", "0/5F0139A0", 3, 620};
      report.restored->reached = "0/60000028";
      report.restored->until = "2026-12-02T12:00:00Z";
      report.restored->brought_back = true;
      EXPECT_EQ(backup_report_of(to_json(report)), report);
    }
}

TEST(BackupReport, WhatTheRepositoryHoldsIsReadAsItWasWritten) {
  BackupReport report;
  for (const auto cause : {BackupReport::Cause::kNone, BackupReport::Cause::kUnreachable,
                           BackupReport::Cause::kConflict, BackupReport::Cause::kBehind})
    for (const auto ahead : {std::optional<int64_t>(), std::optional<int64_t>(-3)}) {
      report.cause = cause;
      report.repository = {7, "words", {"a", "b"}, {"c"}, {"d"}, "e", 8, ahead, ahead ? "place" : ""};
      report.expired = {"then", true, {"a"}, "words"};
      EXPECT_EQ(backup_report_of(to_json(report)), report);
    }
}

TEST(BackupReport, WhatIsNotSaidOrNotKnownIsNothing) {
  EXPECT_EQ(backup_report_of(nullptr), BackupReport{});
  EXPECT_EQ(backup_report_of(Json{{"backup", {{"stanza", 7}, {"run", {{"phase", "Dancing"}}}}}}), BackupReport{});
}

}  // namespace
}  // namespace twinspan
