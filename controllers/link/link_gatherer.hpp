// Reads everything about one link from the caches and from the workers' reports. Writes nothing, asks nobody.
#pragma once
#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

LinkSeen gather_link(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster,
                     const WorkerReports& reports, const Clock& clock);

// What links of every engine have: CA, account, role, binding, budget. `seen.link` is set.
void gather_common(LinkSeen& seen, const Cluster& cluster, const Clock& clock);
MemberView view_of(const std::optional<Seen>& seen, BootTime now);

// As if every worker ran and streamed: what benchmarks of the operator alone see.
LinkSeen pretend_link(const std::shared_ptr<const CachedLink>& link, const Clock& clock);

}  // namespace twinspan::controllers
