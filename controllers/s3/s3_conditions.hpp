// Ready, Reconciling, Stalled, LagWithinThreshold, Consistent and Paused of an S3 link. Pure.
#pragma once
#include <vector>

#include "controllers/link/link_plan.hpp"
#include "controllers/s3/s3_said.hpp"

namespace twinspan::controllers {

// `status`: as it will be, but for its conditions.
std::vector<api::Condition> s3_conditions(const S3Seen& seen, const S3Said& said, const LinkPlan& plan,
                                          const api::LinkStatus& status);

// The target has had everything once, and gets what is new.
bool follows(const api::EndpointStatus& row);
// Whose lag and state count: the replicas; of a two-way link, whose endpoints all are Primary, the target.
bool is_follower(const api::LinkSpec& spec, const api::EndpointStatus& row);

}  // namespace twinspan::controllers
