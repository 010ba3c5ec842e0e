// status.drill of an S3 link's policy: when a rehearsal is due, and what came of it. Pure.
#pragma once
#include <optional>
#include <vector>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "failover/flow/decide.hpp"
#include "failover/flow/drill.hpp"

namespace twinspan::controllers {

// `status`: as it is about to be written, but for the drill. `reports`: of the workers that are heard.
std::optional<api::DrillStatus> next_bucket_drill(const api::FailoverPolicy& policy, const FlowSeen& seen,
                                                  const api::PolicyStatus& status,
                                                  const std::vector<RehearsalReport>& reports, WallTime now);

}  // namespace twinspan::controllers
