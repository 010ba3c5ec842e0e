#include "failover/lease.hpp"

#include <algorithm>

namespace twinspan {

using std::chrono::milliseconds;

bool free_at_once(const LeaseRecord& lease, const Assignment& assignment, const MemberMemory& memory) {
  if (lease.held() || assignment.epoch != lease.epoch.next() || memory.epoch_seen > lease.epoch) return false;
  if (lease.epoch > Epoch{0}) return lease.release && !lease.release->endpoint.empty();
  return assignment.cause == Cause::kInitial && memory.data_epoch == Epoch{0};
}

LeaseTenure::LeaseTenure(LeaseTiming timing, Epoch epoch, BootTime acquire_sent_at)
    : timing_(timing),
      epoch_(epoch),
      last_sent_(acquire_sent_at),
      fence_at_(acquire_sent_at + timing.duration - timing.margin) {}

void LeaseTenure::sent(BootTime at, milliseconds duration) {
  fence_at_ = std::min<BootTime>(fence_at_, at + duration - timing_.margin);
}

void LeaseTenure::renewed(BootTime sent_at) {
  if (sent_at <= last_sent_) return;
  last_sent_ = sent_at;
  fence_at_ = last_sent_ + timing_.duration - timing_.margin;
}

BootTime LeaseTenure::renew_at() const { return last_sent_ + timing_.renew; }

void LeaseObservation::observe(const LeaseRecord& record, BootTime received_at, milliseconds promised) {
  if (unchanged_.observe(record.version, received_at))
    promised_until_ = std::max<BootTime>(promised_until_, received_at + std::min(promised, kLeaseDurationMost));
  if (!begun_) begun_ = received_at;
  record_ = record;
}

void LeaseObservation::forget() {
  record_.reset();
  unchanged_.forget();
  begun_.reset();
  promised_until_ = {};
}

bool LeaseObservation::stood(BootTime now, milliseconds remembered) const {
  if (!record_ || now < promised_until_ || !unchanged_.stood(timing_.duration, now)) return false;
  remembered = std::min(remembered, kLeaseDurationMost);
  // Of a free lease nobody says any more what its last holder was promised: it may have been just before.
  return record_->held() ? now - *begun_ >= remembered : unchanged_.stood(remembered, now);
}

bool LeaseObservation::outlived(BootTime now, milliseconds remembered, milliseconds duration) const {
  return begun_ &&
         std::max<BootTime>(promised_until_, *begun_ + std::min(remembered, kLeaseDurationMost)) <= now + duration;
}

}  // namespace twinspan
