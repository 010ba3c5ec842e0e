#include "failover/member.hpp"

#include <fmt/format.h>

namespace twinspan {
namespace {

bool is_initial(const MemberView& view, Epoch epoch) {
  return view.assignment && view.assignment->epoch == epoch && view.assignment->cause == Cause::kInitial;
}

MemberAction as_holder(const MemberView& view, Epoch tenure) {
  const bool running = view.process != ProcessState::kStopped;
  if (view.process_died) return ReleaseLease{Cause::kProcessDied};
  if (view.stopping) return running ? MemberAction{HandOver{Cause::kShutdown}} : ReleaseLease{Cause::kShutdown};
  if (view.assignment && view.assignment->epoch > tenure)
    return running ? MemberAction{HandOver{view.assignment->cause}} : ReleaseLease{view.assignment->cause};
  if (view.process == ProcessState::kPrimaryRunning) {
    const bool marked = view.lease && view.lease->promoted && view.lease->epoch == tenure;
    return marked ? MemberAction{Wait{"Primary"}} : MarkPromoted{};
  }
  if (view.process == ProcessState::kReplicaRunning) return Promote{};
  switch (view.data) {
    // Where a primary ever was, missing data was lost: an empty database must not take its place.
    case DataShape::kNone:
      return is_initial(view, tenure) ? MemberAction{Initialize{}} : ReleaseLease{Cause::kProcessDied};
    case DataShape::kPrimary: return StartPrimary{};
    case DataShape::kReplica: return StartReplica{""};
  }
  return Wait{"Unreachable"};
}

// Named by the assignment for the next epoch: take the lease once it may be taken and nothing would be lost by it.
MemberAction as_candidate(const MemberView& view, const LeaseRecord& lease) {
  if (view.data == DataShape::kNone && !is_initial(view, lease.epoch.next())) return Halt{"DataMissing"};
  if (view.data == DataShape::kReplica && view.process == ProcessState::kStopped) return StartReplica{""};
  const bool planned = view.assignment->cause == Cause::kSwitchover;
  if (planned && lease.held()) return Wait{"WaitingForHandover"};
  // Without a clean stop another replica may hold commits this one lacks: that takes an election.
  if (planned && !(lease.release && lease.release->final_position)) return Wait{"HandoverUnclean"};
  if (planned && (!view.received || *view.received < *lease.release->final_position))
    return Wait{"FinalPositionNotReceived"};
  if (view.process == ProcessState::kReplicaRunning && !view.receiver_stopped) return StopReceiver{};
  if (!view.lease_may_be_taken) return Wait{"LeaseHeld"};
  return TakeLease{lease.version, lease.epoch.next()};
}

// Another member holds the lease and has promoted.
MemberAction as_replica(const MemberView& view, const LeaseRecord& lease) {
  if (view.data == DataShape::kNone) return Clone{lease.holder_endpoint};
  if (view.lineage == Lineage::kUnknown) return Wait{"ComparingHistory"};
  if (view.lineage == Lineage::kDiverged) {
    switch (view.diverged) {
      case DivergedRule::kHalt: return Halt{"Diverged"};
      case DivergedRule::kRewind: return Rewind{lease.holder_endpoint};
      case DivergedRule::kClone: return Clone{lease.holder_endpoint};
    }
  }
  if (view.process == ProcessState::kStopped) return StartReplica{view.upstream};
  if (view.following != view.upstream || view.receiver_stopped) return Follow{view.upstream};
  return Wait{"Replica"};
}

// Nobody may advance once the members' positions are being compared. A switchover is not compared: the old primary
// sends its last log to everybody before it lets go.
bool changing_without_primary(const MemberView& view) {
  if (!view.lease || !view.assignment) return false;
  const bool planned = view.assignment->cause == Cause::kSwitchover;
  return !view.lease->held() || (view.assignment->epoch == view.lease->epoch.next() && !planned);
}

}  // namespace

Epoch frozen_for(const MemberView& view) {
  const bool still = view.process == ProcessState::kReplicaRunning && view.receiver_stopped;
  return still && !view.tenure && changing_without_primary(view) ? view.lease->epoch.next() : Epoch{0};
}

MemberAction decide_member(const MemberView& view) {
  if (view.tenure) return as_holder(view, *view.tenure);
  if (view.process == ProcessState::kPrimaryRunning) return Fence{};
  if (view.stopping) return view.process == ProcessState::kStopped ? MemberAction{Exit{}} : StopReplica{};
  if (!view.lease) return Wait{"LeaseUnknown"};
  const LeaseRecord& lease = *view.lease;
  // The lease names this very agent, which has no right by its own clock: the answer to its request was lost, or it
  // could not renew in time and nobody has taken over. A renewal that succeeds proves that nobody did.
  if (lease.holder_endpoint == view.self && lease.holder_instance == view.instance)
    return TakeLease{lease.version, lease.epoch};
  if (!view.assignment) return Wait{"AssignmentUnknown"};
  if (view.assignment->epoch == lease.epoch.next() && view.assignment->primary == view.self)
    return as_candidate(view, lease);

  if (changing_without_primary(view)) {
    if (view.process == ProcessState::kReplicaRunning && !view.receiver_stopped) return StopReceiver{};
    if (view.process == ProcessState::kStopped && view.data == DataShape::kReplica) return StartReplica{""};
    return Wait{lease.held() ? "PrimaryChanging" : "NoPrimary"};
  }
  if (lease.holder_endpoint == view.self) return Wait{"LeaseHeldByEarlierInstance"};
  if (!lease.promoted) return Wait{"PrimaryNotPromoted"};
  return as_replica(view, lease);
}

std::string to_string(const MemberAction& action) {
  struct Namer {
    std::string operator()(const Wait& a) const { return fmt::format("Wait({})", a.reason); }
    std::string operator()(const Fence&) const { return "Fence"; }
    std::string operator()(const HandOver& a) const { return fmt::format("HandOver({})", to_string(a.cause)); }
    std::string operator()(const ReleaseLease& a) const { return fmt::format("ReleaseLease({})", to_string(a.cause)); }
    std::string operator()(const TakeLease& a) const { return fmt::format("TakeLease({})", a.epoch.value); }
    std::string operator()(const Initialize&) const { return "Initialize"; }
    std::string operator()(const StartPrimary&) const { return "StartPrimary"; }
    std::string operator()(const Promote&) const { return "Promote"; }
    std::string operator()(const MarkPromoted&) const { return "MarkPromoted"; }
    std::string operator()(const StopReceiver&) const { return "StopReceiver"; }
    std::string operator()(const StartReplica& a) const { return fmt::format("StartReplica({})", a.upstream); }
    std::string operator()(const Follow& a) const { return fmt::format("Follow({})", a.upstream); }
    std::string operator()(const Clone& a) const { return fmt::format("Clone({})", a.from); }
    std::string operator()(const Rewind& a) const { return fmt::format("Rewind({})", a.from); }
    std::string operator()(const Halt& a) const { return fmt::format("Halt({})", a.reason); }
    std::string operator()(const StopReplica&) const { return "StopReplica"; }
    std::string operator()(const Exit&) const { return "Exit"; }
  };
  return std::visit(Namer{}, action);
}

}  // namespace twinspan
