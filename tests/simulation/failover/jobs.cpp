// Of the agent: what it does to its database, which takes time and can end badly.
#include <fmt/format.h>

#include <algorithm>

#include "agent.hpp"

namespace twinspan::simulation {
namespace {

constexpr Micros kUpkeep = 2 * kSecond;

}  // namespace

Agent* Agent::reach(const std::string& endpoint) const {
  Agent* other = endpoint.empty() ? nullptr : cluster_.find(endpoint);
  if (!other || other == this || ghost_ || !cluster_.network.connected(address_, other->address_)) return nullptr;
  return other->process_ == ProcessState::kStopped || other->suspended() ? nullptr : other;
}

void Agent::job(std::string name, Micros least_ms, Micros most_ms, std::function<void()> effect, bool gives_way) {
  const uint64_t token = ++tokens_;
  job_ = {std::move(name), token, gives_way};
  in_this_life(cluster_.network.uniform(least_ms, most_ms) * kMs, [this, token, effect = std::move(effect)] {
    if (job_.token != token) return;
    job_ = {};
    effect();
    step();
  });
}

void Agent::kill_database(bool unasked) {
  job_ = {};
  if (process_ == ProcessState::kStopped) return;
  ++process_life_;
  process_ = ProcessState::kStopped;
  accepts_ = opened_ = clients_in_ = false;
  died_ = unasked;
  receiver_stopped_ = true;
  note(unasked ? "database gone by itself" : "database stopped");
}

void Agent::database_dies() {
  kill_database(true);
  step();
}

void Agent::start_database(ProcessState state) {
  ++process_life_;
  process_ = state;
  process_since_ = now();
  died_ = accepts_ = opened_ = clients_in_ = false;
  final_position_.reset();
  if (state == ProcessState::kPrimaryRunning) guard(process_life_);
}

// Runs apart from the agent and acts when the agent can't; a suspended machine suspends it, too.
void Agent::guard(uint64_t process_life) {
  if (process_life_ != process_life || process_ != ProcessState::kPrimaryRunning) return;
  if (cluster_.mistaken(Mistake::kFenceIgnored)) return;
  if (suspended()) {
    cluster_.network.at(suspended_until_ - now(), [this, process_life] { guard(process_life); });
    return;
  }
  if (!alive_ || !tenure_ || tenure_->expired(clock())) return kill_database(false);
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(tenure_->fence_at() - clock()).count();
  const auto delay = static_cast<Micros>(static_cast<double>(left) / rate_);
  cluster_.network.at(std::max<Micros>(delay, 1), [this, process_life] { guard(process_life); });
}

// A machine that wakes first runs its guard: both were due, and the guard has the higher priority.
void Agent::check_guard() {
  if (!suspended()) guard(process_life_);
}

bool Agent::may_start_primary() { return tenure_ && !tenure_->expired(clock()); }

void Agent::perform(const Remember& action) {
  job("Remember", 1, 10, [this, memory = action.memory] { volume_->memory = memory; });
}

bool Agent::has_prepared() const {
  return volume_->prepared && link_.object && link_.object->restore_at == endpoint_ &&
         link_.object->restore == volume_->prepared->name;
}

// All of it or nothing: files say how far it came, and an agent that begins goes on with it.
void Agent::exchange(Epoch epoch) {
  volume_->log = volume_->prepared->log;
  volume_->prepared.reset();
  volume_->highest_number = std::max(volume_->highest_number, cluster_.timelines.number(volume_->log.line()));
  volume_->restored = volume_->log.line();
  volume_->shape = DataShape::kPrimary;
  ++data_life_;
  if (cluster_.mistaken(Mistake::kRestoredRemembersOld)) return;
  MemberMemory& memory = volume_->memory;
  memory.epoch_seen = std::max(memory.epoch_seen, epoch);
  memory.data_epoch = epoch;
  memory.part = DataPart::kPrimary;
  memory.epochs = {{epoch, Position{}}};
}

void Agent::perform(const PutRestored& action) {
  job("PutRestored", 5, 200, [this, epoch = action.epoch] {
    if (now() < disk_hangs_until_ || !has_prepared()) return;
    exchange(epoch);
  });
}

void Agent::perform(const Initialize&) {
  job("Initialize", 300, 900, [this] {
    volume_->log = {};
    volume_->log.append(cluster_.timelines.begin_system());
    volume_->shape = DataShape::kPrimary;
    ++data_life_;
  });
}

void Agent::perform(const StartPrimary&) {
  job("StartPrimary", 5, 50, [this] {
    if (!may_start_primary()) return;
    in_force_ = link_.object->durability;
    start_database(ProcessState::kPrimaryRunning);
    const Epoch epoch = tenure_->epoch();
    cluster_.network.at(cluster_.network.uniform(50, 400) * kMs,
                        [this, life = process_life_, epoch] { recovered(life, epoch, false); });
  });
}

void Agent::perform(const Promote&) {
  job("Promote", 5, 50, [this] {
    if (!may_start_primary()) return;
    in_force_ = link_.object->durability;
    start_database(ProcessState::kPrimaryRunning);
    following_.clear();
    receiver_stopped_ = true;
    const Epoch epoch = tenure_->epoch();
    Network& network = cluster_.network;
    network.at(network.uniform(20, 500) * kMs, [this, life = process_life_, epoch] { recovered(life, epoch, true); });
  });
}

// The database itself begins to accept writes, whether or not its agent can see it.
void Agent::recovered(uint64_t life, Epoch epoch, bool promotion) {
  if (process_life_ != life) return;
  if (promotion && hang_promotions_until_ == kForEver) {
    hang_promotions_until_ = 0;  // for as long as this process lives
    return;
  }
  const Micros waits = std::max({suspended_until_, disk_hangs_until_, promotion ? hang_promotions_until_ : 0});
  if (now() < waits) {
    cluster_.network.at(std::min(waits - now() + 1, 500 * kMs), [=, this] { recovered(life, epoch, promotion); });
    return;
  }
  if (promotion && now() < fail_promotions_until_) return database_dies();
  if (promotion) {
    volume_->log.append(cluster_.timelines.fork(volume_->log, volume_->highest_number));
    volume_->highest_number = cluster_.timelines.number(volume_->log.line());
  }
  volume_->shape = DataShape::kPrimary;
  accepts_ = true;
  // Nobody is let into restored data before the lease says whose they are.
  clients_in_ = !promotion && volume_->restored < 0;
  const auto& link = cluster_.api.state().link.object;
  cluster_.ledger.opened(who(), epoch, *volume_, link && link->assignment ? link->assignment->primary : "");
  cluster_.check_single();
}

void Agent::open() {
  if (!accepts_ || job_.token != 0) return;
  job(
      "Open", 5, 50,
      [this] {
        opened_ = accepts_;
        if (opened_) opened_in_ = *volume_->memory.data_epoch;
      },
      true);
}

void Agent::perform(const HandOver&) {
  const Micros checkpoint = cluster_.network.chance(0.05) ? 3000 : 400;
  job("HandOver", 50, checkpoint, [this] {
    if (now() < disk_hangs_until_) return;  // it can't be stopped; tried again
    const bool clean = accepts_ && cluster_.network.chance(0.9);
    accepts_ = false;
    // A clean stop ends only when every connected replica has confirmed all of the log.
    if (clean)
      for (const auto& replica : cluster_.agents)
        if (replica->streams_from(*this)) replica->handed_everything(*this);
    kill_database(false);
    if (!clean) return;
    final_position_ = volume_->log.end();
    cluster_.ledger.ended_cleanly();
  });
}

void Agent::handed_everything(const Agent& primary) {
  cluster_.ledger.streamed(primary.who(), who(), primary.volume_->log, volume_->log);
  volume_->log = primary.volume_->log;
}

void Agent::perform(const StopReceiver&) {
  job("StopReceiver", 5, 150, [this] {
    if (now() < disk_hangs_until_) return;
    receiver_stopped_ = true;
    following_.clear();
  });
}

void Agent::perform(const StartReplica& action) {
  job("StartReplica", 20, 300, [this, upstream = action.upstream] {
    start_database(ProcessState::kReplicaRunning);
    volume_->shape = DataShape::kReplica;
    following_ = upstream;
    receiver_stopped_ = upstream.empty();
    measured_ = true;
  });
}

void Agent::perform(const Follow& action) {
  job("Follow", 5, 100, [this, upstream = action.upstream] {
    if (upstream.empty()) return;
    following_ = upstream;
    receiver_stopped_ = false;
  });
}

void Agent::perform(const StopReplica&) {
  job("StopReplica", 10, 100, [this] { kill_database(false); });
}

void Agent::compare(const std::string& with, Epoch epoch) {
  job(
      "Compare", 5, 200,
      [this, with, epoch] {
        const Agent* source = reach(with);
        if (!source || source->process_ != ProcessState::kPrimaryRunning) return;
        const postgres::Ancestry own = cluster_.timelines.ancestry(volume_->log);
        const postgres::Ancestry theirs = cluster_.timelines.ancestry(source->volume_->log);
        Comparison found{epoch, data_life_, Lineage::kUnknown, false, source->volume_->log.end()};
        switch (postgres::judge(own, theirs).kinship) {
          case postgres::Kinship::kSame: found.lineage = Lineage::kFollows; break;
          case postgres::Kinship::kForeign: found.foreign = true; [[fallthrough]];
          case postgres::Kinship::kForked: found.lineage = Lineage::kDiverged; break;
          case postgres::Kinship::kUnmeasured: break;
        }
        const EpochHistory theirs_wrote = observation_.record() ? observation_.record()->epochs : EpochHistory();
        if (!cluster_.mistaken(Mistake::kNumbersTellHistories) &&
            !contained(volume_->memory.epochs, *own.end, theirs_wrote)) {
          found.lineage = Lineage::kDiverged;
          found.rewind_hopeless = true;
        }
        comparison_ = found;
      },
      true);
}

void Agent::copy_from(const std::string& from, const EpochHistory& epochs, bool rewind) {
  kill_database(false);
  // pg_rewind, too, knows numbers only.
  const bool in_place = rewind && !(comparison_ && comparison_->rewind_hopeless);
  const auto copy = [this, from, epochs] {
    halves_data_ = false;
    const Agent* source = reach(from);
    if (!source || source->process_ != ProcessState::kPrimaryRunning || !source->accepts_) return;
    volume_->log = source->volume_->log;
    volume_->highest_number = source->volume_->highest_number;
    volume_->shape = DataShape::kReplica;
    volume_->memory.epochs = epochs;
    ++data_life_;
    measured_ = true;
  };
  job(rewind ? "Rewind" : "Clone", 300, in_place ? 1500 : 3000, copy, !rewind);
  halves_data_ = in_place;
}

// By PostgreSQL's own rule, which knows numbers only. The ledger knows better.
bool Agent::streams_from(const Agent& primary) const {
  if (process_ != ProcessState::kReplicaRunning || receiver_stopped_ || following_ != primary.endpoint_) return false;
  if (primary.ghost_ || ghost_ || suspended() || primary.suspended() || now() < disk_hangs_until_) return false;
  if (primary.process_ != ProcessState::kPrimaryRunning) return false;
  if (!cluster_.network.connected(address_, primary.address_)) return false;
  if (volume_->log.prefix_of(primary.volume_->log)) return true;
  return postgres::judge(cluster_.timelines.ancestry(volume_->log), cluster_.timelines.ancestry(primary.volume_->log))
             .kinship == postgres::Kinship::kSame;
}

// Services select a promoted member once its mark, or the operator's note that it is primary, is written.
bool Agent::routed_to() const {
  const ApiState& state = cluster_.api.state();
  const Epoch epoch = *volume_->memory.data_epoch;
  const bool marked =
      state.lease.object && state.lease.object->record.promoted && state.lease.object->record.epoch == epoch;
  const auto& assigned = state.link.object ? state.link.object->assignment : std::nullopt;
  return opened_ && (marked || (assigned && assigned->epoch == epoch && assigned->previous == endpoint_));
}

void Agent::client_writes() {
  clients_in_ |= accepts_ && routed_to();
  if (!accepts_ || !clients_in_ || suspended() || now() < disk_hangs_until_) return;
  cluster_.ledger.serves(who(), *volume_);
  volume_->log.append(volume_->log.line());
  int confirmed = 0;
  for (const auto& replica : cluster_.agents) {
    if (replica.get() == this || !replica->streams_from(*this)) continue;
    // A receiver fetches the history file first.
    replica->volume_->highest_number = std::max(replica->volume_->highest_number, volume_->highest_number);
    if (!cluster_.network.chance(0.85)) continue;
    replica->handed_everything(*this);
    ++confirmed;
  }
  if (alive_ && link_.object && now() - process_since_ > kUpkeep && cluster_.network.chance(0.05))
    in_force_ = link_.object->durability;
  const bool synchronous = in_force_.synchronous;
  if (!synchronous || confirmed >= in_force_.replicas) cluster_.ledger.acknowledged(*volume_, synchronous);
}

}  // namespace twinspan::simulation
