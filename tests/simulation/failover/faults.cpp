#include "faults.hpp"

#include <array>

#include "failover/names.hpp"

namespace twinspan::simulation {
namespace {

constexpr Names<Fault, static_cast<size_t>(Fault::kCount)> kFaults{{
    {Fault::kDatabaseDies, "DatabaseDies"},
    {Fault::kAgentRestarts, "AgentRestarts"},
    {Fault::kMachineSuspends, "MachineSuspends"},
    {Fault::kAgentHangs, "AgentHangs"},
    {Fault::kShutdown, "Shutdown"},
    {Fault::kPromotionHangs, "PromotionHangs"},
    {Fault::kPromotionFails, "PromotionFails"},
    {Fault::kDiskHangs, "DiskHangs"},
    {Fault::kVolumeLost, "VolumeLost"},
    {Fault::kPodElsewhere, "PodElsewhere"},
    {Fault::kCutFromApi, "CutFromApi"},
    {Fault::kCutFromPeers, "CutFromPeers"},
    {Fault::kCutFromOperators, "CutFromOperators"},
    {Fault::kApiAway, "ApiAway"},
    {Fault::kStaleCache, "StaleCache"},
    {Fault::kOperatorRestarts, "OperatorRestarts"},
    {Fault::kOperatorSuspends, "OperatorSuspends"},
    {Fault::kEtcdRestored, "EtcdRestored"},
    {Fault::kSwitchover, "Switchover"},
    {Fault::kModeChanges, "ModeChanges"},
    {Fault::kDurabilityChanges, "DurabilityChanges"},
    {Fault::kLeaseTimesChange, "LeaseTimesChange"},
    {Fault::kPolicyDeleted, "PolicyDeleted"},
    {Fault::kStatusDeleted, "StatusDeleted"},
    {Fault::kStatusRestored, "StatusRestored"},
    {Fault::kLeaseDeleted, "LeaseDeleted"},
    {Fault::kLeaseFreed, "LeaseFreed"},
    {Fault::kLeaseEdited, "LeaseEdited"},
    {Fault::kLinkApplied, "LinkApplied"},
    {Fault::kRestored, "Restored"},
}};
constexpr Names<Mistake, static_cast<size_t>(Mistake::kCount)> kMistakes{{
    {Mistake::kNone, "None"},
    {Mistake::kFenceIgnored, "FenceIgnored"},
    {Mistake::kUnfrozenElection, "UnfrozenElection"},
    {Mistake::kReportsNeverAge, "ReportsNeverAge"},
    {Mistake::kPromotionAwaitedForEver, "PromotionAwaitedForEver"},
    {Mistake::kMemoryForgotten, "MemoryForgotten"},
    {Mistake::kFreeLeaseAtOnce, "FreeLeaseAtOnce"},
    {Mistake::kLowerVersionsIgnored, "LowerVersionsIgnored"},
    {Mistake::kOldLeaseTakenAgain, "OldLeaseTakenAgain"},
    {Mistake::kSilentIsEmpty, "SilentIsEmpty"},
    {Mistake::kSourceWasLast, "SourceWasLast"},
    {Mistake::kNumbersTellHistories, "NumbersTellHistories"},
    {Mistake::kWordNeverAges, "WordNeverAges"},
    {Mistake::kRestoredRemembersOld, "RestoredRemembersOld"},
    {Mistake::kRestoredNumberUsed, "RestoredNumberUsed"},
    {Mistake::kRestoreUndone, "RestoreUndone"},
}};

}  // namespace

std::string_view to_string(Fault fault) { return name_of(kFaults, fault); }
std::string_view to_string(Mistake mistake) { return name_of(kMistakes, mistake); }

}  // namespace twinspan::simulation
