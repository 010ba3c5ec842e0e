#include "kube/metrics.hpp"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

namespace twinspan::kube {
namespace {

prometheus::Family<prometheus::Counter>& counter(const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(metrics_registry());
}
prometheus::Family<prometheus::Gauge>& gauge(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(metrics_registry());
}
prometheus::Family<prometheus::Histogram>& histogram(const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(metrics_registry());
}

std::string process_text() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return double(time.tv_sec) + double(time.tv_usec) / 1e6; };
  long pages = 0, resident_pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%ld %ld", &pages, &resident_pages) != 2) resident_pages = 0;
    std::fclose(file);
  }
  long descriptors = 0;
  std::error_code ignored;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", ignored); it != std::filesystem::end(it);
       it.increment(ignored))
    ++descriptors;
  return fmt::format(
      "# HELP process_cpu_seconds_total Total user and system CPU time spent in seconds.\n"
      "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {:.2f}\n"
      "# HELP process_resident_memory_bytes Resident memory size in bytes.\n"
      "# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}\n"
      "# HELP process_open_fds Number of open file descriptors.\n"
      "# TYPE process_open_fds gauge\nprocess_open_fds {}\n",
      seconds(usage.ru_utime) + seconds(usage.ru_stime), resident_pages * sysconf(_SC_PAGESIZE), descriptors);
}

}  // namespace

prometheus::Registry& metrics_registry() {
  static prometheus::Registry* registry = new prometheus::Registry;  // outlives every thread that counts
  return *registry;
}

std::string metrics_text() {
  metrics();  // the families exist from the first scrape on
  return prometheus::TextSerializer().Serialize(metrics_registry().Collect()) + process_text();
}

const prometheus::Histogram::BucketBoundaries& seconds_buckets() {
  static const prometheus::Histogram::BucketBoundaries buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                               0.25,  0.5,    1,     2.5,  5,     10,   60};
  return buckets;
}

Metrics& metrics() {
  static Metrics all{
      counter("rest_client_requests_total", "Number of HTTP requests, partitioned by status code, method, and host."),
      histogram("rest_client_request_duration_seconds", "Request latency in seconds, by verb and host."),
      gauge("workqueue_depth", "Current depth of workqueue."),
      counter("workqueue_adds_total", "Total number of adds handled by workqueue."),
      counter("workqueue_retries_total", "Total number of retries handled by workqueue."),
      histogram("workqueue_queue_duration_seconds",
                "How long in seconds an item stays in workqueue before being requested."),
      histogram("workqueue_work_duration_seconds", "How long in seconds processing an item from workqueue takes."),
      counter("controller_runtime_reconcile_total", "Total number of reconciliations per controller."),
      counter("controller_runtime_reconcile_errors_total", "Total number of reconciliation errors per controller."),
      counter("controller_runtime_terminal_reconcile_errors_total",
              "Total number of terminal reconciliation errors per controller."),
      histogram("controller_runtime_reconcile_time_seconds", "Length of time per reconciliation per controller."),
      gauge("controller_runtime_active_workers", "Number of currently used workers per controller."),
      gauge("controller_runtime_max_concurrent_reconciles", "Maximum number of concurrent reconciles per controller."),
      gauge("leader_election_master_status",
            "Gauge of if the reporting system is master of the relevant lease, 0 indicates "
            "backup, 1 indicates master. 'name' is the string used to identify the lease."),
      counter("twinspan_watch_restarts_total", "Watches begun again, by resource and reason."),
      counter("twinspan_undecodable_objects_total",
              "Objects that the API server sent and this version could not read."),
  };
  return all;
}

}  // namespace twinspan::kube
