#include "failover/log/member.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<WaitReason, 18> kWaits{{{WaitReason::kPrimary, "Primary"},
                                        {WaitReason::kReplica, "Replica"},
                                        {WaitReason::kComparingHistory, "ComparingHistory"},
                                        {WaitReason::kLeaseHeld, "LeaseHeld"},
                                        {WaitReason::kLeaseUnknown, "LeaseUnknown"},
                                        {WaitReason::kAssignmentUnknown, "AssignmentUnknown"},
                                        {WaitReason::kAnotherInstanceMayBegin, "AnotherInstanceMayBegin"},
                                        {WaitReason::kWaitingForHandover, "WaitingForHandover"},
                                        {WaitReason::kHandoverUnclean, "HandoverUnclean"},
                                        {WaitReason::kFinalPositionNotReceived, "FinalPositionNotReceived"},
                                        {WaitReason::kChosenBeforeTheEnd, "ChosenBeforeTheEnd"},
                                        {WaitReason::kUnfit, "Unfit"},
                                        {WaitReason::kLeaseNotRetaken, "LeaseNotRetaken"},
                                        {WaitReason::kLeaseHeldByEarlierInstance, "LeaseHeldByEarlierInstance"},
                                        {WaitReason::kPrimaryNotPromoted, "PrimaryNotPromoted"},
                                        {WaitReason::kHistoryWentBack, "HistoryWentBack"},
                                        {WaitReason::kPrimaryChanging, "PrimaryChanging"},
                                        {WaitReason::kNoPrimary, "NoPrimary"}}};
constexpr Names<HaltReason, 3> kHalts{{{HaltReason::kDiverged, "Diverged"},
                                       {HaltReason::kDataMissing, "DataMissing"},
                                       {HaltReason::kMemoryUnreadable, "MemoryUnreadable"}}};

bool is_initial(const MemberView& view, Epoch epoch) {
  if (!view.assignment || view.assignment->epoch != epoch || view.assignment->cause != Cause::kInitial) return false;
  return view.assignment->instance.empty() || view.assignment->instance == view.instance;
}

// What the lease shows that is not remembered yet.
std::optional<MemberMemory> learned(const MemberView& view) {
  const MemberMemory& known = *view.memory;
  const LeaseRecord& lease = *view.lease;
  if (!lease.held() && !lease.release) return std::nullopt;
  MemberMemory memory = known;
  if (lease.epoch > known.epoch_seen) {
    memory.epoch_seen = lease.epoch;
    memory.lease = view.lease_duration;
  } else if (lease.epoch == known.epoch_seen) {
    memory.lease = view.lease_outlived ? view.lease_duration : std::max(known.lease, view.lease_duration);
  }
  return memory == known ? std::nullopt : std::optional(memory);
}

// `memory` with the data here being `part` of the history of `epoch`, which consists of `epochs`.
MemberMemory with_data(MemberMemory memory, EpochHistory epochs, Epoch epoch, DataPart part) {
  memory.epochs = std::move(epochs);
  memory.epoch_seen = std::max(memory.epoch_seen, epoch);
  memory.data_epoch = epoch;
  memory.part = part;
  return memory;
}

// Whose writes the data consist of once this member is primary in `tenure`, by promotion or by starting again.
EpochHistory epochs_as_primary(const MemberView& view, Epoch tenure, bool by_promotion) {
  const EpochHistory& before = view.memory->epochs;
  if (by_promotion) return view.received ? with_epoch(before, tenure, *view.received) : EpochHistory();
  return before.empty() ? EpochHistory{{tenure, Position{}}} : before;  // all that is here counts as this epoch's
}

MemberAction as_holder(const MemberView& view, Epoch tenure) {
  const bool running = view.process != ProcessState::kStopped;
  if (view.process_died) return ReleaseLease{Cause::kProcessDied};
  if (view.stopping) return running ? MemberAction{HandOver{Cause::kShutdown}} : ReleaseLease{Cause::kShutdown};
  if (view.assignment && view.assignment->epoch > tenure)
    return running ? MemberAction{HandOver{view.assignment->cause}} : ReleaseLease{view.assignment->cause};
  if (view.process == ProcessState::kPrimaryRunning) {
    const bool marked = view.lease && view.lease->promoted && view.lease->epoch == tenure;
    return marked ? MemberAction{Wait{WaitReason::kPrimary}} : MarkPromoted{};
  }
  // A person's word, for this epoch alone. Once the data have changed places they are this epoch's.
  if (view.prepared && !running && view.assignment && view.assignment->epoch == tenure &&
      view.assignment->cause == Cause::kRestore && view.memory && view.memory->data_epoch != tenure)
    return PutRestored{tenure};
  // Where a primary ever was, missing data was lost: an empty database must not take its place.
  if (view.data == DataShape::kNone)
    return is_initial(view, tenure) ? MemberAction{Initialize{}} : ReleaseLease{Cause::kProcessDied};
  if (!running && view.data == DataShape::kReplica) return StartReplica{""};
  // The next action makes this the data of the tenure's epoch, and that has to be known here whatever happens then.
  if (!view.memory) return ReleaseLease{Cause::kProcessDied};
  if (view.memory->data_epoch != tenure || view.memory->part != DataPart::kPrimary)
    return Remember{with_data(*view.memory, epochs_as_primary(view, tenure, running), tenure, DataPart::kPrimary)};
  return running ? MemberAction{Promote{}} : StartPrimary{};
}

// The old primary was back and went on after this member was chosen, and has stopped cleanly.
bool lacks_what_came_after(const MemberView& view, const LeaseRecord& lease) {
  if (view.data != DataShape::kReplica || !lease.release || !lease.release->final_position) return false;
  const Position end = *lease.release->final_position;
  const Position has = common_end(view.memory->epochs, view.received.value_or(Position{}), lease.epochs);
  return has < end && view.assignment->final_position.value_or(Position{}) < end;
}

// Named by the assignment for a later epoch: take the lease once it may be taken and nothing would be lost by it.
MemberAction as_candidate(const MemberView& view, const LeaseRecord& lease) {
  const Assignment& assignment = *view.assignment;
  if (view.data == DataShape::kNone && !is_initial(view, assignment.epoch))
    return assignment.cause == Cause::kInitial ? MemberAction{Wait{WaitReason::kAnotherInstanceMayBegin}}
                                               : Halt{HaltReason::kDataMissing};
  if (view.data == DataShape::kReplica && view.process == ProcessState::kStopped) return StartReplica{""};
  const bool planned = assignment.cause == Cause::kSwitchover;
  if (planned && lease.held()) return Wait{WaitReason::kWaitingForHandover};
  // Without a clean stop another replica may hold commits this one lacks: that takes an election.
  if (planned && !(lease.release && lease.release->final_position)) return Wait{WaitReason::kHandoverUnclean};
  if (planned && (!view.received ||
                  common_end(view.memory->epochs, *view.received, lease.epochs) < *lease.release->final_position))
    return Wait{WaitReason::kFinalPositionNotReceived};
  if (!planned && lacks_what_came_after(view, lease)) return Wait{WaitReason::kChosenBeforeTheEnd};
  if (view.process == ProcessState::kReplicaRunning && !view.receiver_stopped) return StopReceiver{};
  if (view.unfit) return Wait{WaitReason::kUnfit};
  if (!view.lease_stood && !free_at_once(lease, assignment, *view.memory)) return Wait{WaitReason::kLeaseHeld};
  return TakeLease{lease.version, assignment.epoch};
}

// Another member holds the lease and has promoted.
MemberAction as_replica(const MemberView& view, const LeaseRecord& lease) {
  const auto remembered = [&](Epoch epoch, DataPart part) {
    return view.memory->data_epoch == epoch && view.memory->part == part;
  };
  const bool replaced =
      view.data == DataShape::kNone || (view.lineage == Lineage::kDiverged && view.diverged != DivergedRule::kHalt);
  // Whatever was here is about to be gone, and what comes is of no history until it was compared.
  if (replaced && !remembered(Epoch{0}, DataPart::kSome))
    return Remember{with_data(*view.memory, view.memory->epochs, Epoch{0}, DataPart::kSome)};
  if (view.data == DataShape::kNone) return Clone{lease.holder_endpoint, lease.epochs};
  if (view.lineage == Lineage::kUnknown) return Wait{WaitReason::kComparingHistory};
  if (view.lineage == Lineage::kDiverged) {
    switch (view.diverged) {
      case DivergedRule::kHalt: return Halt{HaltReason::kDiverged};
      case DivergedRule::kRewind: return Rewind{lease.holder_endpoint, lease.epochs};
      case DivergedRule::kClone: return Clone{lease.holder_endpoint, lease.epochs};
    }
  }
  // It has nothing that the primary lacks, and can never get what comes next.
  if (view.log_missing) return Clone{lease.holder_endpoint, lease.epochs};
  const DataPart part = view.begun ? DataPart::kBegun : DataPart::kSome;
  if (view.memory->data_epoch != lease.epoch || view.memory->part == DataPart::kPrimary ||
      (view.memory->part == DataPart::kSome && view.begun))
    return Remember{with_data(*view.memory, lease.epochs, lease.epoch, part)};
  if (view.process == ProcessState::kStopped) return StartReplica{view.upstream};
  if (view.following != view.upstream || view.receiver_stopped) return Follow{view.upstream};
  return Wait{WaitReason::kReplica};
}

// The lease is older than what is remembered: it was deleted, edited or restored, or is about to be read anew.
bool went_back(const MemberView& view) {
  return view.lease && view.memory && view.lease->epoch < view.memory->epoch_seen;
}

// Nobody may advance once the members' positions are being compared. A planned change is not compared: the old primary
// sends its last log to everybody before it lets go.
bool changing_without_primary(const MemberView& view) {
  if (!view.lease) return false;
  if (!view.lease->held() || went_back(view)) return true;
  return view.assignment && view.assignment->epoch > view.lease->epoch && !is_planned(view.assignment->cause);
}

}  // namespace

Epoch frozen_for(const MemberView& view) {
  const bool still = view.process == ProcessState::kReplicaRunning && view.receiver_stopped;
  if (!still || view.tenure || !changing_without_primary(view)) return Epoch{0};
  return std::max(view.lease->epoch, view.memory ? view.memory->epoch_seen : Epoch{0}).next();
}

MemberAction decide_member(const MemberView& view) {
  if (view.tenure) return as_holder(view, *view.tenure);
  if (view.process == ProcessState::kPrimaryRunning) return Fence{};
  if (view.stopping) return view.process == ProcessState::kStopped ? MemberAction{Exit{}} : StopReplica{};
  if (!view.lease) return Wait{WaitReason::kLeaseUnknown};
  if (!view.memory) return Halt{HaltReason::kMemoryUnreadable};
  const LeaseRecord& lease = *view.lease;
  if (const auto memory = learned(view)) return Remember{*memory};
  // The lease names this very agent, which has no right by its own clock: the answer to its request was lost, or it
  // could not renew in time and nobody has taken over. A renewal that succeeds proves that nobody did, unless the lease
  // comes from a backup: who held it since may be known to others only, whom the operator asks before it assigns anew.
  // Epoch 0 has no holder: somebody edited it.
  const bool own =
      lease.holder_endpoint == view.self && lease.holder_instance == view.instance && lease.epoch > Epoch{0};
  const bool superseded = view.assignment && view.assignment->epoch > lease.epoch;  // others may have been compared
  // Where this was a replica somebody else was primary: the lease was edited.
  const bool anothers = view.memory->data_epoch == lease.epoch && view.memory->part != DataPart::kPrimary;
  if (own && !superseded && !anothers && !went_back(view) && !view.lease_went_back)
    return view.unfit ? MemberAction{Wait{WaitReason::kUnfit}} : TakeLease{lease.version, lease.epoch};
  if (view.assignment && view.assignment->primary == view.self && view.assignment->epoch > lease.epoch &&
      view.assignment->epoch > view.memory->epoch_seen)
    return as_candidate(view, lease);

  if (changing_without_primary(view)) {
    if (view.process == ProcessState::kReplicaRunning && !view.receiver_stopped) return StopReceiver{};
    if (view.process == ProcessState::kStopped && view.data == DataShape::kReplica) return StartReplica{""};
    return Wait{went_back(view) ? WaitReason::kHistoryWentBack
                : lease.held()  ? WaitReason::kPrimaryChanging
                                : WaitReason::kNoPrimary};
  }
  if (!view.assignment) return Wait{WaitReason::kAssignmentUnknown};
  if (own) return Wait{WaitReason::kLeaseNotRetaken};
  if (lease.holder_endpoint == view.self) return Wait{WaitReason::kLeaseHeldByEarlierInstance};
  if (!lease.promoted) return Wait{WaitReason::kPrimaryNotPromoted};
  return as_replica(view, lease);
}

std::string_view to_string(WaitReason reason) { return name_of(kWaits, reason); }

std::string_view to_string(HaltReason reason) { return name_of(kHalts, reason); }

std::string to_string(const MemberAction& action) {
  struct Namer {
    std::string operator()(const Wait& a) const { return fmt::format("Wait({})", to_string(a.reason)); }
    std::string operator()(const Fence&) const { return "Fence"; }
    std::string operator()(const HandOver& a) const { return fmt::format("HandOver({})", to_string(a.cause)); }
    std::string operator()(const ReleaseLease& a) const { return fmt::format("ReleaseLease({})", to_string(a.cause)); }
    std::string operator()(const TakeLease& a) const { return fmt::format("TakeLease({})", a.epoch.value); }
    std::string operator()(const Remember& a) const { return fmt::format("Remember({})", to_string(a.memory)); }
    std::string operator()(const Initialize&) const { return "Initialize"; }
    std::string operator()(const PutRestored& a) const { return fmt::format("PutRestored({})", a.epoch.value); }
    std::string operator()(const StartPrimary&) const { return "StartPrimary"; }
    std::string operator()(const Promote&) const { return "Promote"; }
    std::string operator()(const MarkPromoted&) const { return "MarkPromoted"; }
    std::string operator()(const StopReceiver&) const { return "StopReceiver"; }
    std::string operator()(const StartReplica& a) const { return fmt::format("StartReplica({})", a.upstream); }
    std::string operator()(const Follow& a) const { return fmt::format("Follow({})", a.upstream); }
    std::string operator()(const Clone& a) const { return fmt::format("Clone({})", a.from); }
    std::string operator()(const Rewind& a) const { return fmt::format("Rewind({})", a.from); }
    std::string operator()(const Halt& a) const { return fmt::format("Halt({})", to_string(a.reason)); }
    std::string operator()(const StopReplica&) const { return "StopReplica"; }
    std::string operator()(const Exit&) const { return "Exit"; }
  };
  return std::visit(Namer{}, action);
}

}  // namespace twinspan
