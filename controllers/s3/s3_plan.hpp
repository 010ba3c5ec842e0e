// What to do about an S3 link's objects, from everything seen. Pure and total; carried out by controllers/link's
// effects. Buckets are never touched.
#pragma once
#include "controllers/link/link_plan.hpp"
#include "controllers/s3/s3_seen.hpp"

namespace twinspan::controllers {

// The link's turn to renew workers that another version of the operator made is asked for by its state.
RollState s3_roll_state(const S3Seen& seen, const RenderConfig& config);
LinkPlan plan_s3(const S3Seen& seen, const RenderConfig& config);

}  // namespace twinspan::controllers
