#include "agent.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::simulation {

Agent* Cluster::find(const std::string& endpoint) {
  for (const auto& one : agents)
    if (one->endpoint() == endpoint && !one->ghost()) return one.get();
  return nullptr;
}

void Cluster::check_single() {
  std::vector<Writer> writers;
  for (const auto& one : agents)
    if (one->accepts_writes()) writers.push_back({one->who(), one->stands_still()});
  ledger.check_single(writers);
}

Agent::Agent(Cluster& cluster, std::string endpoint, int pod, std::shared_ptr<Volume> volume)
    : cluster_(cluster),
      endpoint_(std::move(endpoint)),
      address_(fmt::format("{}.{}", endpoint_, pod)),
      pod_(pod),
      volume_(std::move(volume)) {
  Network& network = cluster_.network;
  // 2 %: margin / duration allows ten times that.
  if (network.chance(0.5)) rate_ += static_cast<double>(network.uniform(-20000, 20000)) * 1e-6;
  clock_offset_ = network.uniform(0, 1000) * kSecond;
}

BootTime Agent::clock() const {
  const auto micros = static_cast<int64_t>(static_cast<double>(now() + clock_offset_) * rate_);
  return BootTime(std::chrono::nanoseconds(micros * 1000));
}

void Agent::in_this_life(Micros delay, std::function<void()> effect) {
  cluster_.network.at(delay, [this, life = life_, effect = std::move(effect)] {
    if (!alive_ || life_ != life) return;
    const Micros awake_at = std::max(suspended_until_, hangs_until_);
    if (now() < awake_at)
      in_this_life(awake_at - now() + 1, effect);
    else
      effect();
  });
}

void Agent::start() {
  alive_ = true;
  ++life_;
  instance_ = std::to_string(++cluster_.lives);
  stopping_ = deleted_ = died_ = ordered_ = mark_ = measured_ = false;
  request_ = 0;
  job_ = {};
  releasing_.reset();
  tenure_.reset();
  timing_ = {};
  observation_ = LeaseObservation(timing_);
  if (cluster_.mistaken(Mistake::kMemoryForgotten)) {
    volume_->memory = {};
    volume_->memory.data_epoch = Epoch{0};
  }
  lease_went_back_ = false;
  opened_in_ = {};
  lease_version_ = link_learned_ = lease_learned_ = 0;
  link_ = {};
  holder_duration_ = {};
  following_.clear();
  final_position_.reset();
  comparison_.reset();
  halted_.reset();
  note("agent begins");
  in_this_life(cluster_.network.uniform(5, 100) * kMs, [this] {
    measured_ = true;
    step();
  });
  cluster_.api.add_reader(address_, {Kind::kLink, Kind::kLease}, [this, life = life_](const Arrival& arrival) {
    if (life_ == life) in_this_life(0, [this, arrival] { arrived(arrival); });
  });
  tick();
}

void Agent::end(Micros back_after) {
  if (!alive_) return;
  note("agent ends");
  alive_ = false;
  cluster_.api.remove_reader(address_);
  // What was begun is gone on with, before anything of it is read.
  if (job_.token != 0 && job_.name == "PutRestored" && has_prepared() && tenure_ && cluster_.network.chance(0.5))
    exchange(tenure_->epoch());
  // A rewind that is cut off leaves neither the old nor the new.
  if (job_.token != 0 && halves_data_ && cluster_.network.chance(0.5)) {
    volume_->shape = DataShape::kNone;
    volume_->log = {};
  }
  kill_database(false);
  if (back_after < 0 || deleted_) return;
  cluster_.network.at(back_after, [this] {
    if (!ghost_ && !alive_ && !deleted_) start();
  });
}

void Agent::ask_to_stop() {
  stopping_ = true;
  step();
}

void Agent::new_pod(int pod) {
  pod_ = pod;
  address_ = fmt::format("{}.{}", endpoint_, pod);
}

void Agent::delete_pod() {
  deleted_ = true;
  ask_to_stop();
}

void Agent::suspend(Micros duration) {
  note("machine suspended");
  suspended_until_ = now() + duration;
  cluster_.network.at(duration, [this] {
    check_guard();
    step();
    cluster_.check_single();
  });
}

void Agent::hang(Micros duration) {
  note("agent hangs");
  hangs_until_ = now() + duration;
}

void Agent::disk_hangs(Micros duration) {
  note("disk hangs");
  disk_hangs_until_ = now() + duration;
}

void Agent::lose_volume() {
  note("volume lost");
  const bool was_alive = alive_;
  end(-1);
  volume_->lost = true;
  volume_ = cluster_.ledger.new_volume();
  ++data_life_;
  if (was_alive) cluster_.network.at(cluster_.network.uniform(200, 3000) * kMs, [this] { start(); });
}

void Agent::become_ghost() {
  ghost_ = true;
  volume_->out_of_reach = true;
  note("pod given up on, cut off");
  // It may run on for as long as it likes: nobody hears it, and it hears nobody.
  cluster_.api.remove_reader(address_);
  volume_->lost = true;
}

void Agent::mend() {
  hangs_until_ = std::min(hangs_until_, now());
  disk_hangs_until_ = std::min(disk_hangs_until_, now());
  hang_promotions_until_ = 0;
  fail_promotions_until_ = std::min(fail_promotions_until_, now());
  if (suspended_until_ <= now()) return;
  suspended_until_ = now();
  check_guard();
  step();
}

void Agent::tick() {
  if (!ghost_ && cluster_.network.chance(0.12)) cluster_.api.list(address_, Kind::kLink);
  if (!ghost_ && cluster_.network.chance(0.12)) cluster_.api.list(address_, Kind::kLease);
  step();
  in_this_life(cluster_.network.uniform(80, 160) * kMs, [this] { tick(); });
}

// A lower version counts only where it answers a request that was sent after the higher one was known: history went
// back.
bool Agent::proves(const Arrival& arrival, Micros learned) const {
  return arrival.listed && arrival.asked_at > learned && !cluster_.mistaken(Mistake::kLowerVersionsIgnored);
}

void Agent::arrived(const Arrival& arrival) {
  if (arrival.kind == Kind::kLink) {
    const Stored<LinkObject>& link = arrival.state.link;
    const bool proven = proves(arrival, link_learned_);
    if (link.version <= link_.version && !proven) return;
    if (link.version != link_.version) link_learned_ = now();
    link_.version = link.version;
    if (!link.object) return;  // the pod goes by itself; nothing changes until then
    link_.object = link.object;
    if (link.object->lease_duration != timing_.duration) {
      timing_.duration = link.object->lease_duration;
      observation_.set_timing(timing_);
    }
  } else if (arrival.state.lease.object) {
    note_lease(*arrival.state.lease.object, arrival.state.lease.version, proves(arrival, lease_learned_));
  }
  step();
}

MemberView Agent::view() {
  if (tenure_ && tenure_->expired(clock()) && !cluster_.mistaken(Mistake::kFenceIgnored)) tenure_.reset();
  MemberView v;
  v.self = endpoint_;
  v.instance = instance_;
  v.lease = observation_.record();
  v.lease_stood = observation_.stood(clock(), volume_->memory.lease);
  v.lease_went_back = lease_went_back_;
  if (cluster_.mistaken(Mistake::kFreeLeaseAtOnce)) v.lease_stood |= v.lease && !v.lease->held();
  v.lease_duration = std::chrono::ceil<std::chrono::seconds>(holder_duration_);
  v.lease_outlived = observation_.outlived(clock(), volume_->memory.lease, v.lease_duration);
  v.memory = volume_->memory;
  if (cluster_.mistaken(Mistake::kOldLeaseTakenAgain) && lease_names_me())
    v.memory->epoch_seen = std::min(v.memory->epoch_seen, v.lease->epoch);
  if (tenure_) v.tenure = tenure_->epoch();
  v.stopping = stopping_;
  v.data = volume_->shape;
  v.process = process_;
  v.process_died = died_;
  if (measured_) v.received = Position{volume_->log.end()};
  v.receiver_stopped = process_ == ProcessState::kReplicaRunning && receiver_stopped_;
  v.following = following_;
  if (!link_.object) return v;
  v.assignment = link_.object->assignment;
  v.diverged = DivergedRule::kRewind;
  v.prepared = has_prepared();
  if (!v.lease) return v;
  if (v.lease->held() && v.lease->holder_endpoint != endpoint_) v.upstream = v.lease->holder_endpoint;
  if (comparison_ && comparison_->epoch == v.lease->epoch && comparison_->data_life == data_life_) {
    v.lineage = comparison_->lineage;
    v.begun = volume_->log.end() >= comparison_->primary_end;
    // Another database altogether has no point to go back to.
    if (comparison_->foreign) v.diverged = DivergedRule::kHalt;
  }
  return v;
}

void Agent::step() {
  if (!awake()) return;
  keeper_turn();
  const MemberView seen = view();
  act(decide_member(seen));
}

// What changes the lease waits for what is being done to the database, and the other way round for what may not be
// undone.
void Agent::act(const MemberAction& action) {
  const auto* halt = std::get_if<Halt>(&action);
  halted_ = halt ? std::optional(halt->reason) : std::nullopt;
  if (std::holds_alternative<Fence>(action)) return kill_database(false);
  if (ordered_) return;
  if (const auto* wait = std::get_if<Wait>(&action)) {
    if (wait->reason == WaitReason::kComparingHistory && job_.token == 0)
      return compare(observation_.record()->holder_endpoint, observation_.record()->epoch);
    if (wait->reason == WaitReason::kPrimary && process_ == ProcessState::kPrimaryRunning && !opened_) return open();
    return;
  }
  const std::string name = to_string(action);
  const std::string wanted = std::holds_alternative<MarkPromoted>(action) ? "Open" : name.substr(0, name.find('('));
  if (job_.token != 0) {
    if (job_.gives_way && job_.name != wanted) {
      note(job_.name + " gives way to " + name);
      job_ = {};
    }
    return;
  }
  if (name != last_action_) note(name);
  last_action_ = name;
  std::visit(
      [this]<class Action>(const Action& one) {
        if constexpr (std::is_same_v<Action, TakeLease>)
          take(one);
        else if constexpr (std::is_same_v<Action, ReleaseLease>)
          release(one.cause);
        else if constexpr (std::is_same_v<Action, MarkPromoted>)
          opened_ ? void(mark_ = ordered_ = true) : open();
        else if constexpr (std::is_same_v<Action, Clone>)
          copy_from(one.from, one.epochs, false);
        else if constexpr (std::is_same_v<Action, Rewind>)
          copy_from(one.from, one.epochs, true);
        else if constexpr (std::is_same_v<Action, Exit>)
          end(cluster_.network.uniform(200, 3000) * kMs);
        else if constexpr (!std::is_same_v<Action, Wait> && !std::is_same_v<Action, Fence> &&
                           !std::is_same_v<Action, Halt>)
          perform(one);
      },
      action);
}

bool Agent::takes_for_own(Epoch epoch) const {
  const Stored<LeaseObject>& present = cluster_.api.state().lease;
  return alive_ && lease_names_me() && observation_.record()->epoch == epoch && volume_->memory.epoch_seen <= epoch &&
         present.object && present.object->record.epoch > epoch;
}

std::string Agent::halted() const { return halted_ ? std::string(to_string(*halted_)) : ""; }

MemberReport Agent::describe() {
  const MemberView seen = view();
  MemberReport report;
  report.endpoint = endpoint_;
  report.instance = instance_;
  report.role = process_ == ProcessState::kPrimaryRunning   ? Role::kPrimary
                : process_ == ProcessState::kReplicaRunning ? Role::kReplica
                                                            : Role::kNone;
  report.database_running = process_ != ProcessState::kStopped;
  if (process_ == ProcessState::kPrimaryRunning)
    report.state = opened_ ? MemberState::kRunning : MemberState::kPromoting;
  else if (process_ == ProcessState::kReplicaRunning)
    report.state = MemberState::kDisconnected;
  else
    report.state = volume_->shape == DataShape::kNone ? MemberState::kEmpty : MemberState::kStopped;
  if (halted_ == HaltReason::kDiverged) report.state = MemberState::kDiverged;
  const Agent* upstream = reach(following_);
  if (upstream && streams_from(*upstream)) report.state = MemberState::kStreaming;
  report.message = halted();
  if (volume_->shape != DataShape::kNone) {
    const postgres::Ancestry own = cluster_.timelines.ancestry(volume_->log);
    report.system_id = own.system_id;
    report.timeline = own.timeline;
    if (measured_) {
      report.history = own.history;
      report.received = own.end;
    }
  }
  report.receiver_stopped = seen.receiver_stopped;
  report.frozen_for = frozen_for(seen);
  if (cluster_.mistaken(Mistake::kUnfrozenElection) && process_ == ProcessState::kReplicaRunning && seen.lease)
    report.frozen_for = seen.lease->epoch.next();
  report.upstream = following_;
  report.lag_bytes = 0;
  // A promotion under way answers; a start under way does not.
  const bool silent = process_ == ProcessState::kPrimaryRunning && !accepts_ && volume_->shape == DataShape::kPrimary;
  if (report.database_running) report.sql_healthy = !silent;
  if (silent) report.sql_failures = static_cast<int>((now() - process_since_) / kSecond);
  report.holds_lease = seen.tenure.has_value();
  report.epoch = seen.tenure ? *seen.tenure : seen.lease ? seen.lease->epoch : Epoch{};
  report.memory = seen.memory;
  if (has_prepared()) report.prepared = volume_->prepared->name;
  return report;
}

}  // namespace twinspan::simulation
