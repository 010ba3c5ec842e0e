// Metrics of links and policies, read from the caches when they are asked for.
#pragma once
#include <prometheus/metric_family.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controllers/backup/backup_caches.hpp"
#include "controllers/cluster/cluster.hpp"

namespace twinspan {

// A link's endpoints as they are known by now, where its status does not say it yet: numbers are written there now and
// then.
using NewerRows = std::function<std::optional<std::vector<api::EndpointStatus>>(const kube::Key& link)>;
std::vector<prometheus::MetricFamily> link_metrics(const controllers::Cluster& cluster, const NewerRows& newer);
// twinspan_build_info.
prometheus::MetricFamily build_metrics();
// Everything /metrics serves: kube's registry, build and, where wanted, links and their backups.
std::string all_metrics_text(const controllers::Cluster& cluster, const controllers::BackupCaches& backups,
                             const NewerRows& newer, bool links);

}  // namespace twinspan
