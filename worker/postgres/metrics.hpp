// What /metrics says, in the text format of Prometheus.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engines/postgres/statistics.hpp"
#include "failover/report.hpp"
#include "worker/postgres/custom_queries.hpp"

namespace twinspan::worker {

// Any thread.
class Metrics {
 public:
  struct Identity {
    std::string link, ns, endpoint;
  };
  explicit Metrics(const Identity& identity);
  ~Metrics();
  void report(const MemberReport& report);
  void renewal(bool succeeded);
  void database_died();
  void action(const std::string& name, bool succeeded);
  // What is nullopt was not to be had, and has no series.
  std::string text(const std::optional<postgres::Statistics>& statistics = {},
                   std::optional<double> certificate_ends_at = {}, const std::vector<CustomAnswer>& custom = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::worker
