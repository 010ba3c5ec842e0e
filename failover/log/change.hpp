// A change of primary that was begun and has not reached the lease yet. Pure. For decide.cpp alone.
#pragma once
#include "failover/log/decide.hpp"

namespace twinspan {

// status.assignment is ahead of every epoch that was used: a change is under way.
Decision changing(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease);

}  // namespace twinspan
