// The status a PostgreSQL link should show, from what was seen and planned. Pure. What is not known is Unknown or
// absent, never guessed.
#pragma once
#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"

namespace twinspan::controllers {

// The whole status but `assignment` and `rehearsal`, which are the failover controller's.
api::LinkStatus next_status(const LinkSeen& seen, const LinkPlan& plan);

// One row of status.endpoints. `before` is the row as it was, or nullptr: the last known position outlives the report,
// because what an unreachable primary had is what a failover may lose.
api::EndpointStatus endpoint_status(const LinkSeen& seen, const EndpointSeen& endpoint,
                                    const api::EndpointStatus* before);

}  // namespace twinspan::controllers
