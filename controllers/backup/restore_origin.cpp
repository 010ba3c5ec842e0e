#include "controllers/backup/restore_origin.hpp"

#include <fmt/format.h>

#include "controllers/backup/restore_decide.hpp"

namespace twinspan::controllers {
namespace {

using Origin = std::expected<RestoreOrigin, OriginTrouble>;

std::unexpected<OriginTrouble> waits_for(std::string words) {
  return std::unexpected(OriginTrouble{std::move(words), false});
}

Origin of_repository(const api::RestoreRepository& repository) {
  RestoreOrigin origin;
  origin.stanza = repository.stanza;
  origin.destination.s3 = repository.s3;
  if (repository.key_secret_ref) origin.encryption = api::BackupEncryption{*repository.key_secret_ref};
  return origin;
}

Origin of_schedule(const RestoreSeen& seen, const std::string& field, const std::string& name) {
  if (!seen.schedule) return waits_for(fmt::format("{}: there is no BackupSchedule \"{}\"", field, name));
  const api::BackupScheduleStatus& status = seen.schedule->status;
  if (!status.stanza || !status.timeline)
    return waits_for(fmt::format("BackupSchedule {} has stored nothing yet", name));
  RestoreOrigin origin;
  origin.stanza = *status.stanza;
  origin.timeline = status.timeline;
  origin.live = true;
  origin.destination = seen.schedule->spec.destination;
  origin.encryption = seen.schedule->spec.encryption;
  return origin;
}

Origin of_backup(const RestoreSeen& seen, const std::string& name) {
  const std::string field = "spec.from.backupRef.name";
  if (!seen.backup) return waits_for(fmt::format("{}: there is no Backup \"{}\"", field, name));
  const api::BackupStatus& backup = seen.backup->status;
  if (backup.phase == api::BackupPhase::kFailed)
    return std::unexpected(
        OriginTrouble{fmt::format("{}: Backup {} has failed, one that is Completed is expected", field, name), true});
  if (backup.phase != api::BackupPhase::kCompleted || !backup.label || !backup.stanza)
    return waits_for(fmt::format("{}: Backup {} is {}, it is waited for", field, name, to_string(backup.phase)));
  const std::string& schedule = seen.backup->spec.schedule_ref.name;
  if (!seen.schedule)
    return waits_for(
        fmt::format("there is no BackupSchedule \"{}\", which says where Backup {} is stored", schedule, name));
  RestoreOrigin origin;
  // Of a link of before, where its name was taken again: that one writes there no more.
  if (seen.schedule->status.stanza == backup.stanza) {
    auto present = of_schedule(seen, field, schedule);
    if (!present) return present;
    origin = std::move(*present);
  }
  origin.stanza = *backup.stanza;
  origin.label = backup.label;
  origin.destination = seen.schedule->spec.destination;
  origin.encryption = seen.schedule->spec.encryption;
  return origin;
}

}  // namespace

Origin origin_of(const RestoreSeen& seen) {
  const api::RestoreSpec& spec = seen.restore->spec;
  Origin origin = spec.from.repository   ? of_repository(*spec.from.repository)
                  : spec.from.backup_ref ? of_backup(seen, spec.from.backup_ref->name)
                                         : of_schedule(seen, "spec.from.scheduleRef.name",
                                                       spec.from.schedule_ref.value_or(api::ScheduleReference{}).name);
  if (origin && spec.target.timeline && spec.target.timeline != origin->timeline) {
    origin->timeline = spec.target.timeline;
    origin->live = false;
  }
  return origin;
}

}  // namespace twinspan::controllers
