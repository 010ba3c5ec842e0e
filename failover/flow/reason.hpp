// Why a decision about where writes go is what it is, or why it is not more. Its name is the reason of conditions,
// Events and reports; nothing but this enum is compared.
#pragma once
#include <string_view>

namespace twinspan {

enum class FlowReason {
  kNone,
  kPaused,
  kPrimaryNotInLink,
  kPrimaryRefuses,
  kPrimarySilent,
  kWorkerNotHeard,
  kDryRun,
  kManualMode,
  kCandidateReady,
  kSwitchoverRefused,
  kSwitchover,
  kSwitchoverCancelled,
  kWithdrawing,
  kDraining,
  kStopping,
  kRerouting,
  kCandidateFailed,
  kCompleted,
  kCancelled,
  kInitial,
  kPromoted,
  kPrimaryRemembered,
  // what triggers a failover, by its cause
  kPrimaryUnreachable,
  kPrimaryFailing,
  // no endpoint may take over (place.hpp)
  kNoCandidate,
  kCandidateUnknown,
  kCandidateUnreachable,
  kCandidateRefuses,
  kCandidateNotWritable,
  kCandidateNeverComplete,
  kMissingUnknown,  // this and the next are named as S3 links have always told of them
  kTooMuchMissing,
  // what the endpoints themselves say of their past (past.hpp)
  kRecordsUnread,
  kRecordUnreadable,
  kRecordsContradict,
  kPrimaryUnclear,
  kTakenOver,
  kPlaceTaken,
  kUndecided,
};

std::string_view to_string(FlowReason reason);  // "CandidateReady" …; empty for kNone
// kUndecided for what this version does not know: a worker of another one has a reason, whatever it is.
FlowReason parse_flow_reason(std::string_view text);

}  // namespace twinspan
