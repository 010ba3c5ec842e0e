// FailoverPolicy status of an S3 link: what was decided and why, as people read it. Pure. events_of (policy_events.hpp)
// tells of it.
#pragma once
#include "api/types.hpp"
#include "controllers/policy/policy_events.hpp"
#include "controllers/s3/bucket_routing.hpp"
#include "core/clock.hpp"
#include "failover/flow/decide.hpp"

namespace twinspan::controllers {

FlowRules bucket_rules_of(const api::FailoverPolicy& policy);
// nullopt: none is under way. kInvalid names the field: a newer version's word.
Result<std::optional<FlowMove>> bucket_move_of(const api::PolicyStatus& status);

// The status after `decision`, from the status before. Times of a change are set once and kept.
api::PolicyStatus next_bucket_status(const api::FailoverPolicy& policy, const FlowSeen& seen,
                                     const FlowDecision& decision, const BucketRoutingSeen& routing, WallTime now);

// As events_of(), with what S3 links have to be warned of.
std::vector<Told> bucket_events_of(const api::PolicyStatus& before, const api::PolicyStatus& after);

}  // namespace twinspan::controllers
