#include "failover/lease.hpp"

namespace twinspan {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

LeaseTenure::LeaseTenure(LeaseTiming timing, Epoch epoch, BootTime acquire_sent_at)
    : timing_(timing), epoch_(epoch), last_sent_(acquire_sent_at) {}

void LeaseTenure::renewed(BootTime sent_at) {
  if (sent_at > last_sent_) last_sent_ = sent_at;
}

BootTime LeaseTenure::renew_at() const { return last_sent_ + timing_.renew; }
BootTime LeaseTenure::fence_at() const { return last_sent_ + timing_.duration - timing_.margin; }

void LeaseObservation::observe(const LeaseRecord& record, BootTime received_at) {
  if (!record_ || record_->version != record.version) since_ = received_at;
  record_ = record;
}

void LeaseObservation::forget() { record_.reset(); }

bool LeaseObservation::may_be_taken(BootTime now) const {
  if (!record_) return false;
  return !record_->held() || now - since_ >= timing_.duration;
}

milliseconds LeaseObservation::unchanged_for(BootTime now) const {
  return record_ ? duration_cast<milliseconds>(now - since_) : milliseconds(0);
}

}  // namespace twinspan
