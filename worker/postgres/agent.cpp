#include "worker/postgres/agent.hpp"

#include <fmt/format.h>

#include <random>

#include "contract/names.hpp"
#include "core/log.hpp"
#include "worker/postgres/member_status.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kUpkeepInterval{2};
constexpr seconds kHangs{15};
constexpr milliseconds kSecretTime{3000};  // other upkeep waits meanwhile
// How long a database may resist being stopped before its lease is let run out. A disk that doesn't answer gets longer:
// a busy one may take seconds for a write.
constexpr seconds kCannotStop{10};

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
  return {options.address,
          options.status_port,
          options.health_port,
          options.layout.tls_dir + "/tls.crt",
          options.layout.tls_dir + "/tls.key",
          options.layout.tls_dir + "/ca.crt"};
}

}  // namespace

Agent::Agent(Options options, const kube::Config& config, const Guard& guard, const Clock& clock)
    : options_(std::move(options)),
      guard_(guard),
      clock_(clock),
      instance_(new_instance(options_.pod_uid)),
      local_([this] { changed_.raise(); }),
      metrics_({options_.link, options_.ns, options_.endpoint}),
      statistics_(options_.layout, options_.postgres_port, clock_),
      postmaster_(
          children_, options_.layout, [this](pid_t pid) { guard_.set_postmaster(pid); },
          [this](const postgres::Death& death) { database_died(death); }),
      watch_client_(with_timeout(config, milliseconds(10000))),
      // Two attempts must fit between a renewal that is due and the fence.
      lease_client_(with_timeout(config, std::max<milliseconds>(options_.lease.renew, milliseconds(1000)))),
      secret_client_(with_timeout(config, kSecretTime)),
      secrets_(secret_client_, options_.ns),
      store_(lease_client_, clock_, {options_.ns, lease_name(options_.link)}),
      keeper_(store_, clock_, {options_.endpoint, instance_, options_.lease},
              {[this](BootTime fence_at) { guard_.extend(fence_at); }, [this] { changed_.raise(); },
               [this](bool succeeded) { metrics_.renewal(succeeded); }, [this] { return fit_for_lease(); },
               [this] {
                 const Local local = local_.copy();
                 return local.writable ? local.received : std::nullopt;
               }}),
      watch_(watch_client_, clock_, {options_.ns, options_.link}, {options_.ns, lease_name(options_.link)},
             {[this](const auto& link) { link_changed(link); },
              [this](const StoredLease& lease, BootTime received_at) { keeper_.observed(lease, received_at); },
              [this] { keeper_.history_went_back(); }}),
      prober_(options_.layout, options_.postgres_port, clock_, local_),
      disk_(
          clock_, [directory = options_.layout.data_dir] { return touch_disk(directory); },
          [this](const postgres::Volume& volume) { local_.update([&](Local& local) { local.volume = volume; }); }),
      repository_(secrets_),
      places_(options_.layout.data_dir),
      jobs_({children_, postmaster_, options_.layout, options_.owner_dir, guard_, clock_, local_, secrets_, repository_,
             places_, [this] { return backups_.archive(); }}),
      runner_(jobs_, clock_,
              [this](const Job& job, const Status& outcome) {
                if (outcome || outcome.error().code != Code::kCancelled)
                  metrics_.action(name_of(job), outcome.has_value());
                if (std::holds_alternative<HandOver>(job)) note_handover(outcome);
                changed_.raise();
                prober_.poke();
              }),
      backups_({children_, options_.layout, options_.postgres_port, repository_, clock_, local_, options_.address,
                [this] { return standing(); }}),
      queries_(options_.layout, options_.postgres_port, clock_, [this] { return asker(); }),
      imports_({children_, options_.layout, options_.owner_dir, options_.postgres_port, secrets_, clock_, local_,
                [this] { return part_in_import(); }}),
      restores_({children_, options_.layout, places_, repository_, clock_, local_, [this] { return part_in_import(); },
                 [this] { return backups_.archive(); }}),
      servers_(
          servers_config(options_), board_,
          [this] {
            return metrics_.text(statistics_.read(), certificate_ends_at(options_.layout), queries_.answers());
          },
          [this] {
            return clock_.boot_now().time_since_epoch().count() - turned_at_ < std::chrono::nanoseconds(kHangs).count();
          }) {}

Agent::~Agent() = default;

CustomQueries::Standing Agent::asker() const {
  const Local local = local_.copy();
  MutexLock lock(desired_mutex_);
  return {desired_, local.process, local.writable, local.life};
}

BackupKeeper::Standing Agent::standing() const {
  BackupKeeper::Standing standing;
  {
    MutexLock lock(desired_mutex_);
    standing.desired = desired_;
  }
  const Local local = local_.copy();
  const auto tenure = keeper_.view(local.memory ? local.memory->lease : seconds(0)).tenure;
  standing.may_store = local.writable && tenure.has_value();
  standing.epoch = tenure ? tenure->value : 0;
  standing.follows =
      !local.writable && local.process == ProcessState::kReplicaRunning && local.seen && local.seen->in_recovery;
  standing.ending = postmaster_.ending();
  standing.life = local.life;
  return standing;
}

ImportKeeper::Standing Agent::part_in_import() const {
  BackupKeeper::Standing now = standing();
  return {std::move(now.desired), now.may_store && !now.ending, now.life};
}

void Agent::note_handover(const Status& outcome) {
  if (outcome)
    cannot_stop_since_ = 0;
  else if (cannot_stop_since_ == 0)
    cannot_stop_since_ = clock_.boot_now().time_since_epoch().count();
}

// Asked by the keeper before each renewal. A renewal is a promise of somebody who acts: not while the main loop hangs.
bool Agent::fit_for_lease() const {
  const int64_t now = clock_.boot_now().time_since_epoch().count();
  const int64_t cannot_stop_since = cannot_stop_since_;
  if (cannot_stop_since != 0 && now - cannot_stop_since > std::chrono::nanoseconds(kCannotStop).count()) return false;
  if (now - turned_at_ > std::chrono::nanoseconds(kHangs).count()) return false;
  return disk_.waiting() < kDiskHangs;
}

void Agent::stop() {
  stopping_ = true;
  changed_.raise();
}

void Agent::link_changed(const std::shared_ptr<const api::ObeyedLink>& link) {
  if (!link) return;  // deleted: the pod goes by itself; nothing changes until then
  api::ObeyedLink obeyed = *link;
  // A status that was wiped while an edit is refused: what was obeyed before goes on.
  if (obeyed.refused && obeyed_spec_) obeyed.spec = *obeyed_spec_;
  if (!obeyed.refused) obeyed_spec_ = obeyed.spec;
  auto desired = desired_from(obeyed, options_.endpoint, options_.address, options_.postgres_port,
                              obeyed.tried ? &*obeyed.tried : nullptr);
  if (!desired) {
    log::error("the link can't be understood", {{"error", desired.error().message}});
    return;
  }
  desired->keep_parameters = obeyed.refused && !obeyed_spec_;
  if (desired->lease) keeper_.set_timing(*desired->lease);
  {
    MutexLock lock(desired_mutex_);
    if (desired_ && (desired_->generation != desired->generation || desired_->attempt != desired->attempt ||
                     desired_->settings.parameters != desired->settings.parameters))
      upkeep_due_ = true;
    if (desired_ && desired_->backup.has_value() != desired->backup.has_value()) upkeep_due_ = true;
    desired_ = std::make_shared<const Desired>(std::move(*desired));
  }
  backups_.poke();
  queries_.poke();
  changed_.raise();
}

void Agent::database_died(const postgres::Death& death) {
  guard_.leave_primary();
  cannot_stop_since_ = 0;
  const auto reaped =
      std::chrono::duration_cast<std::chrono::microseconds>(death.cleared_at - death.noticed_at).count();
  log::write(death.asked_for ? log::Level::kInfo : log::Level::kError, "database ended",
             {{"reason", death.exit.describe()},
              {"asked_for", death.asked_for},
              {"reaped_us", reaped},
              {"last_words", death.last_words}});
  if (!death.asked_for) metrics_.database_died();
  const DataShape shape = data_here();
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

void Agent::submit(Job job, const std::shared_ptr<const Desired>& desired) {
  if (!desired) return;
  const auto running = runner_.running();
  if (running) {
    // Something else is wanted now. Housekeeping and copying give way; what is short ends by itself.
    const bool same = is_same(*running, job);
    const bool gives_way = std::holds_alternative<Upkeep>(*running) || std::holds_alternative<Compare>(*running) ||
                           std::holds_alternative<Clone>(*running) || std::holds_alternative<Open>(*running) ||
                           std::holds_alternative<Examine>(*running);
    if (!same && gives_way && !std::holds_alternative<Upkeep>(job) && !std::holds_alternative<Compare>(job) &&
        !std::holds_alternative<Examine>(job))
      runner_.cancel();
    return;
  }
  runner_.submit(std::move(job), desired);
}

void Agent::idle(WaitReason reason, const MemberView& view, const Local& local,
                 const std::shared_ptr<const Desired>& desired) {
  // After a restart the files alone know what lies here, and whoever decides on a primary asks for it.
  const bool unexamined =
      local.process == ProcessState::kStopped && local.data != DataShape::kNone && !local.received && !local.doing;
  if (unexamined && reason != WaitReason::kComparingHistory) return submit(Examine{}, desired);
  if (!view.lease) return;
  if (reason == WaitReason::kComparingHistory)
    return submit(Compare{view.lease->holder_endpoint, view.lease->epoch, view.lease->epochs}, desired);
  if (reason != WaitReason::kPrimary && reason != WaitReason::kReplica) return;
  // After a restart in place the lease is still marked: the database must be opened again.
  if (view.tenure && local.process == ProcessState::kPrimaryRunning && !local.writable) return submit(Open{}, desired);
  const BootTime now = clock_.boot_now();
  if ((now < upkeep_at_ && !upkeep_due_) || runner_.running()) return;
  upkeep_due_ = false;
  upkeep_at_ = now + kUpkeepInterval;
  submit(Upkeep{view.lease->holder_endpoint, view.lease->epochs}, desired);
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
                  std::holds_alternative<Promote>(*running) || std::holds_alternative<StopReceiver>(*running) ||
                  std::holds_alternative<PutRestored>(*running));
  if (settling && (std::holds_alternative<TakeLease>(action) || std::holds_alternative<ReleaseLease>(action))) return;
  std::visit(
      [&]<class Action>(const Action& act) {
        if constexpr (std::is_same_v<Action, TakeLease>) {
          local_.update([](Local& one) { one.process_died = false; });
          keeper_.take(act.version, act.epoch);
        } else if constexpr (std::is_same_v<Action, MarkPromoted>) {
          if (local.writable)
            keeper_.mark_promoted(local.memory ? local.memory->epochs : EpochHistory());
          else
            submit(Open{}, desired);
        } else if constexpr (std::is_same_v<Action, ReleaseLease>) {
          const bool opened = view.tenure && local.opened_in == *view.tenure && local.memory;
          keeper_.release(act.cause, local.final_position, opened ? std::optional(local.memory->epochs) : std::nullopt);
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
    if (wait->reason == WaitReason::kLeaseHeld || wait->reason == WaitReason::kComparingHistory)
      time = std::min<std::chrono::nanoseconds>(time, milliseconds(50));
  } else {
    time = std::min<std::chrono::nanoseconds>(
        time, milliseconds(100));  // failed and not due yet, or another job is on its way out
  }
  return std::max<std::chrono::nanoseconds>(time, milliseconds(1));
}

// False: it is time to end.
bool Agent::turn() {
  turned_at_ = clock_.boot_now().time_since_epoch().count();
  MemberView view;
  Local local;
  LeaseKeeper::View lease;
  std::shared_ptr<const Desired> desired;
  gather(view, local, lease, desired);
  const MemberAction action = decide_member(view);
  // From here on nobody goes back behind what was restored.
  if (local.shut && view.tenure && view.lease && view.lease->promoted && view.lease->epoch == *view.tenure) {
    local_.update([](Local& one) { one.shut = false; });
    upkeep_due_ = true;
  }
  if (const std::string name = to_string(action); name != last_action_) {
    log::info("decided", {{"plan", name}, {"epoch", view.lease ? view.lease->epoch.value : 0}});
    last_action_ = name;
  }
  MemberReport report =
      member_report({local, desired.get(), view, action, options_.address, disk_.waiting(), clock_.boot_now()});
  metrics_.report(report);
  const bool ready = is_ready(report, desired ? desired->lag_seconds_max : 0);
  board_.publish(std::move(report), ready);
  if (std::holds_alternative<Exit>(action)) return false;
  if (!guard_.alive()) {
    log::error("the guard is gone: nothing would stop a primary whose agent hangs, stopping");
    jobs_.fence();
    return false;
  }
  // Whatever is done, and from where they are mounted: PostgreSQL's copies stay as they are while there is no primary,
  // and whoever chooses one has to hear this member.
  if (const BootTime now = clock_.boot_now(); now >= identity_at_) {
    identity_at_ = now + kUpkeepInterval;
    servers_.refresh_identity();
  }
  apply(action, view, lease, local, desired);
  changed_.wait(patience(lease, action), {});
  return true;
}

int Agent::run() {
  if (const auto ends = settle_in()) return *ends;
  if (!recall() || !start()) return 1;
  log::info("agent started", {{"instance", instance_}});
  while (turn()) {
  }
  log::info("agent stops");
  watch_.stop();
  servers_.stop();
  restores_.stop();
  imports_.stop();
  backups_.stop();
  queries_.stop();
  prober_.stop();
  disk_.stop();
  runner_.stop();
  keeper_.stop();
  return guard_.alive() ? 0 : 1;
}

}  // namespace twinspan::worker
