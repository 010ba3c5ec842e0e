// Of the agent: what it sees, as a MemberView.
#include "worker/postgres/agent.hpp"
#include "worker/postgres/member_status.hpp"

namespace twinspan::worker {

using std::chrono::seconds;

namespace {

bool begun_since(const Local& local, const LeaseRecord& lease) {
  const auto& known = local.comparison;
  return known && known->epoch == lease.epoch && known->data_life == local.data_life && known->primary_end &&
         local.received >= known->primary_end;
}

}  // namespace

void Agent::gather(MemberView& view, Local& local, LeaseKeeper::View& lease,
                   std::shared_ptr<const Desired>& desired) const {
  {
    MutexLock lock(desired_mutex_);
    desired = desired_;
  }
  // The lease last: a right that has run out by now must not be seen as one.
  local = local_.copy();
  view.unfit = disk_.waiting() >= kDiskHangs;
  lease = keeper_.view(local.memory ? local.memory->lease : seconds(0));
  view.self = options_.endpoint;
  view.instance = instance_;
  view.lease = lease.record;
  view.lease_duration = std::chrono::duration_cast<seconds>(lease.duration);
  view.lease_outlived = lease.outlived;
  view.lease_went_back = lease.went_back;
  view.memory = local.memory;
  view.lease_stood = lease.stood;
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
  view.prepared = may_replace(desired.get(), local.prepared);
  if (!lease.record) return;
  view.upstream = upstream_of(*desired, options_.endpoint, lease.record->holder_endpoint);
  view.log_missing = may_clone_for_log(local, view, *desired);
  view.begun = begun_since(local, *lease.record);
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

}  // namespace twinspan::worker
