// What /metrics says, in the text format of Prometheus.
#pragma once
#include <memory>
#include <string>

#include "failover/report.hpp"

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
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::worker
