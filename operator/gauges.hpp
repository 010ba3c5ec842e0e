// A family of gauges, filled when it is asked for.
#pragma once
#include <prometheus/metric_family.h>

#include <utility>
#include <vector>

namespace twinspan {

class Family {
 public:
  using Labels = std::vector<prometheus::ClientMetric::Label>;

  Family(const char* name, const char* help) {
    family_.name = name;
    family_.help = help;
    family_.type = prometheus::MetricType::Gauge;
  }
  void add(Labels labels, double value) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    metric.gauge.value = value;
    family_.metric.push_back(std::move(metric));
  }
  prometheus::MetricFamily take() { return std::move(family_); }

 private:
  prometheus::MetricFamily family_;
};

}  // namespace twinspan
