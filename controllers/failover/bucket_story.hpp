// FailoverPolicy status of an S3 link: what was decided and why, as people read it. Pure. events_of (story.hpp) tells
// of it.
#pragma once
#include "api/types.hpp"
#include "controllers/failover/bucket_routing.hpp"
#include "controllers/failover/story.hpp"
#include "core/clock.hpp"
#include "failover/bucket_decide.hpp"

namespace twinspan::controllers {

BucketRules bucket_rules_of(const api::FailoverPolicy& policy);
std::optional<BucketMove> bucket_move_of(const api::PolicyStatus& status);

// The status after `decision`, from the status before. Times of a change are set once and kept.
api::PolicyStatus next_bucket_status(const api::FailoverPolicy& policy, const BucketFailoverSeen& seen,
                                     const BucketDecision& decision, const BucketRoutingSeen& routing, WallTime now);

// They differ in nothing but what conditions say in words: worth a write, but not every time.
bool differ_in_words_only(const api::PolicyStatus& before, const api::PolicyStatus& after);

// As events_of(), with what S3 links have to be warned of.
std::vector<Told> bucket_events_of(const api::PolicyStatus& before, const api::PolicyStatus& after);

}  // namespace twinspan::controllers
