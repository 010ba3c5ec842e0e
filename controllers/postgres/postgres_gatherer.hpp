// Reads everything about one PostgreSQL link from the caches and from the workers' reports. Writes nothing, asks
// nobody.
#pragma once
#include <memory>
#include <optional>

#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

LinkSeen gather_link(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster,
                     const WorkerReports& reports, const Clock& clock);

// What clients of the primary are told to connect to: a Service of what is in force, never of what was refused.
std::optional<api::PolicyService> primary_service(const api::FailoverPolicy& policy);

// As if every worker ran and streamed: what benchmarks of the operator alone see.
LinkSeen pretend_link(const std::shared_ptr<const CachedLink>& link, const Clock& clock);

}  // namespace twinspan::controllers
