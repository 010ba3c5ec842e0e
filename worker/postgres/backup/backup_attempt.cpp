// Of the keeper: one attempt at one backup. The repository is the truth: a backup that carries the Backup's uid is that
// Backup, whoever's agent took it and whatever became of that since.
#include <fmt/format.h>

#include <algorithm>

#include "backup/parent.hpp"
#include "backup/pgbackrest.hpp"
#include "backup/standby.hpp"
#include "core/log.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/upstream.hpp"
#include "worker/postgres/backup/backup_keeper.hpp"
#include "worker/postgres/jobs.hpp"

namespace twinspan::worker {
namespace {

using Phase = BackupReport::Phase;

constexpr std::chrono::hours kLongest{24 * 7};
constexpr std::chrono::minutes kCheckpoint{5};
constexpr std::chrono::seconds kAsk{10}, kServerBegins{60};

backup::Kind kind_of(api::BackupKind kind) { return *backup::parse_kind(to_string(kind)); }

// For people: a set that is whole may hold what was damaged before.
std::string damage_of(const PgBackRest& program, const std::string& label, const std::stop_token& stop) {
  const auto info = program.run_checked({"--set=" + label, "--output=json", "info"}, {}, stop);
  return backup::damage_words(info ? backup::damaged_files(info->out) : std::vector<std::string>());
}

}  // namespace

AttemptView BackupKeeper::attempt_view(const Standing& now) const {
  AttemptView view;
  view.under_way = attempted_;
  if (!now.desired || !now.desired->backup) return view;
  view.wanted = now.desired->backup;
  const auto& run = view.wanted->run;
  view.mine = is_its_run(*view.wanted, self(now));
  view.over = run && report_.run && report_.run->uid == run->uid && report_.run->attempt == run->attempt &&
              (report_.run->phase == Phase::kCompleted || report_.run->phase == Phase::kFailed);
  return view;
}

// On a thread of its own, so that the keeper's goes on.
void BackupKeeper::begin_attempt(const api::BackupRun& run) {
  attempts_.stop();  // the last one's role is over
  attempts_.start([this, run](const std::stop_token& stop) { attempt(run, stop); });
}

void BackupKeeper::attempt(const api::BackupRun& run, const std::stop_token& stop) {
  std::stop_source own;
  {
    MutexLock lock(mutex_);
    own = stop_attempt_;
  }
  const std::stop_callback ends(stop, [&] { own.request_stop(); });
  const auto pgbackrest = program();
  if (pgbackrest) {
    BackupReport::Run begun;
    begun.uid = run.uid;
    begun.attempt = run.attempt;
    tell([&](BackupReport& report) { report.run = begun; });
    log::info("backup begins",
              {{"backup", run.name}, {"kind", std::string(to_string(run.kind))}, {"attempt", run.attempt}});
    const Status taken = take(*pgbackrest, run, own.get_token());
    log::info("backup ended", {{"backup", run.name}, {"error", taken ? "" : taken.error().message}});
    // One that was called off is nobody's any more.
    if (!taken)
      tell([&](BackupReport& report) {
        if (!report.run) return;
        if (own.stop_requested()) {
          report.run.reset();
          return;
        }
        report.run->phase = Phase::kFailed;
        report.run->message = taken.error().message;
      });
  }
  {
    MutexLock lock(mutex_);
    attempted_.reset();
  }
  repository_.look_again();
  wake_.raise();
}

Status BackupKeeper::take(const PgBackRest& program, const api::BackupRun& run, const std::stop_token& stop) {
  const auto before = stored_sets(program, stop);
  if (!before) return std::unexpected(before.error());
  const auto done_before = note_stored(program, run, *before, stop);
  if (!done_before) return std::unexpected(done_before.error());
  if (*done_before) return {};
  const auto parent = backup::parent_for(kind_of(run.kind), *before, c_.local.copy().system_id);
  if (!parent) {
    tell([](BackupReport& report) {
      if (report.run) report.run->no_parent = true;
    });
    return std::unexpected(parent.error());
  }
  const api::BackupAssignment asked = order();
  std::unique_ptr<Relay> relay;
  const auto where = asked.archiver == run.endpoint ? at_primary(stop) : at_replica(asked, stop, relay);
  if (!where) return std::unexpected(where.error());
  PgBackRest::How how{kLongest, true, [this](std::string_view line) {
                        if (!backup::waits_for_wal(line)) return;
                        tell([](BackupReport& report) {
                          if (report.run) report.run->phase = Phase::kWaitingForWal;
                        });
                      }};
  // Never on with a half-done one of before: that would be another attempt under an old label.
  std::vector<std::string> arguments{fmt::format("--type={}", backup::type_of(kind_of(run.kind))),
                                     fmt::format("--process-max={}", asked.threads), "--no-resume",
                                     fmt::format("--annotation={}={}", backup::kMadeFor, run.uid)};
  arguments.insert(arguments.end(), where->begin(), where->end());
  arguments.emplace_back("backup");
  const auto done = program.run_checked(std::move(arguments), how, stop);
  if (!done) return std::unexpected(done.error());
  const auto after = stored_sets(program, stop);
  if (!after) return std::unexpected(after.error());
  const auto noted = note_stored(program, run, *after, stop);
  if (!noted) return std::unexpected(noted.error());
  if (!*noted) return fail(Code::kInternal, "pgbackrest backup succeeded, and the repository does not have it");
  return {};
}

// pgBackRest compares pg_control's timeline with the log's: after a promotion the former waits for a checkpoint.
Result<std::vector<std::string>> BackupKeeper::at_primary(const std::stop_token& stop) const {
  auto session = postgres::open_local(c_.layout, c_.postgres_port, kLocalConnect, stop);
  if (!session) return std::unexpected(session.error());
  if (auto done = postgres::checkpoint(*session, kCheckpoint, stop); !done) return std::unexpected(done.error());
  return std::vector<std::string>();
}

// The primary begins and ends the backup, and hands over a few small files; the rest is read here.
Result<std::vector<std::string>> BackupKeeper::at_replica(const api::BackupAssignment& order,
                                                          const std::stop_token& stop,
                                                          std::unique_ptr<Relay>& relay) const {
  const auto desired = c_.standing().desired;
  if (!desired) return fail(Code::kUnavailable, "the link is not known");
  const auto found = desired->members.find(order.archiver);
  if (found == desired->members.end())
    return fail(Code::kUnavailable, fmt::format("the address of {} is not known", order.archiver));
  const postgres::Upstream& primary = found->second;
  const std::string& endpoint = desired->settings.endpoint;
  if (auto settled = postgres::settle_for_rewind(c_.layout, primary, endpoint, stop); !settled)
    return std::unexpected(settled.error());
  const auto place = postgres::ask_place(c_.layout, primary, endpoint, kAsk, stop);
  if (!place) return std::unexpected(place.error());
  relay = std::make_unique<Relay>(primary.address, backup::kServerPort);
  if (auto answers = relay->await(kServerBegins, stop); !answers) return std::unexpected(answers.error());
  if (auto started = relay->start(); !started) return std::unexpected(started.error());
  return backup::standby_options(
      {"localhost", relay->port(), place->pgdata, place->socket_directory, place->port},
      {c_.layout.ca_file(), c_.layout.client_certificate_file(), c_.layout.client_key_file()});
}

api::BackupAssignment BackupKeeper::order() const {
  MutexLock lock(mutex_);
  return attempted_.value_or(api::BackupAssignment{});
}

// What is stored for this Backup is told as it is; whether anything is. An error: it is of another kind.
Result<bool> BackupKeeper::note_stored(const PgBackRest& program, const api::BackupRun& run,
                                       const std::vector<backup::BackupSet>& sets, const std::stop_token& stop) {
  const auto found =
      std::find_if(sets.begin(), sets.end(), [&](const backup::BackupSet& one) { return one.made_for == run.uid; });
  if (found == sets.end()) return false;
  const bool as_asked = found->kind == kind_of(run.kind);
  const auto seconds_of = [](WallTime time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  };
  const BackupReport::Run told{run.uid,
                               run.attempt,
                               as_asked ? Phase::kCompleted : Phase::kRunning,
                               found->corrupt.value_or(false) ? damage_of(program, found->label, stop) : "",
                               found->label,
                               to_string(found->start),
                               to_string(found->stop),
                               found->timeline,
                               found->read_bytes,
                               found->stored_bytes,
                               seconds_of(found->started_at),
                               seconds_of(found->stopped_at),
                               found->corrupt,
                               found->needs,
                               false};
  tell([&](BackupReport& report) { report.run = told; });
  if (as_asked) return true;
  return fail(Code::kInvalid, fmt::format("{} was asked for, and pgBackRest has stored {}, which is {}",
                                          to_string(run.kind), found->label, to_string(found->kind)));
}

Result<std::vector<backup::BackupSet>> BackupKeeper::stored_sets(const PgBackRest& program,
                                                                 const std::stop_token& stop) {
  const auto info = program.run_checked({"--output=json", "info"}, {}, stop);
  if (!info) return std::unexpected(info.error());
  std::string stanza;
  {
    MutexLock lock(mutex_);
    if (ready_) stanza = ready_->assignment.stanza;
  }
  auto stored = backup::parse_info(info->out, stanza);
  if (!stored) return std::unexpected(stored.error());
  return std::move(stored->backups);
}

}  // namespace twinspan::worker
