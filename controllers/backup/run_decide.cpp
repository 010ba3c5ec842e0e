#include "controllers/backup/run_decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/validate.hpp"
#include "backup/schedule.hpp"
#include "contract/names.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupPhase;
using backup::Kind;

constexpr size_t kFull = static_cast<size_t>(Kind::kFull);

// nullopt: it is not one that validate lets pass.
std::optional<backup::Timetable> timetable_of(const api::BackupScheduleSpec& spec) {
  backup::Timetable timetable;
  if (spec.full) {
    const auto cron = parse_cron(spec.full->schedule);
    if (!cron) return std::nullopt;
    timetable.crons[kFull] = *cron;
  }
  auto zone = load_zone(spec.time_zone);
  if (!zone) return std::nullopt;
  timetable.zone = std::move(*zone);
  timetable.suspend = spec.suspend;
  timetable.immediate = spec.immediate;
  return timetable;
}

// What makes served_until speak of other times when it changes.
std::string text_of(const api::BackupScheduleSpec& spec) {
  return fmt::format("{} {}", spec.full ? spec.full->schedule : "none", spec.time_zone);
}

WallTime time_of(const std::string& text, WallTime otherwise) { return parse_rfc3339(text).value_or(otherwise); }

backup::ScheduleState state_of(const api::RunsStatus& runs, WallTime now) {
  backup::ScheduleState state;
  state.served_until = time_of(runs.served_until, now);
  if (const auto& failed = runs.failed)
    state.failed[kFull] = {time_of(failed->due, now), static_cast<int>(failed->failures),
                           time_of(failed->failed_at, now)};
  return state;
}

void store(const backup::ScheduleState& state, api::RunsStatus& runs) {
  runs.served_until = to_rfc3339(state.served_until);
  runs.failed.reset();
  if (const auto& failed = state.failed[kFull])
    runs.failed = {to_rfc3339(failed->due), failed->failures, to_rfc3339(failed->failed_at)};
}

// A new schedule owes what was due since it was made; other times owe nothing of before.
void begin_anew(const api::BackupSchedule& schedule, WallTime now, api::BackupScheduleStatus& status) {
  const std::string text = text_of(schedule.spec);
  if (!status.runs) {
    status.runs = {text, to_rfc3339(time_of(schedule.metadata.creation_timestamp, now)), std::nullopt, std::nullopt};
  } else if (status.runs->timetable != text) {
    status.runs->timetable = text;
    status.runs->served_until = to_rfc3339(now);
    status.runs->failed.reset();
  }
}

const ShownBackup* find(const RunsSeen& seen, const std::string& name) {
  const auto found = std::find_if(seen.backups.begin(), seen.backups.end(),
                                  [&](const ShownBackup& one) { return one.object->metadata.name == name; });
  return found == seen.backups.end() ? nullptr : &*found;
}

// "orders-20261129-020000": when it was due, or when it is begun where that is something else.
std::string name_of(const RunsSeen& seen, WallTime at) {
  std::string name = seen.schedule->metadata.name + "-";
  for (const char c : to_rfc3339(at)) {
    if (c == '.' || c == 'Z') break;
    if (c == 'T') name += '-';
    if (c >= '0' && c <= '9') name += c;
  }
  std::string unused = name;
  for (int number = 2; find(seen, unused); ++number) unused = fmt::format("{}-{}", name, number);
  return unused;
}

api::Backup backup_of(const api::BackupSchedule& schedule, const std::string& name) {
  api::Backup made;
  made.metadata.name = name;
  made.metadata.ns = schedule.metadata.ns;
  made.metadata.labels[std::string(kScheduleLabel)] = schedule.metadata.name;
  made.spec.schedule_ref.name = schedule.metadata.name;
  return made;
}

void left_out(api::BackupScheduleStatus& status, RunsLook& look, std::string message) {
  look.events.push_back({false, "BackupSkipped", message});
  status.last_skipped = std::move(message);
}

// What has become of the run that was begun.
void settle(const RunsSeen& seen, api::BackupScheduleStatus& status, RunsLook& look) {
  auto& current = status.runs->current;
  if (!current) return;
  backup::ScheduleState state = state_of(*status.runs, seen.now);
  const backup::Begin run{Kind::kFull, backup::RunCause::kScheduled, time_of(current->due, seen.now)};
  const ShownBackup* found = find(seen, current->name);
  if (!found && !current->uid) {
    if (!seen.name_taken) {
      look.create = backup_of(*seen.schedule, current->name);
      return;
    }
    state = after_failure(state, run, seen.now);
    left_out(status, look, fmt::format("Backup {} exists, and is another schedule's", current->name));
  } else if (!found || (current->uid && *current->uid != found->object->metadata.uid)) {
    left_out(status, look, fmt::format("Backup {} was deleted before it was over", current->name));
    // Whoever deletes one wants it to end. Where there is none at all `immediate` asks for one again, after a while.
    const bool asked_again = seen.schedule->spec.immediate && !status.last;
    state = asked_again ? after_failure(state, run, seen.now) : after_success(state, Kind::kFull);
  } else {
    current->uid = found->object->metadata.uid;
    if (!is_over(found->status)) return;
    if (found->status.phase == BackupPhase::kCompleted) {
      state = after_success(state, Kind::kFull);
    } else {
      state = after_failure(state, run, seen.now);
      look.events.push_back(
          {true, "BackupFailed", fmt::format("Backup {}: {}", current->name, found->status.message.value_or(""))});
    }
  }
  current.reset();
  store(state, *status.runs);
}

// `since`: when the first of those was due that this one is to make good.
void begin(const RunsSeen& seen, const backup::Begin& run, WallTime since, api::BackupScheduleStatus& status,
           RunsLook& look) {
  const bool by_the_clock = run.cause == backup::RunCause::kScheduled;
  const std::string name = name_of(seen, by_the_clock ? run.due : seen.now);
  status.runs->current = {name, std::nullopt, to_rfc3339(since)};
  status.last_scheduled = to_rfc3339(seen.now);
  look.create = backup_of(*seen.schedule, name);
  const std::string why =
      run.cause == backup::RunCause::kImmediate
          ? "there is none that is completed"
          : fmt::format("{} {}", by_the_clock ? "due at" : "tried again, due at", to_rfc3339(run.due));
  look.events.push_back({false, "BackupScheduled", fmt::format("Backup {}: {}", name, why)});
  if (run.covered > 0)
    left_out(
        status, look,
        fmt::format("Backup {} stands for {} more that were due until {}", name, run.covered, to_rfc3339(seen.now)));
}

// By a clock that went wrong then: nothing is newer than that, and it says nothing.
bool is_ahead(const api::LastBackup& last, WallTime now) { return time_of(last.started_at, now) > now; }

void choose(const RunsSeen& seen, const backup::Timetable& timetable, api::BackupScheduleStatus& status,
            RunsLook& look) {
  const bool others = std::any_of(seen.backups.begin(), seen.backups.end(), [](const ShownBackup& one) {
    return !is_over(one.status) && !one.object->metadata.deleting();
  });
  backup::ScheduleSeen now{seen.now, status.last.has_value(), std::nullopt, std::nullopt};
  if (others || status.runs->current) now.running = Kind::kFull;
  backup::ScheduleState before = state_of(*status.runs, seen.now);
  // One that a person asked for meanwhile will do.
  if (const auto& failed = status.runs->failed;
      failed && status.last && failed->failed_at < status.last->started_at && !is_ahead(*status.last, seen.now))
    before = after_success(before, Kind::kFull);
  const auto& owed = before.failed[kFull];
  const backup::ScheduleDecision decision = decide(timetable, before, now);
  store(decision.state, *status.runs);
  status.next.reset();
  if (decision.next && !timetable.suspend) status.next = to_rfc3339(*decision.next);
  if (const auto* run = std::get_if<backup::Begin>(&decision.plan))
    begin(seen, *run, owed ? std::min(owed->due, run->due) : run->due, status, look);
  else if (const auto* skip = std::get_if<backup::Skip>(&decision.plan))
    left_out(status, look, fmt::format("what was due at {}: another backup runs", to_rfc3339(skip->due)));
  else if (timetable.suspend && before.served_until < decision.state.served_until)
    left_out(status, look, fmt::format("what was due until {}: suspended", to_rfc3339(seen.now)));
}

// Those of this repository: another one's can't be restored by this schedule.
void note_last(const RunsSeen& seen, api::BackupScheduleStatus& status) {
  const std::string repository = api::repository_of(seen.schedule->spec.destination.s3);
  auto& last = status.last;
  if (last && (last->stanza != seen.stanza || last->repository != repository)) last.reset();
  for (const ShownBackup& one : seen.backups) {
    const api::BackupStatus& its = one.status;
    if (its.phase != BackupPhase::kCompleted || its.stanza != seen.stanza || its.repository != repository) continue;
    if (!its.started_at || (last && !is_ahead(*last, seen.now) && *its.started_at < last->started_at)) continue;
    last = {one.object->metadata.name,
            its.label.value_or(""),
            one.object->spec.kind,
            *its.started_at,
            its.completed_at.value_or(*its.started_at),
            seen.stanza,
            repository,
            its.corrupt};
  }
}

// A Backup that a person made is theirs: whoever keeps it in Git would make it again, and take another one.
void prune(const RunsSeen& seen, RunsLook& look) {
  const auto ours = [&](const ShownBackup& one) {
    const auto label = one.object->metadata.labels.find(std::string(kScheduleLabel));
    return label != one.object->metadata.labels.end() && label->second == seen.schedule->metadata.name;
  };
  int64_t shown = 0;
  bool completed_shown = false;
  for (auto one = seen.backups.rbegin(); one != seen.backups.rend(); ++one) {
    const bool newest_completed = one->status.phase == BackupPhase::kCompleted && !completed_shown;
    if (newest_completed) completed_shown = true;
    if (!ours(*one) || !is_over(one->status) || one->object->metadata.deleting()) continue;
    if (++shown > seen.schedule->spec.retention.objects && !newest_completed) look.remove.push_back(one->object);
  }
}

}  // namespace

bool is_over(const api::BackupStatus& status) {
  return status.phase == BackupPhase::kCompleted || status.phase == BackupPhase::kFailed;
}

RunsLook decide_runs(const RunsSeen& seen, api::BackupScheduleStatus& status) {
  RunsLook look;
  note_last(seen, status);
  const auto timetable = timetable_of(seen.schedule->spec);
  if (!timetable) return look;
  begin_anew(*seen.schedule, seen.now, status);
  settle(seen, status, look);
  choose(seen, *timetable, status, look);
  prune(seen, look);
  return look;
}

}  // namespace twinspan::controllers
