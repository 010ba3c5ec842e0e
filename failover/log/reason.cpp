#include "failover/log/reason.hpp"

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<LogReason, 43> kReasons{{{LogReason::kNone, ""},
                                         {LogReason::kReplicaReady, "ReplicaReady"},
                                         {LogReason::kStoppingReceivers, "StoppingReceivers"},
                                         {LogReason::kRestartingInPlace, "RestartingInPlace"},
                                         {LogReason::kPromoting, "Promoting"},
                                         {LogReason::kWaitingForPromotion, "WaitingForPromotion"},
                                         {LogReason::kPromotionStuck, "PromotionStuck"},
                                         {LogReason::kCandidateFailed, "CandidateFailed"},
                                         {LogReason::kLeaseWentBack, "LeaseWentBack"},
                                         {LogReason::kPrimaryUnhealthy, "PrimaryUnhealthy"},
                                         {LogReason::kRerouting, "Rerouting"},
                                         {LogReason::kCompleted, "Completed"},
                                         {LogReason::kCancelled, "Cancelled"},
                                         {LogReason::kSwitchoverRefused, "SwitchoverRefused"},
                                         {LogReason::kSwitchover, "Switchover"},
                                         {LogReason::kSwitchoverCancelled, "SwitchoverCancelled"},
                                         {LogReason::kReplacingData, "ReplacingData"},
                                         {LogReason::kFencing, "Fencing"},
                                         {LogReason::kInitial, "Initial"},
                                         {LogReason::kHandoverUnclean, "HandoverUnclean"},
                                         {LogReason::kChosenBeforeTheEnd, "ChosenBeforeTheEnd"},
                                         {LogReason::kLeaseUnknown, "LeaseUnknown"},
                                         {LogReason::kLeaseBehind, "LeaseBehind"},
                                         {LogReason::kLeaseSilent, "LeaseSilent"},
                                         {LogReason::kPaused, "Paused"},
                                         {LogReason::kManualMode, "ManualMode"},
                                         {LogReason::kDryRun, "DryRun"},
                                         {LogReason::kPromotedByWord, "PromotedByWord"},
                                         {LogReason::kLeaseExpired, "LeaseExpired"},
                                         {LogReason::kPrimaryUnreachable, "PrimaryUnreachable"},
                                         {LogReason::kPrimaryFailing, "PrimaryFailing"},
                                         {LogReason::kNoReplica, "NoReplica"},
                                         {LogReason::kReplicasUnreachable, "ReplicasUnreachable"},
                                         {LogReason::kNotEnoughReplicasHeard, "NotEnoughReplicasHeard"},
                                         {LogReason::kFurthestReplicaFailed, "FurthestReplicaFailed"},
                                         {LogReason::kCandidateTooFarBehind, "CandidateTooFarBehind"},
                                         {LogReason::kLagUnknown, "LagUnknown"},
                                         {LogReason::kBeforeRestore, "BeforeRestore"},
                                         {LogReason::kDataMissing, "DataMissing"},
                                         {LogReason::kWaitingForSource, "WaitingForSource"},
                                         {LogReason::kHistoryUnknown, "HistoryUnknown"},
                                         {LogReason::kHistoriesDiffer, "HistoriesDiffer"},
                                         {LogReason::kRestartFailed, "RestartFailed"}}};

}  // namespace

std::string_view to_string(LogReason reason) { return name_of(kReasons, reason); }

}  // namespace twinspan
