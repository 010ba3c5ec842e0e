#include "worker/postgres/jobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/declared.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/import_marks.hpp"
#include "engines/postgres/processes.hpp"
#include "engines/postgres/promote.hpp"
#include "engines/postgres/slots.hpp"
#include "worker/postgres/backup/restore_data.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/memory_file.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kCheckpointBeforeHandover{10000};

}  // namespace

std::string to_string(const Job& job) {
  struct Namer {
    std::string operator()(const HandOver& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Remember& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Initialize& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const PutRestored& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StartPrimary& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Promote& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StopReceiver& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StartReplica& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Follow& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Clone& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Rewind& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StopReplica& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Compare& j) const { return fmt::format("Compare({},{})", j.primary, j.epoch.value); }
    std::string operator()(const Examine&) const { return "Examine"; }
    std::string operator()(const Open&) const { return "Open"; }
    std::string operator()(const Upkeep&) const { return "Upkeep"; }
  };
  return std::visit(Namer{}, job);
}

bool is_same(const Job& a, const Job& b) {
  return std::visit(
      [&]<class One>(const One& one) {
        const auto* other = std::get_if<One>(&b);
        if (other == nullptr) return false;
        if constexpr (std::is_same_v<One, Clone> || std::is_same_v<One, Rewind>)
          return one.from == other->from;
        else if constexpr (std::is_same_v<One, Compare>)
          return one.primary == other->primary && one.epoch == other->epoch;
        else if constexpr (std::is_same_v<One, Upkeep>)
          return true;
        else
          return one == *other;
      },
      a);
}

std::string name_of(const Job& job) {
  const std::string text = to_string(job);
  return text.substr(0, text.find('('));
}

Status Jobs::run(const Job& job, const Desired& desired, const std::stop_token& stop) {
  const BootTime start = c_.clock.boot_now();
  const auto done = c_.places.half_done() && !std::holds_alternative<PutRestored>(job)
                        ? finish_exchange()
                        : std::visit([&](const auto& one) { return carry_out(one, desired, stop); }, job);
  const bool quiet = std::holds_alternative<Upkeep>(job);
  const auto took = std::chrono::duration_cast<milliseconds>(c_.clock.boot_now() - start).count();
  if (!done)
    log::warn("action failed", {{"plan", to_string(job)}, {"duration_ms", took}, {"error", done.error().message}});
  else if (!quiet)
    log::info("action done", {{"plan", to_string(job)}, {"duration_ms", took}});
  c_.local.update([&](Local& local) {
    local.doing.reset();
    local.progress.reset();
    if (!done && done.error().code != Code::kCancelled)
      local.trouble = fmt::format("{}: {}", to_string(job), done.error().message);
    else if (done && (!quiet || local.trouble.starts_with(to_string(job) + ":")))
      local.trouble.clear();
  });
  return done;
}

void Jobs::fence() {
  c_.postmaster.signal_stop(postgres::StopMode::kImmediate);
  std::vector<pid_t> parents;
  if (const pid_t pid = c_.postmaster.pid(); pid != 0) parents.push_back(pid);
  (void)postgres::kill_server_processes(c_.layout.pgdata(), parents, milliseconds(200));
}

void Jobs::doing(std::optional<MemberState> state, std::optional<Progress> progress) {
  c_.local.update([&](Local& local) {
    local.doing = state;
    local.progress = std::move(progress);
  });
}

void Jobs::data_replaced(DataShape shape) {
  c_.local.update([&](Local& local) {
    local.data = shape;
    ++local.life;
    ++local.data_life;
    local.received.reset();
    local.final_position.reset();
    local.comparison.reset();
    local.log_gap.reset();
    local.hba.reset();
    local.rewind_hopeless = false;
    local.timeline.reset();
    local.history.clear();
    local.system_id.clear();
  });
}

Result<postgres::Upstream> Jobs::find(const Desired& desired, const std::string& endpoint) const {
  const auto found = desired.members.find(endpoint);
  if (found == desired.members.end())
    return fail(Code::kUnavailable, fmt::format("the address of {} is not known yet", endpoint));
  return found->second;
}

Result<postgres::Session> Jobs::connect(const Desired& desired, const std::stop_token& stop) const {
  return postgres::open_local(c_.layout, desired.settings.port, kLocalConnect, stop);
}

Status Jobs::carry_out(const HandOver&, const Desired& desired, const std::stop_token& stop) {
  // The long part of a shutdown's checkpoint is done while writes still go on.
  if (c_.local.copy().sql_healthy.value_or(false)) {
    if (auto session = connect(desired, stop)) (void)postgres::checkpoint(*session, kCheckpointBeforeHandover, stop);
  }
  doing(MemberState::kStopping);
  const auto stopped = c_.postmaster.stop(postgres::StopMode::kFast, kDatabaseStops);
  if (!stopped) return stopped;
  const auto control = postgres::read_control_data(c_.children, c_.layout, stop);
  if (!control) return std::unexpected(control.error());
  c_.local.update([&](Local& local) {
    if (control->cleanly_shut_down()) local.received = local.final_position = postgres::end_of_clean_log(*control);
  });
  return {};
}

Status Jobs::carry_out(const Remember& job, const Desired&, const std::stop_token& stop) {
  const Local before = c_.local.copy();
  std::string system_id = before.system_id;
  if (before.data != DataShape::kNone && system_id.empty()) {
    const auto control = postgres::read_control_data(c_.children, c_.layout, stop);
    if (!control) return std::unexpected(control.error());
    system_id = control->system_id;
  }
  if (auto written = write_memory(c_.layout.data_dir, {job.memory, system_id}); !written) return written;
  c_.local.update([&](Local& local) { local.memory = job.memory; });
  return {};
}

Status Jobs::carry_out(const Examine&, const Desired&, const std::stop_token& stop) {
  const Local before = c_.local.copy();
  const auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
  if (!own) return std::unexpected(own.error());
  c_.local.update([&](Local& local) {
    if (local.data_life != before.data_life || local.process != ProcessState::kStopped) return;
    local.system_id = own->system_id;
    local.timeline = own->timeline;
    local.history = own->history;
    if (own->end && (!local.received || *local.received < *own->end)) local.received = own->end;
  });
  return {};
}

Status Jobs::carry_out(const Initialize&, const Desired& desired, const std::stop_token& stop) {
  doing(MemberState::kInitializing);
  const auto made = desired.restored_by.empty()
                        ? postgres::initialize(c_.children, c_.layout, desired.cluster, let_nobody_in, stop)
                        : restore(desired, stop);
  if (made) data_replaced(DataShape::kPrimary);
  return made;
}

// An empty database must not take the place of the one that was to be restored.
Status Jobs::restore(const Desired& desired, const std::stop_token& stop) {
  // A Restore asks for one thing, for as long as it goes on; another one is another name.
  if (const auto known = c_.local.copy().backup; known && known->restored &&
                                                 known->restored->name == desired.restored_by &&
                                                 known->restored->step == BackupReport::Step::kFailed)
    return fail(Code::kInvalid, known->restored->message);
  if (!desired.restore || desired.restore->in_place || desired.restore->name != desired.restored_by)
    return fail(Code::kUnavailable,
                fmt::format("Restore {} has not said yet what to restore, or has ended", desired.restored_by));
  if (std::exchange(restoring_, desired.restore->name) != desired.restore->name) restore_exhausted_ = {};
  BackupReport::Restored said{desired.restore->name, BackupReport::Step::kFetching, ""};
  const auto tell = [&](const BackupReport::Restored& now) {
    said = now;
    said.name = desired.restore->name;
    c_.local.update([&](Local& local) {
      if (!local.backup) local.backup.emplace();
      local.backup->restored = said;
    });
  };
  const Status done =
      restore_data({c_.children, c_.layout, c_.repository, desired.settings, tell, c_.clock, restore_exhausted_},
                   *desired.restore, stop);
  if (!done && done.error().code != Code::kCancelled) {
    said.step = is_final(done.error()) ? BackupReport::Step::kFailed : BackupReport::Step::kFetching;
    said.message = done.error().message;
    tell(BackupReport::Restored(said));
  }
  return done;
}

Status Jobs::carry_out(const StartPrimary& job, const Desired& desired, const std::stop_token& stop) {
  doing(MemberState::kStarting);
  if (auto configured = configure(desired, "", true, stop); !configured) return configured;
  if (auto unset = postgres::set_standby(c_.layout, false); !unset) return unset;
  const auto control = postgres::read_control_data(c_.children, c_.layout, stop);
  if (!control) return std::unexpected(control.error());
  // The guard's deadline counts from here on, and the decision sees a primary: losing the lease now ends in a fence.
  if (!c_.guard.enter_primary(c_.clock.boot_now())) return fail(Code::kUnavailable, "the lease has run out");
  c_.local.update([&](Local& local) {
    local.process = ProcessState::kPrimaryRunning;
    local.process_died = local.writable = local.receiver_stopped = false;
    local.following.clear();
    local.seen.reset();
    local.sql_healthy.reset();
    local.sql_failures = 0;
    local.final_position.reset();
    local.system_id = control->system_id;
    ++local.life;
  });
  const auto gave_up = start_database(desired, stop);
  if (!gave_up) {
    if (!c_.postmaster.running()) {
      c_.local.update([](Local& local) { local.process = ProcessState::kStopped; });
      c_.guard.leave_primary();
    }
    return std::unexpected(gave_up.error());
  }
  return *gave_up ? carry_out(job, desired, stop) : Status{};
}

Status Jobs::carry_out(const Promote&, const Desired& desired, const std::stop_token& stop) {
  doing(MemberState::kPromoting);
  // Synchronous standbys as they are wanted now are in force before the first commit.
  if (auto configured = configure(desired, "", true, stop); !configured) return configured;
  if (!c_.guard.enter_primary(c_.clock.boot_now())) return fail(Code::kUnavailable, "the lease has run out");
  c_.local.update([](Local& local) {
    local.process = ProcessState::kPrimaryRunning;
    local.process_died = local.writable = local.receiver_stopped = false;
    local.following.clear();
    local.data = DataShape::kPrimary;
  });
  return postgres::request_promotion(c_.layout, c_.postmaster);
}

Status Jobs::carry_out(const Open&, const Desired& desired, const std::stop_token& stop) {
  doing(MemberState::kPromoting);
  const uint64_t life = c_.local.copy().life;
  auto session = connect(desired, stop);
  std::optional<BootTime> refused_since;
  while (!session) {
    if (c_.local.copy().life != life) return fail(Code::kUnavailable, "the database is gone");
    if (nobody_gets_in(session.error(), refused_since)) {
      parameters_.give_up(fmt::format("new sessions fail: {}", session.error().message));
      if (auto configured = configure(desired, "", true, stop); !configured) return configured;
    }
    if (!wait_for(milliseconds(5), stop)) return fail(Code::kCancelled, "stopped");
    session = connect(desired, stop);
  }
  if (auto promoted = postgres::wait_until_promoted(*session, std::chrono::minutes(10), stop); !promoted)
    return promoted;
  if (auto role = postgres::ensure_replication_role(*session, stop); !role) return role;
  const auto there =
      session->query("SELECT 1 FROM pg_database WHERE datname = $1", {desired.database}, kLocalConnect, stop);
  if (!there) return std::unexpected(there.error());
  // A new cluster: nobody is let in before its database is there. What was restored has another link's passwords.
  const auto restored = read_restored_mark(c_.layout.data_dir);
  const bool restored_now = restored && !restored->opened;
  if (there->empty() || restored_now)
    if (auto owner = apply_owner(desired, *session, stop); !owner) return owner;
  // Whose contents are to come from elsewhere: nobody else puts anything into it.
  if (there->empty() && desired.import_ && !desired.import_completed)
    if (auto kept = postgres::keep_clients_out(*session, desired.database, stop); !kept) return kept;
  c_.local.update([&](Local& local) {
    if (local.life != life || local.process != ProcessState::kPrimaryRunning) return;
    local.writable = true;
    local.objects.reset();
    if (local.memory) local.opened_in = local.memory->data_epoch.value_or(Epoch{0});
  });
  if (!restored_now) return {};
  RestoredMark opened = *restored;
  opened.opened = true;
  return write_restored_mark(c_.layout.data_dir, opened);
}

Status Jobs::apply_owner(const Desired& desired, postgres::Session& session, const std::stop_token& stop) {
  const auto owner = postgres::read_owner(c_.owner_dir);
  if (!owner) return std::unexpected(owner.error());
  const std::string content = owner->username + "\n" + owner->password;
  if (content == owner_applied_) return {};
  if (auto done = postgres::ensure_owner_and_database(c_.layout, desired.settings.port, session, *owner,
                                                      desired.database, desired.objects.of_the_owner(), stop);
      !done)
    return done;
  owner_applied_ = content;
  if (const auto seen = postgres::look_at_declared(session, owner->username, desired.database, stop))
    declared_digest_ = seen->digest;
  log::info("owner and database are as declared", {{"database", desired.database}, {"owner", owner->username}});
  return {};
}

Status Jobs::carry_out(const Upkeep& job, const Desired& desired, const std::stop_token& stop) {
  const Local local = c_.local.copy();
  const bool primary = local.process == ProcessState::kPrimaryRunning;
  if (local.process == ProcessState::kStopped) return {};
  if (!local.seen)  // nobody gets in so far
    return desired.paused ? Status{} : check_parameters(desired, local.following, primary, stop);
  if (auto ended = end_false_senders(desired, local, stop); !ended) return ended;
  const Status judged = desired.paused ? Status{} : judge_hba(desired, stop);
  if (!desired.paused)
    if (auto configured = configure(desired, local.following, primary, stop); !configured) return configured;
  const auto checked = check_parameters(desired, local.following, primary, stop);
  if (!primary) {
    look_for_log_gap(desired, local, job, stop);
    if (auto restarted = restart_hung_receiver(desired, local); !restarted) return restarted;
  }
  std::vector<std::string> wanted;
  for (const std::string& name : downstreams_of(desired, desired.settings.endpoint, job.primary))
    wanted.push_back(postgres::slot_name(name));
  const postgres::SlotPlan slots =
      postgres::plan_slots(local.seen->slots, wanted, local.volume && postgres::is_critical(*local.volume));
  const auto owner = postgres::read_owner(c_.owner_dir);
  const bool owner_differs = primary && owner && owner->username + "\n" + owner->password != owner_applied_;
  if (primary && !owner) c_.local.update([&](Local& one) { one.configuration_trouble = owner.error().message; });
  if (!slots.empty() || owner_differs) {
    auto session = connect(desired, stop);
    if (!session) return std::unexpected(session.error());
    // First what replicas need: an owner that can't be applied must not keep them away.
    if (!slots.empty())
      if (auto done = postgres::carry_out(*session, slots, stop); !done) return done;
    if (owner_differs)
      if (auto done = apply_owner(desired, *session, stop); !done) return done;
  }
  if (primary && !desired.paused)
    if (auto kept = keep_declared(desired, stop); !kept) return kept;
  if (primary && !desired.paused && local.writable && owner)
    if (auto kept = keep_objects(desired, local, owner->username, stop); !kept) return kept;
  if (!checked) return checked;
  if (!judged) return judged;
  return restart_where_needed(desired, local, job.primary);
}

}  // namespace twinspan::worker
