// The conditions of a link. Pure.
#pragma once
#include <vector>

#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"

namespace twinspan::controllers {

// After so many in a row what the last probe of PostgreSQL that succeeded saw counts no more.
inline constexpr int kProbesFailed = 3;

// Ready, Reconciling, Stalled, LagWithinThreshold, DurabilityMet, and Paused while it is; lastTransitionTime is kept
// from the link's status where the condition's status stays. `rows` are the endpoints of the status to be.
std::vector<api::Condition> link_conditions(const LinkSeen& seen, const LinkPlan& plan,
                                            const std::vector<api::EndpointStatus>& rows);

}  // namespace twinspan::controllers
