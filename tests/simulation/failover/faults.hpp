// What may go wrong. Each seed draws its own few kinds (a swarm): some faults hide others, so no run has them all.
#pragma once
#include <bitset>
#include <string_view>

namespace twinspan::simulation {

enum class Fault {
  // machines, processes, disks
  kDatabaseDies,
  kAgentRestarts,  // and forgets everything that is not beside its data
  kMachineSuspends,
  kAgentHangs,
  kShutdown,
  kPromotionHangs,  // for long, or for as long as the process lives
  kPromotionFails,
  kDiskHangs,  // nothing is written, nothing can be stopped
  kVolumeLost,
  kPodElsewhere,  // another pod of the same name begins empty while the old one runs on, cut off
  // network, API server, caches
  kCutFromApi,
  kCutFromPeers,
  kCutFromOperators,
  kApiAway,
  kStaleCache,  // one kind of object, seen by one reader, is behind by seconds
  kOperatorRestarts,
  kOperatorSuspends,
  kEtcdRestored,
  // people
  kSwitchover,
  kModeChanges,
  kDurabilityChanges,
  kLeaseTimesChange,
  kPolicyDeleted,
  kStatusDeleted,
  kStatusRestored,
  kLeaseDeleted,
  kLeaseFreed,
  kLeaseEdited,
  kLinkApplied,  // deleted and applied again, over the same volumes
  kRestored,     // in place: the primary is to go on with data of an earlier moment
  kCount
};
using Faults = std::bitset<static_cast<size_t>(Fault::kCount)>;
std::string_view to_string(Fault fault);

// Faults of our own making: each must be found by some seed.
enum class Mistake {
  kNone,
  kFenceIgnored,      // a holder goes on when its lease has run out
  kUnfrozenElection,  // positions that still grow are compared
  kReportsNeverAge,   // what a member said before the lease changed counts
  kPromotionAwaitedForEver,
  kMemoryForgotten,       // what lies beside the data is not read when an agent begins
  kFreeLeaseAtOnce,       // a free lease is taken whoever freed it
  kLowerVersionsIgnored,  // history never goes back
  kOldLeaseTakenAgain,    // a lease that names this agent is its own, whatever came after it
  kSilentIsEmpty,         // who is not heard has no data
  kSourceWasLast,         // where nobody says who was primary last, the source was
  kNumbersTellHistories,  // timelines of the same number are the same
  kWordNeverAges,         // a person's word counts again in every epoch
  kRestoredRemembersOld,  // restored data count as what they took the place of
  kRestoredNumberUsed,    // their timeline has a number that another one has
  kRestoreUndone,         // whoever has data from before a restore is elected like anybody
  kCount
};
std::string_view to_string(Mistake mistake);

}  // namespace twinspan::simulation
