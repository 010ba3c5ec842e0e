// The status an S3 link should show, from what was seen and planned. Pure. What is not known is Unknown or absent.
#pragma once
#include "controllers/link/link_plan.hpp"
#include "controllers/s3/s3_seen.hpp"

namespace twinspan::controllers {

api::LinkStatus next_s3_status(const S3Seen& seen, const LinkPlan& plan);

}  // namespace twinspan::controllers
