#include "worker/agent.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <random>

#include "core/log.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/processes.hpp"
#include "worker/member_status.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kUpkeepInterval{2};
constexpr seconds kHangs{15};

std::string new_instance(const std::string& pod_uid) {
  std::random_device random;
  return fmt::format("{}-{:08x}", pod_uid, random());
}

kube::Config with_timeout(kube::Config config, milliseconds timeout) {
  config.request_timeout = timeout;
  config.connections = 2;
  config.user_agent = "twinspan-worker";
  return config;
}

ServersConfig servers_config(const Options& options) {
  return {options.address,           options.status_port,     options.health_port, options.layout.certificate_file(),
          options.layout.key_file(), options.layout.ca_file()};
}

DataShape data_shape(postgres::Shape shape) {
  switch (shape) {
    case postgres::Shape::kPrimary: return DataShape::kPrimary;
    case postgres::Shape::kReplica: return DataShape::kReplica;
    case postgres::Shape::kNone:
    case postgres::Shape::kHalfDone: return DataShape::kNone;  // never to be started, only replaced
  }
  return DataShape::kNone;
}

}  // namespace

Agent::Agent(Options options, const kube::Config& config, const Guard& guard, const Clock& clock)
    : options_(std::move(options)),
      guard_(guard),
      clock_(clock),
      instance_(new_instance(options_.pod_uid)),
      local_([this] { changed_.raise(); }),
      metrics_({options_.link, options_.ns, options_.endpoint}),
      postmaster_(
          children_, options_.layout, [this](pid_t pid) { guard_.set_postmaster(pid); },
          [this](const postgres::Death& death) { database_died(death); }),
      watch_client_(with_timeout(config, milliseconds(10000))),
      // Two attempts must fit between a renewal that is due and the fence.
      lease_client_(with_timeout(config, std::max<milliseconds>(options_.lease.renew, milliseconds(1000)))),
      store_(lease_client_, clock_, {options_.ns, options_.link + "-primary"}),
      keeper_(store_, clock_, {options_.endpoint, instance_, options_.lease},
              {[this](BootTime fence_at) { guard_.extend(fence_at); }, [this] { changed_.raise(); },
               [this](bool succeeded) { metrics_.renewal(succeeded); }}),
      watch_(watch_client_, clock_, {options_.ns, options_.link}, {options_.ns, options_.link + "-primary"},
             {[this](const auto& link) { link_changed(link); },
              [this](const StoredLease& lease, BootTime received_at) { keeper_.observed(lease, received_at); }}),
      prober_(options_.layout, options_.postgres_port, clock_, local_),
      jobs_({children_, postmaster_, options_.layout, options_.owner_dir, guard_, clock_, local_}),
      runner_(jobs_, clock_,
              [this](const Job& job, const Status& outcome) {
                if (outcome || outcome.error().code != Code::kCancelled)
                  metrics_.action(name_of(job), outcome.has_value());
                changed_.raise();
                prober_.poke();
              }),
      servers_(
          servers_config(options_), board_, [this] { return metrics_.text(); },
          [this] {
            return clock_.boot_now().time_since_epoch().count() - turned_at_ < std::chrono::nanoseconds(kHangs).count();
          }) {}

Agent::~Agent() = default;

void Agent::stop() {
  stopping_ = true;
  changed_.raise();
}

void Agent::link_changed(const std::shared_ptr<const api::ReplicationLink>& link) {
  if (!link) return;  // deleted: the pod goes by itself; nothing changes until then
  auto desired = desired_from(*link, options_.endpoint, options_.address, options_.postgres_port);
  if (!desired) {
    log::error("the link can't be understood", {{"error", desired.error().message}});
    return;
  }
  if (desired->lease) keeper_.set_timing(*desired->lease);
  {
    std::lock_guard lock(desired_mutex_);
    if (desired_ && desired_->generation != desired->generation) upkeep_due_ = true;
    desired_ = std::make_shared<const Desired>(std::move(*desired));
  }
  changed_.raise();
}

void Agent::database_died(const postgres::Death& death) {
  guard_.leave_primary();
  const auto reaped =
      std::chrono::duration_cast<std::chrono::microseconds>(death.cleared_at - death.noticed_at).count();
  log::write(death.asked_for ? log::Level::kInfo : log::Level::kError, "database ended",
             {{"reason", death.exit.describe()},
              {"asked_for", death.asked_for},
              {"reaped_us", reaped},
              {"last_words", death.last_words}});
  if (!death.asked_for) metrics_.database_died();
  const DataShape shape = data_shape(postgres::shape_of(options_.layout));
  local_.update([&](Local& local) {
    local.process = ProcessState::kStopped;
    local.process_died = !death.asked_for;
    local.data = shape;
    local.writable = false;
    local.receiver_stopped = true;
    local.seen.reset();
    local.sql_healthy.reset();
    local.sql_failures = 0;
    local.lag_seconds.reset();
    local.lag_bytes.reset();
    ++local.life;
    if (!death.asked_for)
      local.trouble = fmt::format("PostgreSQL ended by itself: {}{}{}", death.exit.describe(),
                                  death.last_words.empty() ? "" : ": ", death.last_words);
  });
}

void Agent::gather(MemberView& view, Local& local, LeaseKeeper::View& lease,
                   std::shared_ptr<const Desired>& desired) const {
  {
    std::lock_guard lock(desired_mutex_);
    desired = desired_;
  }
  // The lease last: a right that has run out by now must not be seen as one.
  local = local_.copy();
  lease = keeper_.view();
  view.self = options_.endpoint;
  view.instance = instance_;
  view.lease = lease.record;
  view.lease_may_be_taken = lease.may_be_taken;
  view.tenure = lease.tenure;
  view.stopping = stopping_;
  view.data = local.data;
  view.process = local.process;
  view.process_died = local.process_died;
  view.received = local.received;
  view.receiver_stopped = local.process == ProcessState::kReplicaRunning && local.receiver_stopped;
  view.following = local.following;
  if (!desired) return;
  view.assignment = desired->assignment;
  view.diverged = desired->diverged;
  if (!lease.record) return;
  view.upstream = upstream_of(*desired, options_.endpoint, lease.record->holder_endpoint);
  if (const auto& known = local.comparison;
      known && known->epoch == lease.record->epoch && known->data_life == local.data_life) {
    switch (known->judgement.kinship) {
      case postgres::Kinship::kSame: view.lineage = Lineage::kFollows; break;
      case postgres::Kinship::kForked: view.lineage = Lineage::kDiverged; break;
      case postgres::Kinship::kForeign:
        view.lineage = Lineage::kDiverged;
        // Another database altogether has no point to go back to.
        if (view.diverged == DivergedRule::kRewind) view.diverged = DivergedRule::kHalt;
        break;
      case postgres::Kinship::kUnmeasured: break;
    }
  }
}

void Agent::submit(Job job, const std::shared_ptr<const Desired>& desired) {
  if (!desired) return;
  const auto running = runner_.running();
  if (running) {
    // Something else is wanted now. Housekeeping and copying give way; what is short ends by itself.
    const bool same = to_string(*running) == to_string(job);
    const bool gives_way = std::holds_alternative<Upkeep>(*running) || std::holds_alternative<Compare>(*running) ||
                           std::holds_alternative<Clone>(*running) || std::holds_alternative<Open>(*running);
    if (!same && gives_way && !std::holds_alternative<Upkeep>(job) && !std::holds_alternative<Compare>(job))
      runner_.cancel();
    return;
  }
  runner_.submit(std::move(job), desired);
}

void Agent::idle(const std::string& reason, const MemberView& view, const Local& local,
                 const std::shared_ptr<const Desired>& desired) {
  if (!view.lease) return;
  if (reason == "ComparingHistory") return submit(Compare{view.lease->holder_endpoint, view.lease->epoch}, desired);
  if (reason != "Primary" && reason != "Replica") return;
  // After a restart in place the lease is still marked: the database must be opened again.
  if (view.tenure && local.process == ProcessState::kPrimaryRunning && !local.writable) return submit(Open{}, desired);
  const BootTime now = clock_.boot_now();
  if ((now < upkeep_at_ && !upkeep_due_) || runner_.running()) return;
  upkeep_due_ = false;
  upkeep_at_ = now + kUpkeepInterval;
  servers_.refresh_identity();
  submit(Upkeep{view.lease->holder_endpoint}, desired);
}

void Agent::apply(const MemberAction& action, const MemberView& view, const LeaseKeeper::View& lease,
                  const Local& local, const std::shared_ptr<const Desired>& desired) {
  if (std::holds_alternative<Fence>(action)) {
    runner_.cancel();
    jobs_.fence();
    // A start that failed leaves nothing to kill.
    if (!postmaster_.running() && !runner_.running()) {
      guard_.leave_primary();
      local_.update([](Local& one) { one.process = ProcessState::kStopped; });
    }
    return;
  }
  if (lease.busy) return;  // an order to the keeper changes what is decided upon
  // What is being done to the database ends before the lease is spoken for: a handover still has its final position to
  // say.
  const auto running = runner_.running();
  const bool settling =
      running && (std::holds_alternative<HandOver>(*running) || std::holds_alternative<StartPrimary>(*running) ||
                  std::holds_alternative<Promote>(*running) || std::holds_alternative<StopReceiver>(*running));
  if (settling && (std::holds_alternative<TakeLease>(action) || std::holds_alternative<ReleaseLease>(action))) return;
  std::visit(
      [&]<class Action>(const Action& act) {
        if constexpr (std::is_same_v<Action, TakeLease>) {
          local_.update([](Local& one) { one.process_died = false; });
          keeper_.take(act.version, act.epoch);
        } else if constexpr (std::is_same_v<Action, MarkPromoted>) {
          if (local.writable)
            keeper_.mark_promoted();
          else
            submit(Open{}, desired);
        } else if constexpr (std::is_same_v<Action, ReleaseLease>) {
          keeper_.release(act.cause, local.final_position);
        } else if constexpr (std::is_same_v<Action, Wait>) {
          idle(act.reason, view, local, desired);
        } else if constexpr (std::is_constructible_v<Job, Action>) {
          submit(act, desired);
        }
      },
      action);
}

std::chrono::nanoseconds Agent::patience(const LeaseKeeper::View& lease, const MemberAction& action) const {
  std::chrono::nanoseconds time = seconds(1);
  if (lease.tenure) time = std::min<std::chrono::nanoseconds>(time, lease.fence_at - clock_.boot_now());
  if (const auto* wait = std::get_if<Wait>(&action)) {
    // These end by the passing of time alone.
    if (wait->reason == "LeaseHeld" || wait->reason == "ComparingHistory")
      time = std::min<std::chrono::nanoseconds>(time, milliseconds(50));
  } else {
    time = std::min<std::chrono::nanoseconds>(
        time, milliseconds(100));  // failed and not due yet, or another job is on its way out
  }
  return std::max<std::chrono::nanoseconds>(time, milliseconds(1));
}

int Agent::run() {
  // One agent on one volume: a pod that was given up on may still be on its way out on the same node.
  const std::string lock_path = options_.layout.data_dir + "/agent.lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    log::error("data directory is not usable", {{"path", lock_path}, {"error", std::strerror(errno)}});
    return 1;
  }
  for (bool said = false; flock(lock, LOCK_EX | LOCK_NB) != 0; said = true) {
    if (!said) log::warn("another agent still has the volume, waiting for it", {{"path", lock_path}});
    changed_.wait(milliseconds(200), {});
    if (stopping_) return 0;
  }
  if (const auto user = postgres::os_user_name(); !user) {
    log::error("PostgreSQL can't run", {{"error", user.error().message}});
    return 1;
  }
  while (!postgres::kill_server_processes(options_.layout.pgdata(), {}, seconds(5)))
    log::error("processes of an earlier life survive SIGKILL, waiting for them");
  while (true) {
    const auto tls = postgres::copy_tls_files(options_.layout);
    if (tls) break;
    log::warn("no certificates yet", {{"error", tls.error().message}});
    changed_.wait(seconds(1), {});
    if (stopping_) return 0;
  }
  local_.update([&](Local& local) { local.data = data_shape(postgres::shape_of(options_.layout)); });
  turned_at_ = clock_.boot_now().time_since_epoch().count();
  if (auto started = servers_.start(); !started) {
    log::error("HTTP servers don't start", {{"error", started.error().message}});
    return 1;
  }
  keeper_.start();
  runner_.start();
  prober_.start();
  watch_.start();
  log::info("agent started", {{"instance", instance_}});

  for (;;) {
    turned_at_ = clock_.boot_now().time_since_epoch().count();
    MemberView view;
    Local local;
    LeaseKeeper::View lease;
    std::shared_ptr<const Desired> desired;
    gather(view, local, lease, desired);
    const MemberAction action = decide_member(view);
    if (const std::string name = to_string(action); name != last_action_) {
      log::info("decided", {{"plan", name}, {"epoch", view.lease ? view.lease->epoch.value : 0}});
      last_action_ = name;
    }
    MemberReport report = member_report({local, desired.get(), view, action, options_.address});
    metrics_.report(report);
    const bool ready = is_ready(report, desired ? desired->lag_seconds_max : 0);
    board_.publish(std::move(report), ready);
    if (std::holds_alternative<Exit>(action)) break;
    if (!guard_.alive()) {
      log::error("the guard is gone: nothing would stop a primary whose agent hangs, stopping");
      jobs_.fence();
      break;
    }
    apply(action, view, lease, local, desired);
    changed_.wait(patience(lease, action), {});
  }
  log::info("agent stops");
  watch_.stop();
  servers_.stop();
  prober_.stop();
  runner_.stop();
  keeper_.stop();
  return guard_.alive() ? 0 : 1;
}

}  // namespace twinspan::worker
