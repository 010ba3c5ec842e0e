#include "operator/link_metrics.hpp"

#include <prometheus/text_serializer.h>

#include <map>

#include "api/conditions.hpp"
#include "contract/rows.hpp"
#include "kube/metrics.hpp"
#include "operator/backup_metrics.hpp"
#include "operator/build_info.hpp"
#include "operator/gauges.hpp"

namespace twinspan {
namespace {

using Labels = Family::Labels;

Labels of_link(const kube::Key& link) { return {{"namespace", link.ns}, {"link", link.name}}; }

Labels of_endpoint(const kube::Key& link, const std::string& endpoint) {
  Labels labels = of_link(link);
  labels.push_back({"endpoint", endpoint});
  return labels;
}

const char* ready_word(const api::LinkStatus& status) {
  const api::Condition* ready = api::find_condition(status.conditions, "Ready");
  if (!ready || ready->status == api::ConditionStatus::kUnknown) return "Unknown";
  return ready->status == api::ConditionStatus::kTrue ? "True" : "False";
}

}  // namespace

std::vector<prometheus::MetricFamily> link_metrics(const controllers::Cluster& cluster, const NewerRows& newer) {
  Family links("twinspan_links", "Links by their condition Ready.");
  Family ready("twinspan_link_ready", "1 where the link's condition Ready is True.");
  Family epoch("twinspan_link_epoch", "Grows with every change of primary.");
  Family primary("twinspan_link_primary", "1 at the endpoint that accepts writes.");
  Family lag_seconds("twinspan_replication_lag_seconds",
                     "Lag of a replica in seconds. Absent while it is not measured.");
  Family lag_bytes("twinspan_replication_lag_bytes",
                   "Lag of a replica in bytes of log. Absent while it is not measured.");
  Family lag_records(
      "twinspan_replication_lag_records",
      "Lag of a Kafka link's target in records, of all partitions that are carried. Absent while it is not "
      "measured.");
  Family streaming("twinspan_replica_streaming", "1 where a replica streams.");
  std::map<std::string, int> by_ready{{"True", 0}, {"False", 0}, {"Unknown", 0}};
  for (const auto& [key, link] : cluster.links.all()) {
    api::LinkStatus status = link->open().status;
    if (auto rows = newer(key)) status.endpoints = std::move(*rows);
    const std::string word = ready_word(status);
    ++by_ready[word];
    ready.add(of_link(key), word == "True");
    if (status.epoch) epoch.add(of_link(key), static_cast<double>(*status.epoch));
    for (const api::EndpointStatus& row : status.endpoints) {
      primary.add(of_endpoint(key, row.name), role_of(row) == Role::kPrimary);
      if (role_of(row) == Role::kPrimary) continue;
      streaming.add(of_endpoint(key, row.name), state_of(row) == MemberState::kStreaming);
      if (row.lag_seconds) lag_seconds.add(of_endpoint(key, row.name), *row.lag_seconds);
      if (row.lag_bytes) lag_bytes.add(of_endpoint(key, row.name), static_cast<double>(*row.lag_bytes));
      if (row.lag_records) lag_records.add(of_endpoint(key, row.name), static_cast<double>(*row.lag_records));
    }
  }
  for (const auto& [word, count] : by_ready) links.add({{"ready", word}}, count);
  Family recovery("twinspan_failover_last_recovery_seconds",
                  "How long the last failover took, from detection until Services pointed at the new primary.");
  Family lost("twinspan_failover_last_lost_bytes",
              "Log the last failover lost. Absent where it could not be measured.");
  Family running("twinspan_failover_running", "1 while a failover or switchover runs.");
  Family possible("twinspan_failover_possible",
                  "1 where a failover would succeed now, 0 where it would be refused. Absent while one runs.");
  for (const auto& [key, packed] : cluster.policies.all()) {
    const api::FailoverPolicy policy = packed->open();
    const Labels labels{{"namespace", key.ns}, {"policy", key.name}, {"link", policy.spec.link_ref.name}};
    running.add(labels, policy.status.current.has_value());
    if (const auto& word = policy.status.possible; word == "True" || word == "False")
      possible.add(labels, word == "True");
    if (policy.status.history.empty()) continue;
    const api::FailoverRecord& last = policy.status.history.front();
    if (last.recovery_milliseconds) recovery.add(labels, static_cast<double>(*last.recovery_milliseconds) / 1000);
    if (last.lost_bytes) lost.add(labels, static_cast<double>(*last.lost_bytes));
  }
  std::vector<prometheus::MetricFamily> out;
  for (Family* family : {&links, &ready, &epoch, &primary, &lag_seconds, &lag_bytes, &lag_records, &streaming,
                         &recovery, &lost, &running, &possible})
    out.push_back(family->take());
  return out;
}

prometheus::MetricFamily build_metrics() {
  Family build("twinspan_build_info", "1, labelled with what was built.");
  const BuildInfo info = build_info();
  build.add({{"version", std::string(info.version)},
             {"commit", std::string(info.commit)},
             {"compiler", std::string(info.compiler)}},
            1);
  return build.take();
}

std::string all_metrics_text(const controllers::Cluster& cluster, const controllers::BackupCaches& backups,
                             const NewerRows& newer, bool links) {
  std::vector<prometheus::MetricFamily> families;
  if (links) {
    families = link_metrics(cluster, newer);
    for (prometheus::MetricFamily& one : backup_metrics(backups)) families.push_back(std::move(one));
  }
  families.push_back(build_metrics());
  return kube::metrics_text() + prometheus::TextSerializer().Serialize(families);
}

}  // namespace twinspan
