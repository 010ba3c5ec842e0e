// Who is the next primary where the lease can't tell who was the last: it is new, was deleted, freed by hand, or comes
// from an old backup. The members' data tell. Pure.
#pragma once
#include "failover/log/decide.hpp"

namespace twinspan {

// The answer of decide() for such a lease, which nobody holds or whose holder has stopped.
Decision recover(const FailoverSeen& seen, const FailoverRules& rules, Cause cause);

}  // namespace twinspan
