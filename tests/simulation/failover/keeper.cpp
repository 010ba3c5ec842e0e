// Of the agent: its lease. One request at a time, each of which may be lost on either way.
#include "agent.hpp"

namespace twinspan::simulation {
namespace {

constexpr Micros kPatience = 1000 * kMs;
constexpr Micros kRetry = 250 * kMs;
constexpr Micros kReleaseTime = 5 * kSecond;

int64_t number(const std::string& version) { return version.empty() ? 0 : std::stoll(version); }

}  // namespace

bool Agent::lease_names_me() const {
  const auto& record = observation_.record();
  return record && record->holder_endpoint == endpoint_ && record->holder_instance == instance_;
}

void Agent::note_lease(const LeaseObject& lease, int64_t version, bool newer_proven) {
  if (version <= lease_version_ && !newer_proven) return;
  if (version != lease_version_) lease_learned_ = now();
  const auto& known = observation_.record();
  if (version < lease_version_)
    lease_went_back_ = true;
  else if (!known || lease.record.epoch > known->epoch)
    lease_went_back_ = false;  // whoever made this epoch knew that everybody else had stopped
  lease_version_ = version;
  observation_.observe(lease.record, clock(), lease.duration);
  holder_duration_ = lease.duration;
  // Somebody else has it, or it was released: whatever this clock says, the right is gone.
  if (tenure_ && !(lease_names_me() && lease.record.epoch == tenure_->epoch())) tenure_.reset();
}

void Agent::keeper_turn() {
  if (request_ != 0 || now() < retry_at_) return;
  if (releasing_) {
    if (!lease_names_me() || now() > releasing_->until) {
      releasing_.reset();
      ordered_ = false;
      return;
    }
    LeaseRecord record = *observation_.record();
    record.holder_endpoint.clear();
    record.holder_instance.clear();
    record.release = twinspan::Release{endpoint_, releasing_->cause, std::nullopt};
    if (opened_in_ == record.epoch) {
      record.promoted = true;
      record.epochs = volume_->memory.epochs;
    }
    if (final_position_) record.release->final_position = Position{*final_position_};
    return write_lease(record, false);
  }
  if (!observation_.record() || !tenure_ || tenure_->expired(clock())) {
    if (mark_) mark_ = ordered_ = false;
    return;
  }
  if (!mark_ && clock() < tenure_->renew_at()) return;
  LeaseRecord record = *observation_.record();
  record.promoted |= mark_;
  if (mark_) record.epochs = volume_->memory.epochs;
  if (opened_ && measured_) record.end = std::max(record.end, std::optional(Position{volume_->log.end()}));
  record.release.reset();
  write_lease(record, false);
}

void Agent::take(const TakeLease& action) {
  LeaseRecord record;
  record.version = action.version;
  record.epoch = action.epoch;
  record.holder_endpoint = endpoint_;
  record.holder_instance = instance_;
  const auto& known = observation_.record();
  record.promoted = known && lease_names_me() && known->epoch == action.epoch && known->promoted;
  if (record.promoted) record.epochs = known->epochs;
  if (record.promoted) record.end = known->end;
  died_ = false;
  ordered_ = true;
  write_lease(record, true);
}

// The right ends when the request is sent: it may take effect at any time after.
void Agent::release(Cause cause) {
  tenure_.reset();
  releasing_ = Release{cause, now() + kReleaseTime};
  ordered_ = true;
  keeper_turn();
}

void Agent::write_lease(LeaseRecord record, bool acquisition) {
  const uint64_t request = request_ = ++tokens_;
  const BootTime sent = clock();
  const Epoch epoch = record.epoch;
  const LeaseTiming timing = timing_;
  const LeaseObject wanted{std::move(record), timing.duration};
  if (tenure_ && !acquisition) {
    tenure_->sent(sent, timing.duration);
    check_guard();
  }
  const int life = life_;
  if (!ghost_)
    cluster_.api.request(address_, [=, this] {
      ApiServer& api = cluster_.api;
      const bool ok = api.state().lease.object && api.put(number(wanted.record.version), wanted);
      api.answer(address_, [=, this, lease = api.state().lease] {
        if (life_ == life)
          in_this_life(0, [=, this] { written(request, ok, lease, epoch, timing, sent, acquisition); });
      });
    });
  in_this_life(kPatience, [=, this] { written(request, false, {}, epoch, timing, sent, acquisition); });
}

void Agent::written(uint64_t request, bool ok, const Stored<LeaseObject>& lease, Epoch epoch, const LeaseTiming& timing,
                    BootTime sent, bool acquisition) {
  if (request_ != request) return;
  request_ = 0;
  if (lease.object) note_lease(*lease.object, lease.version, true);
  if (ok) {
    const bool mine = lease_names_me() && observation_.record()->epoch == epoch;
    if (mine && (acquisition || (tenure_ && tenure_->epoch() == epoch))) {
      tenure_.emplace(timing, epoch, sent);
      if (acquisition) note(std::string("took the lease of epoch ") + std::to_string(epoch.value));
    }
  } else {
    retry_at_ = now() + (releasing_ ? kRetry / 5 : kRetry);
    if (!lease.object) reread();
  }
  if (!releasing_) mark_ = ordered_ = false;
  step();
}

void Agent::reread() { cluster_.api.list(address_, Kind::kLease); }

}  // namespace twinspan::simulation
