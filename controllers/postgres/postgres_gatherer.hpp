// Reads everything about one PostgreSQL link from the caches and from the workers' reports. Writes nothing, asks
// nobody.
#pragma once
#include <memory>

#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

LinkSeen gather_link(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster,
                     const WorkerReports& reports, const Clock& clock);

// As if every worker ran and streamed: what benchmarks of the operator alone see.
LinkSeen pretend_link(const std::shared_ptr<const CachedLink>& link, const Clock& clock);

}  // namespace twinspan::controllers
