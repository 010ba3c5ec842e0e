#include "contract/backup_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

TEST(BackupReport, IsReadAsItWasWritten) {
  for (const auto phase : {BackupReport::Phase::kRunning, BackupReport::Phase::kWaitingForWal,
                           BackupReport::Phase::kCompleted, BackupReport::Phase::kFailed})
    for (const auto step : {BackupReport::Step::kFetching, BackupReport::Step::kRecovering,
                            BackupReport::Step::kRestored, BackupReport::Step::kFailed}) {
      BackupReport report{"orders", true, true, 3, "a", "b", "c", std::nullopt, std::nullopt};
      report.run = {"u", 2, phase, "words", "20261129-130701F", "0/1", "0/2", 3, 4, 5, 6, 7, std::nullopt};
      report.restored = {"before", step, "words"};
      for (const auto corrupt : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
        report.run->corrupt = corrupt;
        EXPECT_EQ(backup_report_of(to_json(report)), report);
      }
    }
}

TEST(BackupReport, WhatIsNotSaidOrNotKnownIsNothing) {
  EXPECT_EQ(backup_report_of(nullptr), BackupReport{});
  EXPECT_EQ(backup_report_of(Json{{"backup", {{"stanza", 7}, {"run", {{"phase", "Dancing"}}}}}}), BackupReport{});
}

}  // namespace
}  // namespace twinspan
