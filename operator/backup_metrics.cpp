#include "operator/backup_metrics.hpp"

#include "api/conditions.hpp"
#include "core/clock.hpp"
#include "operator/gauges.hpp"

namespace twinspan {
namespace {

void add_time(Family& family, Family::Labels labels, const std::string& text) {
  if (const auto time = parse_rfc3339(text))
    family.add(std::move(labels), std::chrono::duration<double>(time->time_since_epoch()).count());
}

}  // namespace

std::vector<prometheus::MetricFamily> backup_metrics(const controllers::BackupCaches& caches) {
  Family last("twinspan_backup_last_success_timestamp_seconds",
              "When the newest completed backup of the present repository was whole. Absent where there is none.");
  Family corrupt("twinspan_backup_corrupt",
                 "1 where that backup holds pages with wrong checksums. Absent where the database has no checksums.");
  Family due("twinspan_backup_due_timestamp_seconds",
             "Since when a backup is due by schedule that is not completed. Absent where none is.");
  Family ready("twinspan_backup_ready", "1 where the BackupSchedule's condition Ready is True: the log is stored.");
  for (const auto& schedule : caches.all_schedules()) {
    const api::BackupScheduleStatus& status = schedule->status;
    const Family::Labels labels{{"namespace", schedule->metadata.ns},
                                {"link", schedule->spec.link_ref.name},
                                {"schedule", schedule->metadata.name}};
    if (status.last) {
      Family::Labels by_kind = labels;
      by_kind.push_back({"kind", std::string(to_string(status.last->kind))});
      add_time(last, std::move(by_kind), status.last->completed_at);
      if (status.last->corrupt) corrupt.add(labels, *status.last->corrupt);
    }
    const api::Condition* said = api::find_condition(status.conditions, "Ready");
    ready.add(labels, said && said->status == api::ConditionStatus::kTrue);
    const bool in_force = !said || said->status != api::ConditionStatus::kFalse || said->reason == "StoringFails";
    if (!status.runs || schedule->spec.suspend || !in_force) continue;
    if (status.runs->current)
      add_time(due, labels, status.runs->current->due);
    else if (status.runs->failed)
      add_time(due, labels, status.runs->failed->due);
  }
  std::vector<prometheus::MetricFamily> out;
  for (Family* family : {&last, &corrupt, &due, &ready}) out.push_back(family->take());
  return out;
}

}  // namespace twinspan
