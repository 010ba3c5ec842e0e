#include "failover/flow/reason.hpp"

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<FlowReason, 39> kReasons{{{FlowReason::kNone, ""},
                                          {FlowReason::kPaused, "Paused"},
                                          {FlowReason::kPrimaryNotInLink, "PrimaryNotInLink"},
                                          {FlowReason::kPrimaryRefuses, "PrimaryRefuses"},
                                          {FlowReason::kPrimarySilent, "PrimarySilent"},
                                          {FlowReason::kWorkerNotHeard, "WorkerNotHeard"},
                                          {FlowReason::kDryRun, "DryRun"},
                                          {FlowReason::kManualMode, "ManualMode"},
                                          {FlowReason::kCandidateReady, "CandidateReady"},
                                          {FlowReason::kSwitchoverRefused, "SwitchoverRefused"},
                                          {FlowReason::kSwitchover, "Switchover"},
                                          {FlowReason::kSwitchoverCancelled, "SwitchoverCancelled"},
                                          {FlowReason::kWithdrawing, "Withdrawing"},
                                          {FlowReason::kDraining, "Draining"},
                                          {FlowReason::kStopping, "Stopping"},
                                          {FlowReason::kRerouting, "Rerouting"},
                                          {FlowReason::kCandidateFailed, "CandidateFailed"},
                                          {FlowReason::kCompleted, "Completed"},
                                          {FlowReason::kCancelled, "Cancelled"},
                                          {FlowReason::kInitial, "Initial"},
                                          {FlowReason::kPromoted, "Promoted"},
                                          {FlowReason::kPrimaryRemembered, "PrimaryRemembered"},
                                          {FlowReason::kPrimaryUnreachable, "PrimaryUnreachable"},
                                          {FlowReason::kPrimaryFailing, "PrimaryFailing"},
                                          {FlowReason::kNoCandidate, "NoCandidate"},
                                          {FlowReason::kCandidateUnknown, "CandidateUnknown"},
                                          {FlowReason::kCandidateUnreachable, "CandidateUnreachable"},
                                          {FlowReason::kCandidateRefuses, "CandidateRefuses"},
                                          {FlowReason::kCandidateNotWritable, "CandidateNotWritable"},
                                          {FlowReason::kCandidateNeverComplete, "CandidateNeverComplete"},
                                          {FlowReason::kMissingUnknown, "MissingKeysUnknown"},
                                          {FlowReason::kTooMuchMissing, "TooManyKeysMissing"},
                                          {FlowReason::kRecordsUnread, "RecordsUnread"},
                                          {FlowReason::kRecordUnreadable, "RecordUnreadable"},
                                          {FlowReason::kRecordsContradict, "RecordsContradict"},
                                          {FlowReason::kPrimaryUnclear, "PrimaryUnclear"},
                                          {FlowReason::kTakenOver, "TakenOver"},
                                          {FlowReason::kPlaceTaken, "PlaceTaken"},
                                          {FlowReason::kUndecided, "Undecided"}}};

}  // namespace

std::string_view to_string(FlowReason reason) { return name_of(kReasons, reason); }

FlowReason parse_flow_reason(std::string_view text) {
  return value_of(kReasons, text).value_or(FlowReason::kUndecided);
}

}  // namespace twinspan
