#include "controllers/backup/backup_decide.hpp"

#include <fmt/format.h>

#include "api/conditions.hpp"
#include "api/validate.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupPhase;
using std::chrono::seconds;
using Backup = std::shared_ptr<const api::Backup>;

constexpr seconds kBetweenAttempts{10};  // times the number of those so far

const MemberSeen* find(const BackupSeen& seen, const std::string& endpoint) {
  const auto found = seen.members.find(endpoint);
  return found == seen.members.end() ? nullptr : &found->second;
}

// One name for one database: what a link of this name made anew, or with other data, stores is another's.
std::optional<std::string> stanza_of(const BackupSeen& seen, const std::string& primary) {
  const MemberSeen* member = find(seen, primary);
  if (member && !member->system_id.empty())
    return fmt::format("{}-{}-{}", seen.link->metadata.name, seen.link->metadata.uid.substr(0, 8), member->system_id);
  if (seen.link->status.backup) return seen.link->status.backup->stanza;
  return std::nullopt;
}

bool runs(const api::BackupStatus& status) {
  return status.phase == BackupPhase::kRunning || status.phase == BackupPhase::kWaitingForWal;
}

std::string time_of(int64_t unix_seconds) { return to_rfc3339(WallTime(seconds(unix_seconds))); }

void give_up_attempt(api::BackupStatus& status, const std::string& why) {
  status.message = fmt::format("attempt {} of {}: {}", status.attempts, kBackupAttempts, why);
  status.phase = status.attempts < kBackupAttempts ? BackupPhase::kPending : BackupPhase::kFailed;
}

void note_completion(api::BackupStatus& status, const BackupReport::Run& run) {
  status.phase = BackupPhase::kCompleted;
  status.message.reset();
  status.label = run.label;
  status.start = run.start;
  status.stop = run.stop;
  status.timeline = run.timeline;
  status.started_at = time_of(run.started);
  status.completed_at = time_of(run.stopped);
  status.read_bytes = run.read_bytes;
  status.stored_bytes = run.stored_bytes;
  status.corrupt = run.corrupt;
  if (!run.message.empty()) status.message = run.message;
}

// Of one that runs.
void follow(api::BackupStatus& status, const BackupSeen& seen, const std::string& uid, const std::string& primary,
            const api::BackupAssignment& assignment) {
  const MemberSeen* member = find(seen, status.endpoint.value_or(""));
  const auto& run = member ? member->backup.run : std::nullopt;
  const bool its = run && run->uid == uid && run->attempt == status.attempts;
  if (its && run->phase == BackupReport::Phase::kCompleted) return note_completion(status, *run);
  if (!primary.empty() && primary != status.endpoint)
    return give_up_attempt(status, fmt::format("{} is primary no more", *status.endpoint));
  if (status.repository && status.repository != api::repository_of(assignment.destination.s3))
    return give_up_attempt(status, "the schedule names another repository now");
  if (!its) return;
  if (run->phase == BackupReport::Phase::kFailed) return give_up_attempt(status, run->message);
  status.phase =
      run->phase == BackupReport::Phase::kWaitingForWal ? BackupPhase::kWaitingForWal : BackupPhase::kRunning;
}

// Of one that waits. True: it begins.
bool may_begin(api::BackupStatus& status, const BackupSeen& seen, const std::string& primary,
               const api::BackupAssignment& assignment) {
  if (status.attempts > 0 && status.started_at) {
    const auto began = parse_rfc3339(*status.started_at);
    if (began && seen.now - *began < kBetweenAttempts * status.attempts) return false;
  }
  if (primary.empty()) {
    status.message = "waits for a primary";
    return false;
  }
  status.phase = BackupPhase::kRunning;
  status.endpoint = primary;
  status.stanza = assignment.stanza;
  status.repository = api::repository_of(assignment.destination.s3);
  ++status.attempts;
  status.started_at = to_rfc3339(seen.now);
  status.message.reset();
  return true;
}

// At most one runs, the oldest first.
std::optional<api::BackupRun> look_after(const std::vector<Backup>& backups, const BackupSeen& seen,
                                         const std::string& primary, BackupLook& look) {
  std::optional<api::BackupRun> running;
  const auto run_of = [&](const api::Backup& backup, const api::BackupStatus& status) {
    running = {backup.metadata.name, backup.metadata.uid, status.endpoint.value_or(""), status.attempts};
  };
  for (const Backup& backup : backups) {
    api::BackupStatus& status = look.backups[backup->metadata.name] = backup->status;
    if (!runs(status)) continue;
    follow(status, seen, backup->metadata.uid, primary, *look.assignment);
    if (runs(status) && !backup->metadata.deleting() && !running) run_of(*backup, status);
  }
  for (const Backup& backup : backups) {
    api::BackupStatus& status = look.backups[backup->metadata.name];
    if (status.phase != BackupPhase::kPending || backup->metadata.deleting()) continue;
    look.busy = true;
    if (running)
      status.message = fmt::format("waits for Backup {}", running->name);
    else if (may_begin(status, seen, primary, *look.assignment))
      run_of(*backup, status);
  }
  look.busy = look.busy || running.has_value();
  return running;
}

api::Condition ready_condition(const BackupSeen& seen, const api::BackupAssignment& assignment) {
  api::Condition ready;
  ready.type = "Ready";
  for (const auto& [endpoint, member] : seen.members)
    if (!member.backup.trouble.empty() && member.backup.stanza == assignment.stanza) {
      ready.status = api::ConditionStatus::kFalse;
      ready.reason = "StoringFails";
      ready.message = fmt::format("{}: {}", endpoint, member.backup.trouble);
      return ready;
    }
  // A replica that keeps nothing back could not go on where the archiver ends.
  for (const auto& [endpoint, member] : seen.members)
    if (member.backup.stanza == assignment.stanza && !member.backup.archiving) {
      ready.status = api::ConditionStatus::kUnknown;
      ready.reason = "RestartPending";
      ready.message = fmt::format("the log is stored once PostgreSQL was restarted with archive_mode ({})", endpoint);
      return ready;
    }
  const MemberSeen* archiver = find(seen, assignment.archiver);
  const bool heard = archiver && archiver->backup.stanza == assignment.stanza;
  const bool stores = archiver && archiver->backup.ready && writes(archiver->backup, assignment.stanza);
  ready.status = api::ConditionStatus::kUnknown;
  if (!heard) {
    ready.reason = "Waiting";
    ready.message = fmt::format("{} has not said yet whether it stores the log", assignment.archiver);
  } else if (stores) {
    ready.status = api::ConditionStatus::kTrue;
    ready.reason = "Storing";
    ready.message = archiver->backup.stored.empty()
                        ? fmt::format("{} stores the log", assignment.archiver)
                        : fmt::format("{} has stored the log up to {}", assignment.archiver, archiver->backup.stored);
  } else {
    ready.reason = "Waiting";
    ready.message = fmt::format("{} prepares the repository", assignment.archiver);
  }
  return ready;
}

void run_on_schedule(const api::BackupSchedule& schedule, const std::vector<Backup>& backups, const BackupSeen& seen,
                     BackupLook& look) {
  RunsSeen its;
  its.schedule = &schedule;
  for (const Backup& backup : backups) its.backups.push_back({backup, look.backups.at(backup->metadata.name)});
  its.name_taken = seen.taken.contains(schedule.metadata.name);
  its.stanza = look.assignment->stanza;
  its.now = seen.now;
  RunsLook& decided = look.runs[schedule.metadata.name];
  decided = decide_runs(its, look.schedules.at(schedule.metadata.name));
  look.busy = look.busy || decided.create.has_value();
}

// One schedule that counts: where the log goes, and its Backups.
void serve(const api::BackupSchedule& schedule, const BackupSeen& seen, BackupLook& look) {
  api::BackupScheduleStatus& status = look.schedules[schedule.metadata.name];
  const std::string primary = seen.link->status.primary.value_or("");
  const auto& before = seen.link->status.backup;
  const auto stanza = stanza_of(seen, primary);
  const auto found = seen.backups.find(schedule.metadata.name);
  api::Condition ready;
  if (!stanza || (primary.empty() && !before)) {
    ready = {"Ready",      api::ConditionStatus::kUnknown,
             std::nullopt, "",
             "Waiting",    "the link has no primary yet that could store its log"};
    look.busy = true;
  } else {
    const std::string archiver = primary.empty() ? before->archiver : primary;
    api::BackupAssignment& assignment = look.assignment.emplace();
    assignment.schedule = schedule.metadata.name;
    assignment.stanza = *stanza;
    assignment.archiver = archiver;
    assignment.destination = schedule.spec.destination;
    assignment.encryption = schedule.spec.encryption;
    assignment.max_delay_seconds = schedule.spec.continuous.max_delay_seconds;
    assignment.keep_free_percent = schedule.spec.continuous.keep_free_percent;
    assignment.threads = schedule.spec.throttle.threads;
    const std::vector<Backup> backups = found == seen.backups.end() ? std::vector<Backup>() : found->second;
    assignment.run = look_after(backups, seen, primary, look);
    run_on_schedule(schedule, backups, seen, look);
    status.stanza = stanza;
    const MemberSeen* member = find(seen, archiver);
    if (member && writes(member->backup, assignment.stanza))
      status.timeline = member->backup.timeline;
    else if (status.archiver != archiver)
      status.timeline.reset();  // the former one's, which a restore must not follow
    status.archiver = archiver;
    ready = ready_condition(seen, assignment);
  }
  api::set_condition(status.conditions, ready, schedule.metadata.generation, seen.now);
}

// A copy of hours goes on, too.
bool is_wanted(const api::BackupRun& run, const std::map<std::string, std::vector<Backup>>& backups,
               const std::string& schedule) {
  const auto found = backups.find(schedule);
  return found != backups.end() && std::any_of(found->second.begin(), found->second.end(), [&](const Backup& one) {
           return one->metadata.uid == run.uid && !one->metadata.deleting() && runs(one->status);
         });
}

void refuse_backups(const std::string& schedule, const std::string& why, const BackupSeen& seen, BackupLook& look) {
  const auto found = seen.backups.find(schedule);
  if (found == seen.backups.end()) return;
  for (const Backup& backup : found->second)
    if (!is_over(backup->status)) {
      api::BackupStatus& status = look.backups[backup->metadata.name] = backup->status;
      status.message = fmt::format("BackupSchedule {} is not in force: {}", schedule, why);
    }
}

}  // namespace

BackupLook decide_backups(const BackupSeen& seen) {
  BackupLook look;
  std::optional<api::BackupAssignment> kept;
  std::vector<api::BackupSchedule> all;
  for (const auto& [key, schedule] : seen.neighbours) all.push_back(*schedule);
  for (const auto& schedule : seen.schedules) {
    if (schedule->metadata.deleting()) continue;
    api::BackupScheduleStatus& status = look.schedules[schedule->metadata.name] = schedule->status;
    status.observed_generation = schedule->metadata.generation;
    const auto errors = api::validate(*schedule, seen.link, all);
    if (errors.empty()) {
      serve(*schedule, seen, look);
      continue;
    }
    const std::string why = api::to_string(errors);
    api::set_condition(
        status.conditions,
        {"Ready", api::ConditionStatus::kFalse, std::nullopt, "", seen.link ? "Invalid" : "LinkMissing", why},
        schedule->metadata.generation, seen.now);
    refuse_backups(schedule->metadata.name, why, seen, look);
    // What was in force goes on: a mistake in an edit must not let log go, nor restart anybody. Only a schedule that is
    // deleted ends it.
    if (seen.link && seen.link->status.backup && seen.link->status.backup->schedule == schedule->metadata.name) {
      kept = *seen.link->status.backup;
      if (kept->run && !is_wanted(*kept->run, seen.backups, schedule->metadata.name)) kept->run.reset();
    }
  }
  if (!look.assignment) look.assignment = kept;
  return look;
}

}  // namespace twinspan::controllers
