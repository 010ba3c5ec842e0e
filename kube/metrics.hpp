// The process' metrics, and the text that /metrics serves.
#pragma once
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <string>

namespace twinspan::kube {

// One for the process. Rooms above register families of their own in it.
prometheus::Registry& metrics_registry();
// The Prometheus text format (version 0.0.4) of all that is registered, and process_* as every exporter has them.
std::string metrics_text();

// 1 ms to 60 s, for anything that waits for an API server.
const prometheus::Histogram::BucketBoundaries& seconds_buckets();

// The families of this room: the names that users of client-go and controller-runtime know.
struct Metrics {
  prometheus::Family<prometheus::Counter>& requests_total;                   // code, method, host
  prometheus::Family<prometheus::Histogram>& request_duration_seconds;       // verb, host
  prometheus::Family<prometheus::Gauge>& queue_depth;                        // name
  prometheus::Family<prometheus::Counter>& queue_adds_total;                 // name
  prometheus::Family<prometheus::Counter>& queue_retries_total;              // name
  prometheus::Family<prometheus::Histogram>& queue_duration_seconds;         // name
  prometheus::Family<prometheus::Histogram>& work_duration_seconds;          // name
  prometheus::Family<prometheus::Counter>& reconcile_total;                  // controller, result
  prometheus::Family<prometheus::Counter>& reconcile_errors_total;           // controller
  prometheus::Family<prometheus::Counter>& reconcile_terminal_errors_total;  // controller
  prometheus::Family<prometheus::Histogram>& reconcile_time_seconds;         // controller
  prometheus::Family<prometheus::Gauge>& active_workers;                     // controller
  prometheus::Family<prometheus::Gauge>& max_concurrent_reconciles;          // controller
  prometheus::Family<prometheus::Gauge>& leader_election_master_status;      // name
  prometheus::Family<prometheus::Counter>& watch_restarts_total;             // resource, reason
  prometheus::Family<prometheus::Counter>& undecodable_objects_total;        // resource
};
Metrics& metrics();

}  // namespace twinspan::kube
