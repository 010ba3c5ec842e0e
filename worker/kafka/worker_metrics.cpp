#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cmath>

#include "worker/kafka/worker_report.hpp"

namespace twinspan::worker_kafka {
namespace {

namespace engine = kafka_engine;
using Labels = std::vector<prometheus::ClientMetric::Label>;

constexpr auto kGauge = prometheus::MetricType::Gauge, kCounter = prometheus::MetricType::Counter;

class Families {
 public:
  Families(const std::string& ns, const std::string& link) : labels_{{"namespace", ns}, {"link", link}} {}
  void family(const char* name, prometheus::MetricType type, const char* help) {
    families_.push_back({name, help, type, {}});
  }
  void sample(const Labels& more, double value) {
    prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = labels_;
    metric.label.insert(metric.label.end(), more.begin(), more.end());
    metric.gauge.value = metric.counter.value = value;  // as the family's type says
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  const Labels labels_;
  std::vector<prometheus::MetricFamily> families_;
};

Labels labels_of(const engine::PartitionName& name) {
  return {{"topic", name.topic}, {"partition", std::to_string(name.partition)}};
}

// Nothing before all were looked at.
void add_groups(Families& families, const std::optional<GroupLook>& look) {
  if (!look || !look->looked_at) return;
  families.family("twinspan_kafka_groups", kGauge, "Consumer groups whose positions are carried, by how they stand.");
  for (const auto& [state, count] : {std::pair{"synced", look->synced},
                                     {"active", look->active},
                                     {"failed", look->failed},
                                     {"waiting", look->waiting},
                                     {"not_carried", look->not_carried}})
    families.sample({{"state", state}}, static_cast<double>(count));
  if (!look->oldest_seconds) return;
  families.family("twinspan_kafka_group_sync_age_seconds", kGauge,
                  "How long the consumer group that waits longest has not been in sync; absent while not measured.");
  families.sample({}, *look->oldest_seconds);
}

}  // namespace

std::string metrics_text(const std::string& ns, const std::string& link, const ReportInput& input) {
  Families families(ns, link);
  const engine::LaneStatus& lane = input.carrier.lane;
  const auto of_lags = [&](const char* name, const char* help, auto value) {
    families.family(name, kGauge, help);
    for (const auto& [partition, lag] : input.lags) families.sample(labels_of(partition), value(lag));
  };
  const auto of_partitions = [&](const char* name, const char* help, auto value) {
    families.family(name, kCounter, help);
    for (const auto& [partition, status] : lane.partitions)
      families.sample(labels_of(partition), static_cast<double>(value(status)));
  };
  of_lags("twinspan_replication_lag_ms",
          "Since when the source's last stable offset has been past the committed position; absent while not measured.",
          [](const LagClock::Lag& lag) { return std::chrono::duration<double, std::milli>(lag.time).count(); });
  of_lags("twinspan_replication_lag_records",
          "Offsets between the committed position and the source's last stable offset; absent while not measured.",
          [](const LagClock::Lag& lag) { return static_cast<double>(lag.records); });
  of_partitions("twinspan_replication_messages_total", "Records committed at the target since the worker began.",
                [](const auto& status) { return status.records; });
  of_partitions("twinspan_replication_bytes_total", "Bytes committed at the target since the worker began.",
                [](const auto& status) { return status.bytes; });
  of_partitions("twinspan_kafka_foreign_records_total",
                "Offsets of the target's partition that somebody else took, since the worker began.",
                [](const auto& status) { return status.foreign; });

  families.family("twinspan_kafka_partitions", kGauge, "Partitions that are carried, by what they are doing.");
  std::map<std::string, int> states;
  if (input.carrier.order)
    for (const auto& [name, mirror] : input.carrier.order->partitions) ++states[partition_state(name, input)];
  for (const auto& [state, count] : states) families.sample({{"state", state}}, count);

  const engine::PartitionStatus sum = lane.total();
  families.family(
      "twinspan_kafka_batches_total", kCounter,
      "Batches since the worker began: passed as they were, encoded anew, or dropped with nothing in them.");
  families.sample({{"route", "passed"}}, static_cast<double>(sum.passed));
  families.sample({{"route", "encoded"}}, static_cast<double>(sum.encoded));
  families.sample({{"route", "dropped"}}, static_cast<double>(sum.dropped));
  families.family("twinspan_kafka_records_total", kCounter,
                  "Records since the worker began, by how they were carried.");
  families.sample({{"route", "passed"}}, static_cast<double>(sum.records - sum.encoded_records));
  families.sample({{"route", "encoded"}}, static_cast<double>(sum.encoded_records));
  families.family("twinspan_kafka_filtered_records_total", kCounter, "Records that the filter left out.");
  families.sample({}, static_cast<double>(sum.filtered));

  families.family("twinspan_kafka_transactions_total", kCounter,
                  "Transactions since the worker began: committed, or given up where the lane began anew.");
  families.sample({{"outcome", "committed"}}, static_cast<double>(lane.commits));
  families.sample({{"outcome", "given_up"}}, static_cast<double>(lane.begun_anew));

  add_groups(families, input.groups);
  families.family("twinspan_kafka_failures_in_a_row", kGauge, "Of one side, since its last answer.");
  families.sample({{"side", "source"}}, std::max(input.topics.source.failures, input.carrier.source.failures));
  families.sample({{"side", "target"}}, std::max(input.topics.target.failures, input.carrier.target.failures));
  return families.text();
}

}  // namespace twinspan::worker_kafka
