#include "operator/backup_metrics.hpp"

#include "api/conditions.hpp"
#include "core/clock.hpp"
#include "core/cron.hpp"
#include "operator/gauges.hpp"

namespace twinspan {
namespace {

void add_time(Family& family, Family::Labels labels, const std::string& text) {
  if (const auto time = parse_rfc3339(text))
    family.add(std::move(labels), std::chrono::duration<double>(time->time_since_epoch()).count());
}

// Of one schedule's tests of a restore.
struct RestoreTestFamilies {
  Family last = Family("twinspan_restore_test_last_success_timestamp_seconds",
                       "When a restored database last answered all that it was asked. Absent where none did.");
  Family passed = Family("twinspan_restore_test_passed",
                         "1 where the last test of a restore passed, 0 where it failed. Absent where none has ended.");
  Family seconds = Family("twinspan_restore_test_seconds",
                          "How long the last one that passed took from nothing to a PostgreSQL that answered.");
  Family due =
      Family("twinspan_restore_test_due_timestamp_seconds",
             "When a test of a restore is due by schedule, counted from the last one that passed. Absent while "
             "suspended.");

  void add(const api::BackupSchedule& schedule, const Family::Labels& labels) {
    const auto& wanted = schedule.spec.verification;
    if (!wanted || !wanted->schedule) return;
    const api::VerifiedStatus verified = schedule.status.verified.value_or(api::VerifiedStatus{});
    // While one runs, as the last one ended.
    const auto* told = api::find_condition(schedule.status.conditions, "Verified");
    const bool failed = told && told->reason == "RestoreTestFailed";
    if (failed || verified.restored_at) passed.add(labels, !failed);
    if (verified.restored_at) add_time(last, labels, *verified.restored_at);
    if (verified.restored_seconds) seconds.add(labels, static_cast<double>(*verified.restored_seconds));
    const auto since = parse_rfc3339(verified.restored_at.value_or(verified.restored_due.value_or("")));
    const auto cron = parse_cron(*wanted->schedule);
    const auto zone = load_zone(schedule.spec.time_zone);
    if (!since || !cron || !zone || schedule.spec.suspend) return;
    if (const auto next = next_after(*cron, *since, *zone)) add_time(due, labels, to_rfc3339(*next));
  }
};

// How far back any time can be restored, and how far it should be.
struct WindowFamilies {
  Family begins = Family("twinspan_recovery_window_start_timestamp_seconds",
                         "Since when any time can be restored. Absent where that is not known, or none can.");
  Family ends = Family("twinspan_recovery_window_end_timestamp_seconds",
                       "The newest time that is known to be restorable. Absent where that is not known.");
  Family wanted = Family("twinspan_recovery_window_wanted_seconds",
                         "How far back any time should be restorable, by spec.retention.days. Absent without it.");
  Family created = Family("twinspan_backup_schedule_created_timestamp_seconds",
                          "When the BackupSchedule was made: nothing is promised of before.");

  void add(const api::BackupSchedule& schedule, bool known, const Family::Labels& labels) {
    if (known && !schedule.status.windows.empty()) {
      add_time(begins, labels, schedule.status.windows.back().from);
      add_time(ends, labels, schedule.status.windows.back().to.value_or(""));
    }
    if (const auto& days = schedule.spec.retention.days)
      wanted.add(labels, std::chrono::duration<double>(std::chrono::days(*days)).count());
    add_time(created, labels, schedule.metadata.creation_timestamp);
  }
};

}  // namespace

std::vector<prometheus::MetricFamily> backup_metrics(const controllers::BackupCaches& caches) {
  Family last("twinspan_backup_last_success_timestamp_seconds",
              "When the newest completed backup of the present repository was whole. Absent where there is none.");
  Family corrupt("twinspan_backup_corrupt",
                 "1 where that backup holds pages with wrong checksums. Absent where the database has no checksums.");
  Family due("twinspan_backup_due_timestamp_seconds",
             "Since when a backup is due by schedule that is not completed. Absent where none is.");
  Family ready("twinspan_backup_ready", "1 where the BackupSchedule's condition Ready is True: the log is stored.");
  RestoreTestFamilies tests;
  Family can_restore("twinspan_backup_restorable",
                     "1 where the present can be restored, by a fresh listing. Absent where that is not known.");
  WindowFamilies window;
  Family gaps("twinspan_wal_gaps", "Pieces of the log that are missing in the repository. Absent where not known.");
  Family bytes("twinspan_repository_bytes", "What the backups in the repository take, without the log.");
  Family unreachable("twinspan_repository_unreachable", "1 where a member that needs the repository can't use it.");
  Family refused("twinspan_expiry_refused",
                 "1 where retention may delete nothing, for a reason that status.expiry has.");
  for (const auto& schedule : caches.all_schedules()) {
    const api::BackupScheduleStatus& status = schedule->status;
    const Family::Labels labels{{"namespace", schedule->metadata.ns},
                                {"link", schedule->spec.link_ref.name},
                                {"schedule", schedule->metadata.name}};
    tests.add(*schedule, labels);
    if (status.last) {
      Family::Labels by_kind = labels;
      by_kind.push_back({"kind", std::string(to_string(status.last->kind))});
      add_time(last, std::move(by_kind), status.last->completed_at);
      if (status.last->corrupt) corrupt.add(labels, *status.last->corrupt);
    }
    const api::Condition* said = api::find_condition(status.conditions, "Ready");
    ready.add(labels, said && said->status == api::ConditionStatus::kTrue);
    const api::Condition* restorable = api::find_condition(status.conditions, "Restorable");
    const bool known = restorable && restorable->status != api::ConditionStatus::kUnknown;
    window.add(*schedule, known, labels);
    if (known) {
      can_restore.add(labels, restorable->status == api::ConditionStatus::kTrue);
      gaps.add(labels, static_cast<double>(status.gaps.size()));
    }
    if (status.repository) bytes.add(labels, static_cast<double>(status.repository->stored_bytes));
    if (const auto* continuous = api::find_condition(status.conditions, "Continuous"))
      unreachable.add(labels, continuous->reason == "RepositoryUnreachable");
    if (const auto* possible = api::find_condition(status.conditions, "ExpiryPossible"))
      refused.add(labels, possible->status == api::ConditionStatus::kFalse);
    const bool in_force = !said || said->status != api::ConditionStatus::kFalse || said->reason == "StoringFails";
    if (!status.runs || schedule->spec.suspend || !in_force) continue;
    if (status.runs->current)
      add_time(due, labels, status.runs->current->due);
    else if (status.runs->failed)
      add_time(due, labels, status.runs->failed->due);
  }
  std::vector<prometheus::MetricFamily> out;
  for (Family* family :
       {&last, &corrupt, &due, &ready, &can_restore, &window.begins, &window.ends, &window.wanted, &window.created,
        &gaps, &bytes, &unreachable, &refused, &tests.last, &tests.passed, &tests.seconds, &tests.due})
    out.push_back(family->take());
  return out;
}

}  // namespace twinspan
