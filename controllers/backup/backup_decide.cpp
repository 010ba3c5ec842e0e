#include "controllers/backup/backup_decide.hpp"

#include <fmt/format.h>

#include "api/conditions.hpp"
#include "api/validate.hpp"
#include "contract/names.hpp"
#include "controllers/backup/attempts.hpp"
#include "controllers/backup/continuous_status.hpp"
#include "controllers/backup/dropped_log.hpp"
#include "controllers/backup/expiry_decide.hpp"
#include "controllers/backup/proof_times.hpp"
#include "controllers/backup/read_decide.hpp"
#include "controllers/backup/repository_decide.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupPhase;
using std::chrono::seconds;
using Backup = std::shared_ptr<const api::Backup>;

// One name for one database: what a link of this name made anew, or with other data, stores is another's.
std::optional<std::string> stanza_of(const BackupSeen& seen, const std::string& primary) {
  const MemberSeen* member = find_member(seen, primary);
  const std::string own = stanza_prefix(seen.link->metadata.name, seen.link->metadata.uid);
  if (member && !member->system_id.empty()) return own + member->system_id;
  const auto& before = seen.link->status.backup;
  if (before && before->stanza.starts_with(own)) return before->stanza;
  return std::nullopt;
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
  const MemberSeen* archiver = find_member(seen, assignment.archiver);
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

// What another stanza holds can't be restored by this schedule any more.
void forget_repository(api::BackupScheduleStatus& status) {
  status.repository.reset();
  status.windows.clear();
  status.gaps.clear();
  status.continuous.reset();
  status.verified.reset();
}

// Where nobody looks nothing is claimed.
void claim_nothing(api::BackupScheduleStatus& status, const std::string& why, int64_t generation, WallTime now) {
  for (const char* claim : {"Restorable", "Continuous", "ExpiryPossible"})
    if (api::find_condition(status.conditions, claim))
      api::set_condition(
          status.conditions,
          {claim, api::ConditionStatus::kUnknown, std::nullopt, "", "NotInForce", "nobody looks: " + why}, generation,
          now);
  if (status.unsafe) status.unsafe = "Unknown";
}

// What the repository holds, and what of it can be restored; `ready` says so, where all is well.
void tell_of_repository(const RepositoryView& view, const api::BackupAssignment& assignment, const BackupSeen& seen,
                        int64_t generation, api::BackupScheduleStatus& status, api::Condition& ready) {
  StoringView storing;
  storing.archiver = assignment.archiver;
  for (const auto& [endpoint, member] : seen.members) {
    const BackupReport& its = member.backup;
    if (its.stanza != assignment.stanza) continue;
    if (endpoint == assignment.archiver) {
      storing.heard = true;
      storing.stores = its.ready && writes(its, assignment.stanza);
    }
    const bool worse = storing.cause == BackupReport::Cause::kNone || its.cause == BackupReport::Cause::kConflict;
    if (its.cause == BackupReport::Cause::kNone || !worse) continue;
    storing.cause = its.cause;
    storing.trouble = fmt::format("{}: {}", endpoint, its.trouble);
  }
  const api::Condition restorable = restorable_condition(view, status);
  if (ready.status == api::ConditionStatus::kTrue && restorable.status == api::ConditionStatus::kTrue)
    ready.message = restorable.message;
  api::set_condition(status.conditions, restorable, generation, seen.now);
  api::set_condition(status.conditions, continuous_condition(storing, view, status), generation, seen.now);
}

// Labels of completed Backups that a listing from after them does not have.
std::set<std::string> gone_of(const RepositoryView& view, const std::vector<Backup>& backups,
                              const api::BackupScheduleStatus& status, const std::string& repository) {
  constexpr std::chrono::minutes kSlack{5};  // of the clocks of two members
  std::set<std::string> gone;
  if (!view.doubt.empty()) return gone;
  const auto look_for = [&](const std::string& label, const std::optional<std::string>& completed) {
    const auto at = parse_rfc3339(completed.value_or(""));
    if (!at || view.listing->listed_at < *at + kSlack) return;
    if (std::none_of(view.listing->backups.begin(), view.listing->backups.end(),
                     [&](const backup::BackupSet& one) { return one.label == label; }))
      gone.insert(label);
  };
  for (const Backup& one : backups)
    if (const api::BackupStatus& its = one->status; its.phase == BackupPhase::kCompleted && its.label &&
                                                    its.stanza == status.stanza && its.repository == repository)
      look_for(*its.label, its.completed_at);
  if (status.last && status.last->stanza == status.stanza && status.last->repository == repository)
    look_for(status.last->label, status.last->completed_at);
  return gone;
}

// What is deleted, and what of the log is kept on purpose.
ExpiryLook expire(const api::BackupSchedule& schedule, const RepositoryView& view, bool clock_suspect,
                  const BackupSeen& seen, BackupLook& look) {
  ExpirySeen its;
  its.schedule = &schedule;
  its.view = &view;
  const MemberSeen* archiver = find_member(seen, look.assignment->archiver);
  its.archiver = archiver ? &archiver->backup : nullptr;
  const auto& before = seen.link->status.backup;
  if (before && before->stanza == look.assignment->stanza) its.outstanding = before->expire;
  if (const auto kept = seen.forever.find(look.assignment->stanza); kept != seen.forever.end())
    its.forever = kept->second;
  if (const auto reader = seen.readers.find(schedule.metadata.name); reader != seen.readers.end())
    its.reader = reader->second;
  else if (before && (before->read || before->test))
    its.reader = "a verification";
  its.backup_runs = look.assignment->run.has_value() || (before && before->run);
  its.clock_suspect = clock_suspect;
  its.now = seen.now;
  ExpiryLook decided = decide_expiry(its, look.schedules.at(schedule.metadata.name));
  look.assignment->expire = decided.assignment;
  look.busy = look.busy || decided.busy;
  return decided;
}

// By the listing, and what was completed after it.
std::vector<Beginning> beginnings_of(const RepositoryView& view, const std::vector<Backup>& backups,
                                     const BackupLook& look, const std::set<std::string>& gone) {
  std::vector<Beginning> all;
  if (view.listing)
    for (const backup::BackupSet& one : view.listing->backups) all.push_back({one.timeline, one.start});
  const std::string repository = api::repository_of(look.assignment->destination.s3);
  for (const Backup& one : backups) {
    const api::BackupStatus& its = look.backups.at(one->metadata.name);
    const auto start = parse_position(its.start.value_or(""));
    if (its.phase == BackupPhase::kCompleted && its.stanza == look.assignment->stanza && its.repository == repository &&
        start && !gone.contains(its.label.value_or("")))
      all.push_back({static_cast<backup::Timeline>(its.timeline.value_or(0)), *start});
  }
  return all;
}

void run_on_schedule(const api::BackupSchedule& schedule, const std::vector<Backup>& backups,
                     std::set<std::string> gone, bool full_owed, const BackupSeen& seen, BackupLook& look) {
  RunsSeen its;
  its.schedule = &schedule;
  for (const Backup& backup : backups) its.backups.push_back({backup, look.backups.at(backup->metadata.name)});
  its.name_taken = seen.taken.contains(schedule.metadata.name);
  its.stanza = look.assignment->stanza;
  for (const auto& [endpoint, member] : seen.members)
    if (const auto& run = member.backup.run; run && run->no_parent) its.without_parent.insert(run->uid);
  its.full_owed = full_owed;
  its.gone = std::move(gone);
  its.now = seen.now;
  RunsLook& decided = look.runs[schedule.metadata.name];
  decided = decide_runs(its, look.schedules.at(schedule.metadata.name));
  look.busy = look.busy || decided.create.has_value();
}

// `assignment`: nullopt where nothing is stored by it.
void prove_on_schedule(const api::BackupSchedule& schedule, bool in_force, const BackupSeen& seen,
                       std::optional<api::BackupAssignment>& assignment, BackupLook& look) {
  api::BackupScheduleStatus& status = look.schedules.at(schedule.metadata.name);
  const auto& obeyed = seen.link ? seen.link->status.backup : std::nullopt;
  const bool its = obeyed && obeyed->schedule == schedule.metadata.name;
  const std::string stanza = assignment ? assignment->stanza : "";
  const bool expiring = (assignment && assignment->expire) || (its && obeyed->expire);
  TestSeen test;
  test.schedule = &schedule;
  test.in_force = in_force && assignment;
  if (its) test.under_way = obeyed->test;
  test.pod = seen.test_pod;
  test.stanza = stanza;
  test.expiring = expiring;
  test.now = seen.now;
  TestLook& tested = look.tests[schedule.metadata.name];
  tested = decide_test(test, status);
  ReadSeen reading;
  reading.schedule = &schedule;
  reading.in_force = test.in_force;
  if (its) reading.under_way = obeyed->read;
  if (const MemberSeen* archiver = assignment ? find_member(seen, assignment->archiver) : nullptr;
      archiver && archiver->backup.stanza == stanza)
    reading.said = archiver->backup.read;
  reading.expiring = expiring;
  reading.now = seen.now;
  const ReadLook read = decide_read(reading, status);
  if (assignment) {
    assignment->test = tested.assignment;
    assignment->read = read.assignment;
  }
  tell_verified(schedule, status, seen.now);
  if (tested.proven) note_proven(*tested.proven, stanza, api::VerifiedLevel::kRestored, seen.now, look.backups);
  for (const std::string& label : read.proven)
    note_proven(label, stanza, api::VerifiedLevel::kRead, seen.now, look.backups);
  tested.events.insert(tested.events.end(), read.events.begin(), read.events.end());
  look.busy = look.busy || tested.busy || read.busy;
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
    claim_nothing(status, ready.message, schedule.metadata.generation, seen.now);
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
    const bool elsewhere = before && before->schedule == schedule.metadata.name &&
                           api::repository_of(before->destination.s3) != api::repository_of(assignment.destination.s3);
    if (status.stanza != stanza || elsewhere) forget_repository(status);
    status.stanza = stanza;
    const MemberSeen* member = find_member(seen, archiver);
    const std::string repository = api::repository_of(schedule.spec.destination.s3);
    const RepositoryView view = view_of_repository(member ? &member->backup : nullptr, *stanza, repository, seen.now);
    const std::set<std::string> gone = gone_of(view, backups, status, repository);
    assignment.run = look_after(backups, seen, primary, schedule.spec, look);
    for (const Backup& one : backups)
      if (one->status.label && gone.contains(*one->status.label))
        look.backups[one->metadata.name].message = "its data are not in the repository any more";
    const BackupReport* its = member && member->backup.stanza == *stanza ? &member->backup : nullptr;
    const std::vector<Beginning> beginnings = beginnings_of(view, backups, look, gone);
    const auto broken = its ? broken_since(its->dropped, beginnings) : std::nullopt;
    run_on_schedule(schedule, backups, gone, its && full_is_owed(*its, beginnings), seen, look);
    if (member && writes(member->backup, assignment.stanza))
      status.timeline = member->backup.timeline;
    else if (status.archiver != archiver)
      status.timeline.reset();  // the former one's, which a restore must not follow
    status.archiver = archiver;
    note_continuous(status, its, broken, seen.now);
    ready = ready_condition(seen, assignment);
    const ExpiryLook expiry = expire(schedule, view, look.runs.at(schedule.metadata.name).clock_suspect, seen, look);
    note_repository(view, expiry.log_from, seen.now, status);
    if (its) note_dropped(status.gaps, its->dropped, expiry.log_from);
    // No later segment may have been stored that would show the gap.
    if (broken && !status.windows.empty()) status.windows.back().open = false;
    tell_of_repository(view, assignment, seen, schedule.metadata.generation, status, ready);
    api::set_condition(status.conditions, expiry.possible, schedule.metadata.generation, seen.now);
    prove_on_schedule(schedule, true, seen, look.assignment, look);
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
    claim_nothing(status, why, schedule->metadata.generation, seen.now);
    refuse_backups(schedule->metadata.name, why, seen, look);
    // What was in force goes on: a mistake in an edit must not let log go, nor restart anybody. Only a schedule that is
    // deleted ends it.
    if (seen.link && seen.link->status.backup && seen.link->status.backup->schedule == schedule->metadata.name) {
      kept = *seen.link->status.backup;
      kept->expire.reset();  // a deletion is not gone on with by rules that are being changed
      if (kept->run && !is_wanted(*kept->run, seen.backups, schedule->metadata.name)) kept->run.reset();
      prove_on_schedule(*schedule, false, seen, kept, look);
    } else {
      std::optional<api::BackupAssignment> nothing;
      prove_on_schedule(*schedule, false, seen, nothing, look);
    }
  }
  const auto& before = seen.link ? seen.link->status.backup : std::nullopt;
  if (look.schedules.empty() && before && seen.unscheduled_for < kUnscheduledGrace) {
    kept = before;
    kept->run.reset();
    kept->expire.reset();
    kept->read.reset();
    kept->test.reset();
    look.busy = true;
  }
  if (!look.assignment) look.assignment = kept;
  return look;
}

}  // namespace twinspan::controllers
