#include "controllers/backup/attempts.hpp"

#include <fmt/format.h>

#include "api/endpoints.hpp"
#include "api/validate.hpp"
#include "backup/parent.hpp"
#include "controllers/backup/source_decide.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupPhase;
using std::chrono::seconds;

constexpr seconds kBetweenAttempts{10};  // times the number of those so far

std::string time_of(int64_t unix_seconds) { return to_rfc3339(WallTime(seconds(unix_seconds))); }

void give_up_attempt(api::BackupStatus& status, const std::string& why) {
  status.message = fmt::format("attempt {} of {}: {}", status.attempts, kBackupAttempts, why);
  status.phase = status.attempts < kBackupAttempts ? BackupPhase::kPending : BackupPhase::kFailed;
}

// No attempt after it would end otherwise.
void give_up(api::BackupStatus& status, const std::string& why) {
  status.message = why;
  status.phase = BackupPhase::kFailed;
}

// An agent of before kinds takes a Full whatever is asked for: what was stored counts.
bool is_of_kind(const BackupReport::Run& run, api::BackupKind kind) {
  const auto stored = backup::kind_of_label(run.label);
  return stored && to_string(*stored) == to_string(kind);
}

void note_completion(api::BackupStatus& status, const BackupReport::Run& run) {
  status.phase = BackupPhase::kCompleted;
  status.message.reset();
  status.label = run.label;
  status.needs = run.needs;
  status.start = run.start;
  status.stop = run.stop;
  status.timeline = run.timeline;
  status.started_at = time_of(run.started);
  status.completed_at = time_of(run.stopped);
  status.read_bytes = run.read_bytes;
  status.stored_bytes = run.stored_bytes;
  status.corrupt = run.corrupt;
  // Its agent waited until the log that it needs was stored.
  status.verified = api::BackupVerified{api::VerifiedLevel::kStored, time_of(run.stopped)};
  if (!run.message.empty()) status.message = run.message;
}

// Who was primary when the attempt was asked for: a replica that copies under another one may copy what is the link's
// no more. What was not asked for yet is asked for under the present one.
std::string begun_under(const BackupSeen& seen, const std::string& uid, const api::BackupStatus& status,
                        const std::string& primary) {
  const auto& asked = seen.link->status.backup;
  if (!asked || !asked->run || asked->run->uid != uid || asked->run->attempt != status.attempts) return primary;
  return asked->archiver;
}

// A replica may be gone for good, or made anew for hours, and nobody's primary for it. Empty: it copies.
std::string lost_at_replica(const api::BackupStatus& status, const BackupSeen& seen, bool its) {
  if (api::find_endpoint(seen.link->spec, *status.endpoint) == nullptr)
    return fmt::format("{} is no endpoint of the link any more", *status.endpoint);
  if (seen.silent.contains(*status.endpoint))
    return fmt::format("{} said nothing for {} s", *status.endpoint, kSilent.count());
  const auto began = parse_rfc3339(status.started_at.value_or(""));
  if (find_member(seen, *status.endpoint) && !its && began && seen.now - *began > kSilent)
    return fmt::format("{} has not begun it", *status.endpoint);
  return "";
}

// Of one that runs.
void follow(api::BackupStatus& status, const BackupSeen& seen, const api::Backup& backup, const std::string& primary,
            const api::BackupAssignment& assignment) {
  const MemberSeen* member = find_member(seen, status.endpoint.value_or(""));
  const auto& run = member ? member->backup.run : std::nullopt;
  const bool its = run && run->uid == backup.metadata.uid && run->attempt == status.attempts;
  if (its && run->phase == BackupReport::Phase::kCompleted && is_of_kind(*run, backup.spec.kind))
    return note_completion(status, *run);
  const bool over =
      its && (run->phase == BackupReport::Phase::kCompleted || run->phase == BackupReport::Phase::kFailed);
  if (over && !run->label.empty() && !is_of_kind(*run, backup.spec.kind)) {
    status.label = run->label;
    const bool unaware = run->phase == BackupReport::Phase::kCompleted;
    return give_up(status, unaware
                               ? fmt::format("{} was asked for, and {} is stored: managed.image of {} is older than "
                                             "this operator",
                                             to_string(backup.spec.kind), run->label, *status.endpoint)
                               : run->message);
  }
  if (its && run->phase == BackupReport::Phase::kFailed && run->no_parent) return give_up(status, run->message);
  const std::string former = begun_under(seen, backup.metadata.uid, status, primary);
  if (!primary.empty() && primary != former)
    return give_up_attempt(status, fmt::format("{} is primary no more", former));
  if (status.endpoint != former)
    if (const std::string why = lost_at_replica(status, seen, its); !why.empty()) return give_up_attempt(status, why);
  if (status.repository && status.repository != api::repository_of(assignment.destination.s3))
    return give_up_attempt(status, "the schedule names another repository now");
  if (!its) return;
  if (run->phase == BackupReport::Phase::kFailed) return give_up_attempt(status, run->message);
  status.phase =
      run->phase == BackupReport::Phase::kWaitingForWal ? BackupPhase::kWaitingForWal : BackupPhase::kRunning;
}

// Of one that waits. True: it begins.
bool may_begin(api::BackupStatus& status, const BackupSeen& seen, const std::string& primary,
               const api::BackupAssignment& assignment, const api::BackupScheduleSpec& spec) {
  if (status.attempts > 0 && status.started_at) {
    const auto began = parse_rfc3339(*status.started_at);
    if (began && seen.now - *began < kBetweenAttempts * status.attempts) return false;
  }
  if (primary.empty()) {
    status.message = "waits for a primary";
    return false;
  }
  const Source source = choose_source({seen.members, primary, assignment.stanza, spec, status});
  if (source.endpoint.empty()) {
    status.message = source.why;
    return false;
  }
  status.phase = BackupPhase::kRunning;
  status.endpoint = source.endpoint;
  status.stanza = assignment.stanza;
  status.repository = api::repository_of(assignment.destination.s3);
  ++status.attempts;
  status.started_at = to_rfc3339(seen.now);
  status.message.reset();
  return true;
}

}  // namespace

const MemberSeen* find_member(const BackupSeen& seen, const std::string& endpoint) {
  const auto found = seen.members.find(endpoint);
  return found == seen.members.end() ? nullptr : &found->second;
}

bool runs(const api::BackupStatus& status) {
  return status.phase == BackupPhase::kRunning || status.phase == BackupPhase::kWaitingForWal;
}

std::optional<api::BackupRun> look_after(const std::vector<std::shared_ptr<const api::Backup>>& backups,
                                         const BackupSeen& seen, const std::string& primary,
                                         const api::BackupScheduleSpec& spec, BackupLook& look) {
  std::optional<api::BackupRun> running;
  const auto run_of = [&](const api::Backup& backup, const api::BackupStatus& status) {
    running = {backup.metadata.name, backup.metadata.uid, status.endpoint.value_or(""), status.attempts,
               backup.spec.kind};
  };
  for (const auto& backup : backups) {
    api::BackupStatus& status = look.backups[backup->metadata.name] = backup->status;
    if (!runs(status)) continue;
    follow(status, seen, *backup, primary, *look.assignment);
    if (runs(status) && !backup->metadata.deleting() && !running) run_of(*backup, status);
  }
  for (const auto& backup : backups) {
    api::BackupStatus& status = look.backups[backup->metadata.name];
    if (status.phase != BackupPhase::kPending || backup->metadata.deleting()) continue;
    look.busy = true;
    if (running)
      status.message = fmt::format("waits for Backup {}", running->name);
    else if (seen.link->status.backup && seen.link->status.backup->expire)
      status.message = "waits until what retention lets go is deleted";
    else if (may_begin(status, seen, primary, *look.assignment, spec))
      run_of(*backup, status);
  }
  look.busy = look.busy || running.has_value();
  return running;
}

}  // namespace twinspan::controllers
