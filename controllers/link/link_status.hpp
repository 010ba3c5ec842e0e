// The status a link should show, from what was seen and planned. Pure. What is not known is Unknown or absent, never
// guessed.
#pragma once
#include <optional>
#include <string>

#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"

namespace twinspan::controllers {

// The whole status but `assignment` and `rehearsal`, which are the failover controller's.
api::LinkStatus next_status(const LinkSeen& seen, const LinkPlan& plan);

// One row of status.endpoints. `before` is the row as it was, or nullptr: the last known position outlives the report,
// because what an unreachable primary had is what a failover may lose.
api::EndpointStatus endpoint_status(const LinkSeen& seen, const EndpointSeen& endpoint,
                                    const api::EndpointStatus* before);

// Why there is no report of a member, for people.
std::string why_unheard(const EndpointSeen& member, const std::string& pod);

// "0.4s", "12s".
std::string lag_text(double seconds);

// How soon a difference is worth a write: at once what people and programs act upon, at most once a second what they
// read along (lag, progress, messages), at most every other second what only moves with the log.
enum class Urgency { kNone, kLazy, kSoon, kNow };
Urgency urgency_of(const api::LinkStatus& before, const api::LinkStatus& after);
std::chrono::milliseconds pause_of(Urgency urgency);  // the least time between two writes

// The merge patch that turns `before` into `after`, without those two, with the resourceVersion as its precondition.
Json status_patch(const api::ObjectMeta& meta, const api::LinkStatus& after);

}  // namespace twinspan::controllers
