// Metrics of links and policies, read from the caches when they are asked for.
#pragma once
#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "controllers/cluster/cluster.hpp"

namespace twinspan {

std::vector<prometheus::MetricFamily> link_metrics(const controllers::Cluster& cluster);
// twinspan_build_info.
prometheus::MetricFamily build_metrics();
// Everything /metrics serves: kube's registry, build and, where wanted, links.
std::string all_metrics_text(const controllers::Cluster& cluster, bool links);

}  // namespace twinspan
