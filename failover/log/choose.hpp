// Who is the next primary once the lease is free. Pure. For decide.cpp and change.cpp alone.
#pragma once
#include "failover/log/decide.hpp"

namespace twinspan {

// A person's wish counts as the choice of candidate where automation may not choose.
bool may_promote_others(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary);
// No epoch ever had a primary, as lease and assignment say: the members' data have the last word.
bool never_promoted(const FailoverSeen& seen, const LeaseRecord& lease);
// The lease is free, or will be by the time a candidate asks: name the next primary.
Decision choose(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease, Cause cause);

}  // namespace twinspan
