// Everything a decision about one Kafka link depends on, as one value, and how it is gathered.
#pragma once
#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"

namespace twinspan::controllers {

struct KafkaSeen {
  // What links of every engine have. `endpoints` is the worker alone (kKafkaMember): its pod, its TLS Secret and what
  // it said.
  LinkSeen common;
  std::shared_ptr<const StatefulSet> set;
  std::optional<std::string> place_taken{};  // by an elder link, and why: this one must not run

  const CachedLink& link() const { return *common.link; }
  const EndpointSeen& worker() const { return common.endpoints.front(); }
  std::string pod() const;
  void set_foreign_aside();  // as LinkSeen's
};

KafkaSeen gather_kafka(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster,
                       const WorkerReports& reports, const Clock& clock);

}  // namespace twinspan::controllers
