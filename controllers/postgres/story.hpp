// FailoverPolicy status of a PostgreSQL link: the whole story of a failover, as people read it. Pure.
#pragma once
#include <vector>

#include "api/types.hpp"
#include "controllers/policy/policy_events.hpp"
#include "controllers/postgres/routing.hpp"
#include "core/clock.hpp"
#include "failover/log/decide.hpp"

namespace twinspan::controllers {

// The status after `decision`, from the status before. Times of a step are set once and kept.
// `detected`: when the sign that began the change arrived here.
api::PolicyStatus next_status(const api::FailoverPolicy& policy, const FailoverSeen& seen, const Decision& decision,
                              const RoutingSeen& routing, WallTime detected, WallTime now);

// As events_of(), with what holds an election up.
std::vector<Told> postgres_events_of(const api::PolicyStatus& before, const api::PolicyStatus& after);

}  // namespace twinspan::controllers
