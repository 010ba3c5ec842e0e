// People's settings: written, tried, found to be in force or taken back (worker/jobs.hpp).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/auto_conf.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/in_force.hpp"
#include "worker/postgres/backup/backup_keeper.hpp"
#include "worker/postgres/jobs.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kReload{2000};  // until the server has read its files again
constexpr seconds kStart{20};          // longer than that a start is taken for one that goes on
constexpr seconds kNobodyGetsIn{2};    // while it runs, but refuses new sessions
constexpr int kUnprovenStarts = 3;

// The server is on its way up, or its socket is not there yet; any other refusal is its answer.
bool still_starting(const Error& error) {
  for (const char* words : {"the database system is", "Is the server running", "Connection refused"})
    if (error.message.find(words) != std::string::npos) return true;
  return error.code == Code::kTimeout || error.code == Code::kCancelled;
}

// It runs, and is busy with its recovery: libraries are loaded and memory is taken by then.
bool answers(const Error& error) { return error.message.find("the database system is") != std::string::npos; }

// Sessions of others have taken every place: no fault of a setting that changed.
bool too_many(const Error& error) {
  return error.message.find("too many clients") != std::string::npos ||
         error.message.find("remaining connection slots") != std::string::npos;
}

// Values that recovery raised, because the log of a primary with more has to be replayed.
std::vector<MemberReport::Setting> raised(const postgres::Settings& settings) {
  std::vector<MemberReport::Setting> out;
  for (const auto& [name, least] : settings.recovery_floor) {
    const auto found = settings.parameters.find(name);
    int64_t value = 0;
    if (found == settings.parameters.end()) continue;
    const std::string& text = found->second;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc() && value < least)
      out.push_back({name, fmt::format("is {} here until the primary runs with {}", least, value)});
  }
  return out;
}

// What is asked for and not given to PostgreSQL.
std::vector<MemberReport::Setting> withheld(const ParameterKeeper::Map& asked, const ParameterKeeper::Map& given,
                                            const std::string& why) {
  std::vector<MemberReport::Setting> out;
  for (const auto& [name, value] : asked)
    if (const auto found = given.find(name); found == given.end() || found->second != value) out.push_back({name, why});
  for (const auto& [name, value] : given)
    if (!asked.contains(name)) out.push_back({name, why});
  return out;
}

}  // namespace

Status Jobs::configure(const Desired& desired, const std::string& following, bool as_primary,
                       const std::stop_token& stop) {
  const auto tls = postgres::copy_tls_files(c_.layout);
  if (!tls) return std::unexpected(tls.error());
  const auto settings = settings_of(desired, following, as_primary, stop);
  if (!settings) return std::unexpected(settings.error());
  const auto cleaned = take_back_altered(desired);
  if (!cleaned) return std::unexpected(cleaned.error());
  const auto wrote = write_settings(desired, *settings, stop);
  if (!wrote) return std::unexpected(wrote.error());
  c_.local.update([&](Local& local) {
    local.configuration_trouble = parameters_.trouble();
    local.generation = desired.generation;
  });
  if (!*wrote && !*tls && !*cleaned) return {};
  reloaded_at_ = c_.clock.wall_now();
  c_.postmaster.reload();
  return {};
}

Result<postgres::Settings> Jobs::settings_of(const Desired& desired, const std::string& following, bool as_primary,
                                             const std::stop_token& stop) {
  postgres::Settings settings = desired.settings;
  const auto lines = hba_.to_give(asked_hba(desired));
  settings.hba = lines.value_or(HbaKeeper::Lines{});
  settings.accept_clients = (as_primary || !desired.warm) && lines.has_value();
  if (as_primary && c_.local.copy().shut) settings.accept_clients = false;
  if (desired.backup || desired.backup_of_another) settings.archive_command = archive_command_of(c_.layout);
  bound_wal(settings);
  settings.restore_command = rewinds_with_;
  if (!following.empty()) {
    // Of this upstream alone: who follows another may have it all from there.
    const Local local = c_.local.copy();
    if (!as_primary && local.log_gap && local.log_gap->upstream == following &&
        local.log_gap->data_life == local.data_life)
      settings.restore_command = local.log_gap->restore_command;
    const auto upstream = find(desired, following);
    if (!upstream) return std::unexpected(upstream.error());
    settings.upstream = *upstream;
  }
  if (!as_primary) {
    const uint64_t life = c_.local.copy().life;
    settings.recovery_floor = recovery_floor_;
    // Once for each life, and again as long as it holds something up: it falls when the primary runs with less.
    const bool due = recovery_floor_life_ != life || postgres::render_conf(c_.layout, settings) !=
                                                         postgres::render_conf(c_.layout, without_floor(settings));
    if (due && postgres::exists(c_.layout.pgdata() + "/PG_VERSION")) {
      const auto control = postgres::read_control_data(c_.children, c_.layout, stop);
      if (!control) return std::unexpected(control.error());
      recovery_floor_ = control->recovery_floor;
      recovery_floor_life_ = life;
    }
    settings.recovery_floor = recovery_floor_;
  }
  return settings;
}

// The settings asked for; where PostgreSQL refuses them, those it last ran well with. What replication needs never
// waits for people's settings.
Result<bool> Jobs::write_settings(const Desired& desired, postgres::Settings settings, const std::stop_token& stop) {
  const ParameterKeeper::Map asked = desired.keep_parameters ? parameters_.fallback() : settings.parameters;
  const auto before = parameters_.chosen();
  settings.parameters = parameters_.choose(asked, desired.attempt);
  if (settings.parameters != before) {
    unproven_starts_ = 0;
    refused_since_.reset();
  }
  note_asked(asked, desired.attempt);
  auto wrote = postgres::write_configuration(c_.children, c_.layout, settings, parameters_.on_probation(), stop);
  if (wrote || wrote.error().code != Code::kInvalid || !parameters_.on_probation()) return wrote;
  parameters_.give_up(wrote.error().message,
                      parameters_.has_good() ? ParameterKeeper::Map{} : acceptable_alone(settings, stop));
  settings.parameters = parameters_.chosen();
  return postgres::write_configuration(c_.children, c_.layout, settings, false, stop);
}

// Nothing ran well before: one wrong name must not take the others along.
ParameterKeeper::Map Jobs::acceptable_alone(postgres::Settings settings, const std::stop_token& stop) {
  const ParameterKeeper::Map asked = std::move(settings.parameters);
  settings.parameters.clear();
  for (const auto& [name, value] : asked) {
    settings.parameters[name] = value;
    if (!postgres::judge_configuration(c_.children, c_.layout, settings, stop)) settings.parameters.erase(name);
  }
  return settings.parameters;
}

// True: something was taken out of what PostgreSQL reads.
Result<bool> Jobs::take_back_altered(const Desired& desired) {
  if (!postgres::exists(c_.layout.pgdata() + "/PG_VERSION")) return false;
  if (auto barred = postgres::bar_alter_system(c_.layout); !barred) return std::unexpected(barred.error());
  const auto removed = postgres::clean_auto_conf(c_.layout, [&](const postgres::AutoSetting& setting) {
    return api::may_be_altered(setting.name, setting.value, desired.settings.parameters, desired.bounds);
  });
  if (!removed) return std::unexpected(removed.error());
  for (const postgres::AutoSetting& setting : *removed) {
    log::warn("a setting in postgresql.auto.conf was taken out, it is not to be altered there",
              {{"parameter", setting.name}, {"value", postgres::shown_value(setting)}});
    c_.local.update([&](Local& local) {
      local.parameters.taken_back = MemberReport::Setting{setting.name, postgres::shown_value(setting)};
      ++local.parameters.taken_back_count;
    });
  }
  return !removed->empty();
}

void Jobs::note_asked(const ParameterKeeper::Map& asked, const std::string& attempt) {
  const std::string fingerprint = api::fingerprint(asked);
  c_.local.update([&](Local& local) {
    MemberReport::Parameters& said = local.parameters;
    if (said.asked == fingerprint && said.attempt == attempt) return;
    said.asked = fingerprint;
    said.attempt = attempt;
    said.outcome = TrialOutcome::kUnderWay;
    said.not_in_force.assign(1, {"", "just asked for, not yet found to be in force"});
  });
}

// With settings that never ran: waits until PostgreSQL answers at all. Where it ends instead, or lets nobody in, the
// settings are given up: true, and the caller starts it again.
Result<bool> Jobs::start_database(const Desired& desired, const std::stop_token& stop) {
  const uint64_t life = c_.local.copy().life;
  if (auto started = c_.postmaster.start(); !started) return std::unexpected(started.error());
  if (!parameters_.on_probation()) return false;
  if (++unproven_starts_ > kUnprovenStarts)
    return give_up_and_stop("PostgreSQL was started several times and never ran with them");
  const BootTime begin = c_.clock.boot_now();
  std::optional<BootTime> refused_since;
  while (c_.clock.boot_now() - begin < kStart) {
    if (const Local local = c_.local.copy(); local.life != life)
      // What the agent ended itself says nothing of the settings.
      return local.process_died ? give_up_and_stop(local.trouble)
                                : fail(Code::kUnavailable, "PostgreSQL was stopped while it started");
    const auto session = connect(desired, stop);
    if (session || answers(session.error())) return false;
    if (nobody_gets_in(session.error(), refused_since))
      return give_up_and_stop(fmt::format("new sessions fail: {}", session.error().message));
    if (!wait_for(milliseconds(20), stop)) return fail(Code::kCancelled, "stopped");
  }
  return false;
}

// True once new sessions have been refused for a while, and settings that never ran may be why.
bool Jobs::nobody_gets_in(const Error& error, std::optional<BootTime>& since) const {
  if (!parameters_.on_probation() || still_starting(error) || too_many(error)) {
    since.reset();
    return false;
  }
  if (!since) since = c_.clock.boot_now();
  return c_.clock.boot_now() - *since >= kNobodyGetsIn;
}

Result<bool> Jobs::give_up_and_stop(const std::string& words) {
  parameters_.give_up(words);
  unproven_starts_ = 0;
  if (auto stopped = c_.postmaster.stop(postgres::StopMode::kFast, kDatabaseStops); !stopped)
    return std::unexpected(stopped.error());
  return true;
}

// A new session, as everybody gets one, and what PostgreSQL says in it of the settings. The first time that all is as
// asked for they are the ones it runs well with.
Status Jobs::check_parameters(const Desired& desired, const std::string& following, bool as_primary,
                              const std::stop_token& stop) {
  const Result<postgres::SettingsSeen> seen = ask_of_settings(desired, stop);
  if (!seen) {
    if (stop.stop_requested() || still_starting(seen.error()) || too_many(seen.error())) {
      refused_since_.reset();
      return {};
    }
    const std::string words = fmt::format("new sessions fail: {}", seen.error().message);
    c_.local.update([&](Local& local) { local.configuration_trouble = words; });
    if (desired.paused || !nobody_gets_in(seen.error(), refused_since_)) return {};
    refused_since_.reset();
    parameters_.give_up(words);
    return configure(desired, following, as_primary, stop);
  }
  refused_since_.reset();
  const auto settings = settings_of(desired, following, as_primary, stop);
  if (!settings) return std::unexpected(settings.error());
  std::vector<MemberReport::Setting> missing =
      withheld(desired.settings.parameters, parameters_.chosen(), parameters_.trouble());
  for (const postgres::NotInForce& one : seen->not_in_force) missing.push_back({one.name, one.why});
  // A replica can't have less before its primary does: no fault of what is tried, and nothing to wait for in a trial.
  const bool runs = missing.empty();
  for (MemberReport::Setting& one : raised(*settings)) missing.push_back(std::move(one));
  if (seen->not_in_force.empty() && parameters_.on_probation()) {
    unproven_starts_ = 0;
    if (auto saved = parameters_.proven(); !saved) return saved;
  }
  const bool gave_up = !parameters_.trouble().empty();
  const bool reloaded = seen->loaded_at >= reloaded_at_;
  c_.local.update([&](Local& local) {
    if (reloaded) local.hba = hba_.said_of(asked_hba(desired));
    MemberReport::Parameters& said = local.parameters;
    if (!gave_up) local.configuration_trouble.clear();
    said.outcome = gave_up ? TrialOutcome::kUndone : runs ? TrialOutcome::kRuns : TrialOutcome::kUnderWay;
    said.words = parameters_.trouble();
    said.not_in_force = std::move(missing);
  });
  return {};
}

Result<postgres::SettingsSeen> Jobs::ask_of_settings(const Desired& desired, const std::stop_token& stop) {
  const BootTime begin = c_.clock.boot_now();
  for (bool again = false;; again = true) {
    auto session = connect(desired, stop);
    if (!session && again) return std::unexpected(session.error());
    if (session) {
      auto seen = postgres::settings_in_force(*session, parameters_.chosen(), kLocalConnect, stop);
      if (!seen || seen->loaded_at >= reloaded_at_ || c_.clock.boot_now() - begin >= kReload) return seen;
    }
    if (!wait_for(milliseconds(session ? 20 : 300), stop)) return fail(Code::kCancelled, "stopped");
  }
}

// One member after another (restart_turn.hpp).
Status Jobs::restart_where_needed(const Desired& desired, const Local& local, const std::string& primary) {
  if (local.seen->pending_restart.empty() || desired.paused) {
    restart_turn_.reset();
    return {};
  }
  const auto direct = downstreams_of(desired, desired.settings.endpoint, primary);
  const bool followed = std::all_of(direct.begin(), direct.end(), [&](const std::string& name) {
    return std::any_of(local.seen->senders.begin(), local.seen->senders.end(),
                       [&](const auto& one) { return one.application == name && one.state == "streaming"; });
  });
  if (!restart_turn_.has(desired, primary, followed, c_.clock.boot_now())) return {};
  std::string names;
  for (const std::string& name : local.seen->pending_restart) names += (names.empty() ? "" : ", ") + name;
  log::info("restarting for changed parameters", {{"parameters", names}});
  restart_turn_.reset();
  doing(MemberState::kStopping);
  c_.local.update([](Local& one) { one.writable = false; });
  return c_.postmaster.stop(postgres::StopMode::kFast, kDatabaseStops);
}

}  // namespace twinspan::worker
