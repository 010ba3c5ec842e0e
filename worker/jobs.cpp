#include "worker/jobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/clone.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/processes.hpp"
#include "engines/postgres/promote.hpp"
#include "engines/postgres/rewind.hpp"
#include "engines/postgres/upstream.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kConnect{1000};
constexpr milliseconds kUpstream{3000};
constexpr milliseconds kCheckpointBeforeHandover{10000};
constexpr milliseconds kStopPatience{2000};

}  // namespace

std::string to_string(const Job& job) {
  struct Namer {
    std::string operator()(const HandOver& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Initialize& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StartPrimary& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Promote& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StopReceiver& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StartReplica& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Follow& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Clone& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Rewind& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const StopReplica& j) const { return twinspan::to_string(MemberAction{j}); }
    std::string operator()(const Compare& j) const { return fmt::format("Compare({},{})", j.primary, j.epoch.value); }
    std::string operator()(const Open&) const { return "Open"; }
    std::string operator()(const Upkeep&) const { return "Upkeep"; }
  };
  return std::visit(Namer{}, job);
}

std::string name_of(const Job& job) {
  const std::string text = to_string(job);
  return text.substr(0, text.find('('));
}

Result<postgres::Owner> read_owner(const std::string& owner_dir) {
  const auto username = postgres::read_file(owner_dir + "/username");
  if (!username) return std::unexpected(username.error());
  const auto password = postgres::read_file(owner_dir + "/password");
  if (!password) return std::unexpected(password.error());
  const postgres::Owner owner{*username, *password};
  if (auto fine = postgres::check_owner(owner); !fine) return std::unexpected(fine.error());
  return owner;
}

Status Jobs::run(const Job& job, const Desired& desired, const std::stop_token& stop) {
  const BootTime start = c_.clock.boot_now();
  const auto done = std::visit([&](const auto& one) { return carry_out(one, desired, stop); }, job);
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
    else if (done && !quiet)
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
  return postgres::open_local(c_.layout, desired.settings.port, kConnect, stop);
}

Status Jobs::configure(const Desired& desired, const std::string& following, bool as_primary,
                       const std::stop_token& stop) {
  const auto tls = postgres::copy_tls_files(c_.layout);
  if (!tls) return std::unexpected(tls.error());
  postgres::Settings settings = desired.settings;
  settings.accept_clients = as_primary || !desired.warm;
  if (!following.empty()) {
    const auto upstream = find(desired, following);
    if (!upstream) return std::unexpected(upstream.error());
    settings.upstream = *upstream;
  }
  if (!as_primary) {
    const uint64_t life = c_.local.copy().life;
    if (recovery_floor_life_ != life && postgres::exists(c_.layout.pgdata() + "/PG_VERSION")) {
      const auto control = postgres::read_control_data(c_.children, c_.layout, stop);
      if (!control) return std::unexpected(control.error());
      recovery_floor_ = control->recovery_floor;
      recovery_floor_life_ = life;
    }
    settings.recovery_floor = recovery_floor_;
  }
  auto wrote =
      postgres::write_configuration(c_.children, c_.layout, settings, settings.parameters != good_parameters_, stop);
  std::string trouble;
  if (!wrote && wrote.error().code == Code::kInvalid) {
    // People's parameters are at fault. What replication needs must not wait for them: the last good ones stay.
    trouble = wrote.error().message;
    settings.parameters = good_parameters_;
    wrote = postgres::write_configuration(c_.children, c_.layout, settings, false, stop);
  } else if (wrote) {
    good_parameters_ = settings.parameters;
  }
  if (!wrote) return std::unexpected(wrote.error());
  c_.local.update([&](Local& local) {
    local.configuration_trouble = trouble;
    if (trouble.empty()) local.generation = desired.generation;
  });
  if (*wrote || *tls) c_.postmaster.reload();
  return {};
}

Status Jobs::carry_out(const HandOver&, const Desired& desired, const std::stop_token& stop) {
  // The long part of a shutdown's checkpoint is done while writes still go on.
  if (c_.local.copy().sql_healthy.value_or(false)) {
    if (auto session = connect(desired, stop)) (void)postgres::checkpoint(*session, kCheckpointBeforeHandover, stop);
  }
  doing(MemberState::kStopping);
  const auto stopped = c_.postmaster.stop(postgres::StopMode::kFast, kStopPatience);
  if (!stopped) return stopped;
  const auto control = postgres::read_control_data(c_.children, c_.layout, stop);
  if (!control) return std::unexpected(control.error());
  c_.local.update([&](Local& local) {
    if (control->cleanly_shut_down()) local.received = local.final_position = postgres::end_of_clean_log(*control);
  });
  return {};
}

Status Jobs::carry_out(const Initialize&, const Desired&, const std::stop_token& stop) {
  doing(MemberState::kInitializing);
  const auto made = postgres::initialize(c_.children, c_.layout, stop);
  if (made) data_replaced(DataShape::kPrimary);
  return made;
}

Status Jobs::carry_out(const StartPrimary&, const Desired& desired, const std::stop_token& stop) {
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
  const auto started = c_.postmaster.start();
  if (!started) {
    c_.local.update([](Local& local) { local.process = ProcessState::kStopped; });
    c_.guard.leave_primary();
  }
  return started;
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
  while (!session) {
    if (c_.local.copy().life != life) return fail(Code::kUnavailable, "the database is gone");
    if (!wait_for(milliseconds(5), stop)) return fail(Code::kCancelled, "stopped");
    session = connect(desired, stop);
  }
  if (auto promoted = postgres::wait_until_promoted(*session, std::chrono::minutes(10), stop); !promoted)
    return promoted;
  if (auto role = postgres::ensure_replication_role(*session, stop); !role) return role;
  const auto there = session->query("SELECT 1 FROM pg_database WHERE datname = $1", {desired.database}, kConnect, stop);
  if (!there) return std::unexpected(there.error());
  if (there->empty())  // a new cluster: nobody is let in before its database is there
    if (auto owner = apply_owner(desired, *session, stop); !owner) return owner;
  c_.local.update([&](Local& local) {
    if (local.life == life && local.process == ProcessState::kPrimaryRunning) local.writable = true;
  });
  return {};
}

Status Jobs::carry_out(const StopReceiver&, const Desired& desired, const std::stop_token& stop) {
  if (auto configured = configure(desired, "", false, stop); !configured) return configured;
  c_.local.update([](Local& local) { local.following.clear(); });
  auto session = connect(desired, stop);
  if (!session) {
    // A replica short of a consistent state answers no SQL, perhaps for ever: its processes and files tell as well.
    for (int i = 0; i < 100 && postgres::has_wal_receiver(c_.postmaster.pid()); ++i)
      if (!wait_for(milliseconds(10), stop)) return fail(Code::kCancelled, "stopped");
    if (postgres::has_wal_receiver(c_.postmaster.pid())) return fail(Code::kTimeout, "the WAL receiver does not stop");
    const auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
    if (!own) return std::unexpected(own.error());
    c_.local.update([&](Local& local) {
      if (!local.received || *local.received < *own->end) local.received = own->end;
      local.receiver_stopped = true;
    });
    return {};
  }
  if (auto stopped = postgres::wait_until_receiver_stopped(*session, seconds(5), stop); !stopped) return stopped;
  const auto seen = postgres::observe(*session, kConnect, stop);
  if (!seen) return std::unexpected(seen.error());
  c_.local.update([&](Local& local) {
    if (!local.received || *local.received < seen->received) local.received = seen->received;
    local.receiver_stopped = true;
    local.seen = *seen;
  });
  return {};
}

Status Jobs::carry_out(const StartReplica& job, const Desired& desired, const std::stop_token& stop) {
  doing(MemberState::kStarting);
  const Local before = c_.local.copy();
  if (auto set = postgres::set_standby(c_.layout, true); !set) return set;
  if (auto configured = configure(desired, job.upstream, false, stop); !configured) return configured;
  // What lies here counts as received though it is replayed only by and by.
  const auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
  if (!own) return std::unexpected(own.error());
  c_.guard.leave_primary();
  c_.local.update([&](Local& local) {
    local.process = ProcessState::kReplicaRunning;
    local.data = DataShape::kReplica;
    local.process_died = local.writable = false;
    local.following = job.upstream;
    local.receiver_stopped = job.upstream.empty();
    local.seen.reset();
    local.sql_healthy.reset();
    local.sql_failures = 0;
    local.final_position.reset();
    local.system_id = own->system_id;
    local.timeline = own->timeline;
    local.history = own->history;
    if (!local.received || *local.received < *own->end) local.received = own->end;
    ++local.life;
  });
  if (!job.upstream.empty())
    if (const auto upstream = find(desired, job.upstream))
      (void)postgres::ensure_slot_at(c_.layout, *upstream, desired.settings.endpoint, kUpstream, stop);
  const auto started = c_.postmaster.start();
  if (!started) c_.local.update([](Local& local) { local.process = ProcessState::kStopped; });
  return started;
}

Status Jobs::carry_out(const Follow& job, const Desired& desired, const std::stop_token& stop) {
  if (job.upstream.empty()) return fail(Code::kUnavailable, "nobody to follow");
  const auto upstream = find(desired, job.upstream);
  if (!upstream) return std::unexpected(upstream.error());
  // Without its slot the receiver would have to try again and again.
  if (auto slot = postgres::ensure_slot_at(c_.layout, *upstream, desired.settings.endpoint, kUpstream, stop); !slot)
    return slot;
  c_.local.update(
      [](Local& local) { local.receiver_stopped = false; });  // first: it is no longer true while the receiver starts
  if (auto configured = configure(desired, job.upstream, false, stop); !configured) return configured;
  c_.local.update([&](Local& local) { local.following = job.upstream; });
  return {};
}

Status Jobs::carry_out(const Clone& job, const Desired& desired, const std::stop_token& stop) {
  const auto source = find(desired, job.from);
  if (!source) return std::unexpected(source.error());
  doing(MemberState::kCloning, Progress{"Copying", 0, 0});
  if (auto stopped = c_.postmaster.stop(postgres::StopMode::kImmediate, kStopPatience); !stopped) return stopped;
  if (const auto tls = postgres::copy_tls_files(c_.layout); !tls) return std::unexpected(tls.error());
  const auto cloned = postgres::clone(
      c_.children, c_.layout, *source, desired.settings.endpoint,
      [this](const postgres::CloneProgress& progress) {
        doing(MemberState::kCloning, Progress{"Copying", progress.done_bytes, progress.total_bytes});
      },
      stop);
  if (cloned) data_replaced(DataShape::kReplica);
  return cloned;
}

Status Jobs::carry_out(const Rewind& job, const Desired& desired, const std::stop_token& stop) {
  if (c_.local.copy().rewind_hopeless) return carry_out(Clone{job.from}, desired, stop);
  const auto source = find(desired, job.from);
  if (!source) return std::unexpected(source.error());
  doing(MemberState::kRewinding, Progress{"Rewinding", 0, 0});
  if (auto stopped = c_.postmaster.stop(postgres::StopMode::kFast, kStopPatience); !stopped) return stopped;
  if (auto configured = configure(desired, "", false, stop); !configured) return configured;
  const auto rewound = postgres::rewind(c_.children, c_.layout, *source, desired.settings.endpoint, stop);
  if (rewound) {
    data_replaced(DataShape::kReplica);
  } else if (postgres::shape_of(c_.layout) == postgres::Shape::kHalfDone) {
    data_replaced(DataShape::kNone);  // neither the old nor the new: only a clone helps
  } else if (rewound.error().code == Code::kInternal) {
    // pg_rewind itself refused, by lack of WAL for instance. The rule allows to lose what only this instance has:
    // clone.
    log::warn("rewind impossible, a clone comes next", {{"error", rewound.error().message}});
    c_.local.update([](Local& local) { local.rewind_hopeless = true; });
  }
  return rewound;
}

Status Jobs::carry_out(const StopReplica&, const Desired&, const std::stop_token&) {
  doing(MemberState::kStopping);
  return c_.postmaster.stop(postgres::StopMode::kFast, kStopPatience);
}

Result<postgres::Ancestry> Jobs::own_ancestry(const Desired& desired, const std::stop_token& stop) {
  const Local local = c_.local.copy();
  if (local.process != ProcessState::kStopped && local.timeline && local.seen) {
    if (auto session = connect(desired, stop))
      if (const auto seen = postgres::observe(*session, kConnect, stop)) {
        const Position end = std::max(seen->received, local.received.value_or(Position{}));
        return postgres::Ancestry{local.system_id, *local.timeline, local.history, end, seen->in_recovery};
      }
  }
  // It doesn't run, or it can't be asked (a replica short of a consistent state): the files know as much.
  auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
  if (own && own->end && local.received && *local.received > *own->end) own->end = local.received;
  return own;
}

Status Jobs::carry_out(const Compare& job, const Desired& desired, const std::stop_token& stop) {
  const auto source = find(desired, job.primary);
  if (!source) return std::unexpected(source.error());
  if (const auto tls = postgres::copy_tls_files(c_.layout); !tls) return std::unexpected(tls.error());
  const uint64_t data_life = c_.local.copy().data_life;
  const auto own = own_ancestry(desired, stop);
  if (!own) return std::unexpected(own.error());
  const auto theirs = postgres::ask_ancestry(c_.layout, *source, desired.settings.endpoint, kUpstream, stop);
  if (!theirs) return std::unexpected(theirs.error());
  const auto judgement = postgres::judge(*own, *theirs);
  if (judgement.kinship == postgres::Kinship::kForked || judgement.kinship == postgres::Kinship::kForeign)
    log::warn("history diverged", {{"primary", job.primary}, {"epoch", job.epoch.value}, {"reason", judgement.reason}});
  c_.local.update([&](Local& local) {
    if (local.data_life != data_life) return;
    local.comparison = Local::Comparison{job.epoch, data_life, judgement};
    local.system_id = own->system_id;
    local.timeline = own->timeline;
    local.history = own->history;
    if (own->end && (!local.received || *local.received < *own->end)) local.received = own->end;
  });
  return {};
}

Status Jobs::apply_owner(const Desired& desired, postgres::Session& session, const std::stop_token& stop) {
  const auto owner = read_owner(c_.owner_dir);
  if (!owner) return std::unexpected(owner.error());
  const std::string content = owner->username + "\n" + owner->password;
  if (content == owner_applied_) return {};
  if (auto done = postgres::ensure_owner_and_database(session, *owner, desired.database, stop); !done) return done;
  owner_applied_ = content;
  log::info("owner and database are as declared", {{"database", desired.database}, {"owner", owner->username}});
  return {};
}

Status Jobs::carry_out(const Upkeep& job, const Desired& desired, const std::stop_token& stop) {
  const Local local = c_.local.copy();
  const bool primary = local.process == ProcessState::kPrimaryRunning;
  if (local.process == ProcessState::kStopped || !local.seen) return {};
  if (!desired.paused)
    if (auto configured = configure(desired, local.following, primary, stop); !configured) return configured;
  std::vector<std::string> wanted;
  for (const std::string& name : downstreams_of(desired, desired.settings.endpoint, job.primary))
    wanted.push_back(postgres::slot_name(name));
  const bool slots_differ =
      std::any_of(wanted.begin(), wanted.end(),
                  [&](const std::string& name) {
                    return std::none_of(local.seen->slots.begin(), local.seen->slots.end(), [&](const auto& slot) {
                      return slot.name == name && slot.wal_status != "lost";
                    });
                  }) ||
      std::any_of(local.seen->slots.begin(), local.seen->slots.end(), [&](const auto& slot) {
        return slot.name.starts_with("twinspan_") && !slot.active &&
               std::find(wanted.begin(), wanted.end(), slot.name) == wanted.end();
      });
  const auto owner = read_owner(c_.owner_dir);
  const bool owner_differs = primary && owner && owner->username + "\n" + owner->password != owner_applied_;
  if (primary && !owner) c_.local.update([&](Local& one) { one.configuration_trouble = owner.error().message; });
  if (slots_differ || owner_differs) {
    auto session = connect(desired, stop);
    if (!session) return std::unexpected(session.error());
    if (owner_differs)
      if (auto done = apply_owner(desired, *session, stop); !done) return done;
    if (slots_differ)
      if (auto done = postgres::reconcile_slots(*session, local.seen->slots, wanted, stop); !done) return done;
  }
  return restart_where_needed(desired, local, job.primary);
}

// Replicas at once; the primary once they have had theirs and stream again, since a replica must not have less than its
// primary.
Status Jobs::restart_where_needed(const Desired& desired, const Local& local, const std::string& primary) {
  if (local.seen->pending_restart.empty() || desired.paused) {
    restart_pending_since_.reset();
    return {};
  }
  const BootTime now = c_.clock.boot_now();
  if (!restart_pending_since_) restart_pending_since_ = now;
  if (local.process == ProcessState::kPrimaryRunning) {
    size_t streaming = 0;
    const auto wanted = downstreams_of(desired, desired.settings.endpoint, primary);
    for (const auto& sender : local.seen->senders)
      if (sender.state == "streaming" && std::find(wanted.begin(), wanted.end(), sender.application) != wanted.end())
        ++streaming;
    const auto waited = now - *restart_pending_since_;
    if (waited < seconds(5) || (streaming < wanted.size() && waited < seconds(60))) return {};
  }
  std::string names;
  for (const std::string& name : local.seen->pending_restart) names += (names.empty() ? "" : ", ") + name;
  log::info("restarting for changed parameters", {{"parameters", names}});
  restart_pending_since_.reset();
  doing(MemberState::kStopping);
  c_.local.update([](Local& one) { one.writable = false; });
  return c_.postmaster.stop(postgres::StopMode::kFast, kStopPatience);
}

}  // namespace twinspan::worker
