// What a member's agent does next. Pure and total: the agent and the simulator run the same code.
// Level-based: called after every change; it answers the one next action, which may be answered again until it took
// effect.
#pragma once
#include <optional>
#include <string>
#include <variant>

#include "failover/assignment.hpp"
#include "failover/lease.hpp"
#include "failover/memory.hpp"

namespace twinspan {

enum class DivergedRule { kHalt, kRewind, kClone };

enum class DataShape {
  kNone,     // no complete data directory
  kReplica,  // has standby.signal: starts in recovery and stays there
  kPrimary,  // would start read-write
};

enum class ProcessState {
  kStopped,         // no process of the database exists, orphans included
  kReplicaRunning,  // in recovery, or on its way there
  kPrimaryRunning,  // accepts writes, or on its way there
};

enum class Lineage {
  kUnknown,   // not compared yet with the present primary: the caller compares and calls again
  kFollows,   // this data is a prefix of the primary's history: it can stream
  kDiverged,  // it has log the primary never had
};

struct MemberView {
  std::string self;
  std::string instance;
  std::optional<Assignment> assignment;
  std::optional<LeaseRecord> lease;  // nullopt: not observed since start
  // It stood unchanged for the longest that anybody may have been promised, by LeaseObservation.
  bool lease_stood = false;
  bool lease_went_back = false;            // it was found to be older than one known before, and did not stand since
  std::chrono::seconds lease_duration{0};  // that `lease` promises its holder
  bool lease_outlived = false;             // LeaseObservation::outlived, of what is remembered and `lease_duration`
  std::optional<MemberMemory> memory;      // as it is on disk; nullopt: it can't be read
  std::optional<Epoch> tenure;  // set while this agent holds the lease and it has not run out by its own clock
  bool stopping = false;        // the pod was asked to go
  DataShape data = DataShape::kNone;
  ProcessState process = ProcessState::kStopped;
  // It ended without being asked to and every orphan is reaped. Cleared when a lease is taken or the database is
  // started.
  bool process_died = false;
  std::optional<Position> received;  // replica: received and flushed
  bool receiver_stopped = false;     // replica: configured to receive nothing, and no receiver is left
  std::string following;             // upstream the replica is configured for; empty: none
  std::string upstream;  // whom to stream from while `lease` stands, by the link's spec; the holder unless `from` says
                         // otherwise
  Lineage lineage = Lineage::kUnknown;
  bool prepared = false;     // what a person had restored lies whole beside the data, and may take their place
  bool unfit = false;        // its disk doesn't answer: it must neither take the lease nor take it again
  bool log_missing = false;  // its upstream has removed the log it needs next, and nothing forbids to clone it anew
  // What lies here goes at least as far as the primary's log did when it was compared in its present epoch.
  bool begun = false;
  DivergedRule diverged = DivergedRule::kHalt;
};

enum class WaitReason {
  kPrimary,           // nothing is to be done: it accepts writes
  kReplica,           // nothing is to be done: it follows
  kComparingHistory,  // ends by the caller's comparing
  kLeaseHeld,         // ends by the passing of time
  kLeaseUnknown,
  kAssignmentUnknown,
  kAnotherInstanceMayBegin,
  kWaitingForHandover,
  kHandoverUnclean,
  kFinalPositionNotReceived,
  kChosenBeforeTheEnd,
  kUnfit,
  kLeaseNotRetaken,
  kLeaseHeldByEarlierInstance,
  kPrimaryNotPromoted,
  kHistoryWentBack,
  kPrimaryChanging,
  kNoPrimary,
};
std::string_view to_string(WaitReason reason);  // "LeaseHeld" …
enum class HaltReason { kDiverged, kDataMissing, kMemoryUnreadable };
std::string_view to_string(HaltReason reason);  // "Diverged" …

struct Wait {
  WaitReason reason;
};
struct Fence {};  // stop the database immediately: no right to be primary
struct HandOver {
  Cause cause;
  bool operator==(const HandOver&) const = default;
};  // CHECKPOINT, stop fast, release with the final position
// The database is stopped already. The tenure ends when the request is *sent*: it may take effect at any time after,
// however it is answered, so nothing may be started under this tenure again.
struct ReleaseLease {
  Cause cause;
};
// Acquires `epoch`, or renews where the lease has that epoch and this instance already; only then it stays marked as
// promoted.
struct TakeLease {
  std::string version;
  Epoch epoch;
};
struct Remember {
  MemberMemory memory;
  bool operator==(const Remember&) const = default;
};                   // writes it beside the data, durably
struct Initialize {  // initdb: only where no epoch ever had a primary
  bool operator==(const Initialize&) const = default;
};
struct StartPrimary {  // from data that is primary-shaped
  bool operator==(const StartPrimary&) const = default;
};
struct Promote {
  bool operator==(const Promote&) const = default;
};
// What was prepared beside takes the place of the data, which are kept beside it, and both are remembered: a primary's
// whole data of `epoch`, that share nothing with any other copy. Durably, and gone on with by an agent that starts
// anew.
struct PutRestored {
  Epoch epoch;
  bool operator==(const PutRestored&) const = default;
};
struct MarkPromoted {};  // in the lease
struct StopReceiver {
  bool operator==(const StopReceiver&) const = default;
};
struct StartReplica {
  std::string upstream;
  bool operator==(const StartReplica&) const = default;
};  // writes standby.signal first; empty: receives nothing
struct Follow {
  std::string upstream;
  bool operator==(const Follow&) const = default;
};  // a running replica gets another upstream
struct Clone {
  std::string from;
  EpochHistory epochs{};  // that wrote the data there, as the lease says
};
struct Rewind {
  std::string from;
  EpochHistory epochs{};
};  // stops first where it runs
struct Halt {
  HaltReason reason;
};                    // stays as it is until a person decides
struct StopReplica {  // on the way out
  bool operator==(const StopReplica&) const = default;
};
struct Exit {};

using MemberAction =
    std::variant<Wait, Fence, HandOver, ReleaseLease, TakeLease, Remember, Initialize, PutRestored, StartPrimary,
                 Promote, MarkPromoted, StopReceiver, StartReplica, Follow, Clone, Rewind, Halt, StopReplica, Exit>;

MemberAction decide_member(const MemberView& view);

// The epoch for which this member has frozen its position: it receives nothing more, and will not until it has seen a
// primary of that epoch. 0: not frozen. Goes into the report with `received`, both taken from the same view, `received`
// read after the receiver was seen stopped. An election trusts only frozen positions: an unfrozen member could still
// confirm commits of the old primary after it was compared.
Epoch frozen_for(const MemberView& view);

// "HandOver(Switchover)", "Wait(LeaseHeld)": for logs, golden files and tests.
std::string to_string(const MemberAction& action);

}  // namespace twinspan
