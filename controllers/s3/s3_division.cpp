#include "controllers/s3/s3_division.hpp"

namespace twinspan::controllers {

std::optional<api::DivisionStatus> next_division(const S3Seen& seen) {
  const CachedLink& link = seen.link();
  const auto& known = link.status.division;
  if (!link.actionable || link.metadata.deleting()) return known;
  int64_t latest = known ? known->generation : 0;
  for (const auto& lease : seen.leases)
    if (lease) latest = std::max(latest, lease->division);
  if (known ? known->shares == link.spec.s3.workers && known->generation == latest
            : link.spec.s3.workers == 1 && latest == 0)
    return known;
  return api::DivisionStatus{latest + 1, link.spec.s3.workers};
}

}  // namespace twinspan::controllers
