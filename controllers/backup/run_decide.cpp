#include "controllers/backup/run_decide.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/validate.hpp"
#include "backup/schedule.hpp"
#include "contract/names.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupPhase;
using backup::Kind;

size_t index(Kind kind) { return static_cast<size_t>(kind); }
Kind kind_of(api::BackupKind kind) { return *backup::parse_kind(to_string(kind)); }
api::BackupKind api_kind_of(Kind kind) { return *api::parse_backup_kind(to_string(kind)); }

std::array<const std::optional<api::ScheduledRuns>*, 3> crons_of(const api::BackupScheduleSpec& spec) {
  return {&spec.full, &spec.differential, &spec.incremental};  // by Kind
}

// nullopt: it is not one that validate lets pass.
std::optional<backup::Timetable> timetable_of(const api::BackupScheduleSpec& spec) {
  backup::Timetable timetable;
  for (const Kind kind : backup::kKinds) {
    const auto& runs = *crons_of(spec)[index(kind)];
    if (!runs) continue;
    const auto cron = parse_cron(runs->schedule);
    if (!cron) return std::nullopt;
    timetable.crons[index(kind)] = *cron;
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
  std::string text = fmt::format("{} {}", spec.full ? spec.full->schedule : "none", spec.time_zone);
  if (spec.differential) text += fmt::format(" Differential {}", spec.differential->schedule);
  if (spec.incremental) text += fmt::format(" Incremental {}", spec.incremental->schedule);
  return text;
}

WallTime time_of(const std::string& text, WallTime otherwise) { return parse_rfc3339(text).value_or(otherwise); }

// Of what was due then. Of kinds due together the most valuable one is begun, so its cron names that minute and no more
// valuable one's does; what `immediate` wants is due at any moment, and where there is no full one all is made in full.
Kind kind_due(const backup::Timetable& timetable, WallTime due, const api::BackupScheduleStatus& status) {
  if (!status.last) return Kind::kFull;
  for (const Kind kind : backup::kKinds)
    if (const auto& cron = timetable.crons[index(kind)];
        cron && next_after(*cron, due - std::chrono::seconds(1), timetable.zone) == due)
      return kind;
  return Kind::kFull;
}

// One that failed is kept at a time, the most valuable one: what builds on it is due again soon enough.
backup::ScheduleState state_of(const backup::Timetable& timetable, const api::BackupScheduleStatus& status,
                               WallTime now) {
  const api::RunsStatus& runs = *status.runs;
  backup::ScheduleState state;
  state.served_until = time_of(runs.served_until, now);
  if (const auto& failed = runs.failed) {
    const WallTime due = time_of(failed->due, now);
    state.failed[index(kind_due(timetable, due, status))] = {due, static_cast<int>(failed->failures),
                                                             time_of(failed->failed_at, now)};
  }
  return state;
}

void store(const backup::ScheduleState& state, api::RunsStatus& runs) {
  runs.served_until = to_rfc3339(state.served_until);
  runs.failed.reset();
  for (const auto& failed : state.failed)
    if (failed && !runs.failed)
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

api::Backup backup_of(const api::BackupSchedule& schedule, const std::string& name, api::BackupKind kind) {
  api::Backup made;
  made.metadata.name = name;
  made.metadata.ns = schedule.metadata.ns;
  made.metadata.labels[std::string(kScheduleLabel)] = schedule.metadata.name;
  made.spec.schedule_ref.name = schedule.metadata.name;
  made.spec.kind = kind;
  return made;
}

void left_out(api::BackupScheduleStatus& status, RunsLook& look, std::string message) {
  look.events.push_back({false, "BackupSkipped", message});
  status.last_skipped = std::move(message);
}

bool is_pending(const ShownBackup& one) { return !is_over(one.status) && !one.object->metadata.deleting(); }

// Named in status before it is made.
void name_run(const RunsSeen& seen, WallTime named_for, Kind kind, WallTime due, api::BackupScheduleStatus& status,
              RunsLook& look) {
  const std::string name = name_of(seen, named_for);
  status.runs->current = {name, std::nullopt, to_rfc3339(due), api_kind_of(kind)};
  status.last_scheduled = to_rfc3339(seen.now);
  look.create = backup_of(*seen.schedule, name, api_kind_of(kind));
}

// An increment found nothing to build on: a full one in its place, at once. True: it is named.
bool begin_in_full(const RunsSeen& seen, const backup::Timetable& timetable, const ShownBackup& failed,
                   api::BackupScheduleStatus& status, RunsLook& look) {
  if (timetable.suspend || failed.object->spec.kind == api::BackupKind::kFull ||
      !seen.without_parent.contains(failed.object->metadata.uid) ||
      std::any_of(seen.backups.begin(), seen.backups.end(), is_pending))
    return false;
  name_run(seen, seen.now, Kind::kFull, time_of(status.runs->current->due, seen.now), status, look);
  left_out(status, look,
           fmt::format("Backup {} is a full one in the place of {}, which had nothing to build on",
                       look.create->metadata.name, failed.object->metadata.name));
  return true;
}

// What has become of the run that was begun.
void settle(const RunsSeen& seen, const backup::Timetable& timetable, api::BackupScheduleStatus& status,
            RunsLook& look) {
  auto& current = status.runs->current;
  if (!current) return;
  backup::ScheduleState state = state_of(timetable, status, seen.now);
  const WallTime due = time_of(current->due, seen.now);
  const backup::Begin run{kind_due(timetable, due, status), backup::RunCause::kScheduled, due};
  const ShownBackup* found = find(seen, current->name);
  if (!found && !current->uid) {
    if (!seen.name_taken) {
      look.create = backup_of(*seen.schedule, current->name, current->kind);
      return;
    }
    state = after_failure(state, run, seen.now);
    left_out(status, look, fmt::format("Backup {} exists, and is another schedule's", current->name));
  } else if (!found || (current->uid && *current->uid != found->object->metadata.uid)) {
    left_out(status, look, fmt::format("Backup {} was deleted before it was over", current->name));
    // Whoever deletes one wants it to end. Where there is none at all `immediate` asks for one again, after a while.
    const bool asked_again = (seen.schedule->spec.immediate && !status.last) || seen.full_owed;
    state = asked_again ? after_failure(state, run, seen.now) : after_success(state, kind_of(current->kind));
  } else {
    current->uid = found->object->metadata.uid;
    if (!is_over(found->status)) return;
    if (found->status.phase == BackupPhase::kCompleted) {
      state = after_success(state, kind_of(current->kind));
    } else {
      look.events.push_back(
          {true, "BackupFailed", fmt::format("Backup {}: {}", current->name, found->status.message.value_or(""))});
      if (begin_in_full(seen, timetable, *found, status, look)) return;
      state = after_failure(state, run, seen.now);
    }
  }
  current.reset();
  store(state, *status.runs);
}

// `since`: when the first of those was due that this one is to make good.
void begin(const RunsSeen& seen, const backup::Begin& run, WallTime since, api::BackupScheduleStatus& status,
           RunsLook& look) {
  const bool by_the_clock = run.cause == backup::RunCause::kScheduled || run.cause == backup::RunCause::kNoFull;
  name_run(seen, by_the_clock ? run.due : seen.now, run.kind, since, status, look);
  const std::string& name = look.create->metadata.name;
  const std::string why =
      run.cause == backup::RunCause::kImmediate
          ? (seen.full_owed ? "log was let go before it was stored" : "there is none that is completed")
          : fmt::format("{}, {} {}", to_string(run.kind), by_the_clock ? "due at" : "tried again, due at",
                        to_rfc3339(run.due));
  look.events.push_back({false, "BackupScheduled", fmt::format("Backup {}: {}", name, why)});
  if (run.cause == backup::RunCause::kNoFull)
    left_out(
        status, look,
        fmt::format("Backup {} is a full one: what was due at {} had nothing to build on", name, to_rfc3339(run.due)));
  if (run.covered > 0)
    left_out(
        status, look,
        fmt::format("Backup {} stands for {} more that were due until {}", name, run.covered, to_rfc3339(seen.now)));
}

// By a clock that went wrong then: nothing is newer than that, and it says nothing.
bool is_ahead(const api::LastBackup& last, WallTime now) { return time_of(last.started_at, now) > now; }

// What it would build on has damaged pages: the agent would refuse it, and a full one in its place would have them,
// too.
bool builds_on_damage(const backup::Begin& run, const api::BackupScheduleStatus& status) {
  return run.kind != Kind::kFull && status.last && status.last->corrupt.value_or(false) &&
         status.last->kind == api::BackupKind::kFull;
}

void choose(const RunsSeen& seen, const backup::Timetable& timetable, api::BackupScheduleStatus& status,
            RunsLook& look) {
  backup::ScheduleSeen now{seen.now, status.last.has_value() && !seen.full_owed, std::nullopt, std::nullopt};
  const auto runs = [&](Kind kind) { now.running = std::min(now.running.value_or(kind), kind); };
  for (const ShownBackup& one : seen.backups)
    if (is_pending(one)) runs(kind_of(one.object->spec.kind));
  if (status.runs->current) runs(kind_of(status.runs->current->kind));
  backup::ScheduleState before = state_of(timetable, status, seen.now);
  // One that a person asked for meanwhile will do.
  if (const auto& failed = status.runs->failed;
      failed && status.last && failed->failed_at < status.last->started_at && !is_ahead(*status.last, seen.now))
    before = after_success(before, kind_of(status.last->kind));
  const backup::ScheduleDecision decision = decide(timetable, before, now);
  look.clock_suspect = decision.clock_suspect;
  store(decision.state, *status.runs);
  status.next.reset();
  if (decision.next && !timetable.suspend) status.next = to_rfc3339(*decision.next);
  if (const auto* run = std::get_if<backup::Begin>(&decision.plan)) {
    const auto& owed = before.failed[index(run->kind)];
    if (builds_on_damage(*run, status)) {
      left_out(status, look,
               fmt::format("{} that was due at {}: the last full backup holds damaged pages, nothing is built on it",
                           to_string(run->kind), to_rfc3339(run->due)));
      store(after_success(decision.state, run->kind), *status.runs);
    } else {
      begin(seen, *run, owed ? std::min(owed->due, run->due) : run->due, status, look);
    }
  } else if (const auto* skip = std::get_if<backup::Skip>(&decision.plan)) {
    left_out(status, look,
             fmt::format("{} that was due at {}: another backup runs", to_string(skip->kind), to_rfc3339(skip->due)));
  } else if (timetable.suspend && before.served_until < decision.state.served_until) {
    left_out(status, look, fmt::format("what was due until {}: suspended", to_rfc3339(seen.now)));
  }
}

// Those of this repository: another one's can't be restored by this schedule.
void note_last(const RunsSeen& seen, api::BackupScheduleStatus& status) {
  const std::string repository = api::repository_of(seen.schedule->spec.destination.s3);
  auto& last = status.last;
  if (last && (last->stanza != seen.stanza || last->repository != repository || seen.gone.contains(last->label)))
    last.reset();
  for (const ShownBackup& one : seen.backups) {
    const api::BackupStatus& its = one.status;
    if (its.phase != BackupPhase::kCompleted || its.stanza != seen.stanza || its.repository != repository) continue;
    if (seen.gone.contains(its.label.value_or(""))) continue;
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
    // Its data stay while it is there.
    if (one->object->spec.keep == api::BackupKeep::kForever) continue;
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
  auto timetable = timetable_of(seen.schedule->spec);
  if (!timetable) return look;
  timetable->immediate = timetable->immediate || seen.full_owed;
  begin_anew(*seen.schedule, seen.now, status);
  settle(seen, *timetable, status, look);
  choose(seen, *timetable, status, look);
  prune(seen, look);
  return look;
}

}  // namespace twinspan::controllers
