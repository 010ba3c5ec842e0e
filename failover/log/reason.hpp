// Why a decision about the primary of a log is what it is, or why it is not more. Its name is the reason of conditions,
// Events and the log of the program; nothing but this enum is compared.
#pragma once
#include <string_view>

namespace twinspan {

enum class LogReason {
  kNone,
  kReplicaReady,
  kStoppingReceivers,
  kRestartingInPlace,
  kPromoting,
  kWaitingForPromotion,
  kPromotionStuck,
  kCandidateFailed,
  kLeaseWentBack,
  kPrimaryUnhealthy,
  kRerouting,
  kCompleted,
  kCancelled,
  kSwitchoverRefused,
  kSwitchover,
  kSwitchoverCancelled,
  kReplacingData,
  kFencing,
  kInitial,
  kHandoverUnclean,
  kChosenBeforeTheEnd,
  kLeaseUnknown,
  kLeaseBehind,
  kLeaseSilent,
  kPaused,
  kManualMode,
  kDryRun,
  kPromotedByWord,
  // what triggers a failover, by its cause
  kLeaseExpired,
  kPrimaryUnreachable,
  kPrimaryFailing,
  // no replica may be promoted (elect.hpp)
  kNoReplica,
  kReplicasUnreachable,
  kNotEnoughReplicasHeard,
  kFurthestReplicaFailed,
  kCandidateTooFarBehind,
  kLagUnknown,
  kBeforeRestore,
  // the lease does not tell who was primary last (recover.hpp)
  kDataMissing,
  kWaitingForSource,
  kHistoryUnknown,
  kHistoriesDiffer,
  kRestartFailed,
};

std::string_view to_string(LogReason reason);  // "ReplicaReady" …; empty for kNone

}  // namespace twinspan
