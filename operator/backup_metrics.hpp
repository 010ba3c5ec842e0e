// Metrics of BackupSchedules, read from the caches when they are asked for.
#pragma once
#include <prometheus/metric_family.h>

#include <vector>

#include "controllers/backup/backup_caches.hpp"

namespace twinspan {

std::vector<prometheus::MetricFamily> backup_metrics(const controllers::BackupCaches& caches);

}  // namespace twinspan
