// Metrics of links and policies, read from the caches when they are asked for.
#pragma once
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "controllers/backup/backup_caches.hpp"
#include "controllers/cluster/cluster.hpp"

namespace twinspan {

std::vector<prometheus::MetricFamily> link_metrics(const controllers::Cluster& cluster);
// twinspan_build_info.
prometheus::MetricFamily build_metrics();
// Everything /metrics serves: kube's registry, build and, where wanted, links and their backups.
std::string all_metrics_text(const controllers::Cluster& cluster, const controllers::BackupCaches& backups, bool links);

}  // namespace twinspan
