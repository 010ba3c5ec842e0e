#include "worker/postgres/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/metric_family.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "contract/backup_report.hpp"
#include "core/text.hpp"

namespace twinspan::worker {

struct Metrics::Impl {
  using Labels = std::map<std::string, std::string>;
  explicit Impl(Labels l) : labels(std::move(l)) {}

  prometheus::Gauge& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
  }
  prometheus::Counter& counter(const char* name, const char* help, const Labels& more) {
    Labels all = labels;
    all.insert(more.begin(), more.end());
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(all);
  }

  const Labels labels;
  prometheus::Registry registry;
  prometheus::Gauge& up = gauge("twinspan_postgres_up", "1 while PostgreSQL answers SQL.");
  prometheus::Gauge& primary = gauge("twinspan_primary", "1 while this endpoint accepts writes.");
  prometheus::Gauge& holds_lease = gauge("twinspan_lease_held", "1 while this endpoint holds the primary lease.");
  prometheus::Gauge& epoch = gauge("twinspan_epoch", "Epoch of the primary lease as last seen.");
  prometheus::Gauge& lag_seconds =
      gauge("twinspan_replication_lag_seconds", "Seconds behind the upstream; NaN while not measured.");
  prometheus::Gauge& lag_bytes =
      gauge("twinspan_replication_lag_bytes", "Bytes of WAL behind the upstream; NaN while not measured.");
  prometheus::Gauge& streaming = gauge("twinspan_replication_streaming", "1 while this replica streams.");
  prometheus::Gauge& position =
      gauge("twinspan_wal_position_bytes", "End of the WAL here, as a number of bytes; NaN while not known.");
  prometheus::Gauge& timeline = gauge("twinspan_timeline", "Timeline of the WAL here; NaN while not known.");
  prometheus::Gauge& downstreams = gauge("twinspan_replication_downstreams", "Replicas that stream from here.");
  prometheus::Gauge& restart_pending =
      gauge("twinspan_postgres_restart_pending", "1 while a parameter waits for a restart.");
  prometheus::Gauge& volume_size =
      gauge("twinspan_volume_size_bytes", "Size of the volume that holds the data; NaN while not measured.");
  prometheus::Gauge& volume_free =
      gauge("twinspan_volume_free_bytes", "Free bytes of the volume that holds the data; NaN while not measured.");
  prometheus::Gauge& unsafe_seconds =
      gauge("twinspan_wal_unsafe_seconds",
            "Age of the oldest byte of WAL that no repository has; NaN where this endpoint does not store it.");
  prometheus::Gauge& unsafe_bytes = gauge("twinspan_wal_unsafe_bytes", "WAL that no repository has; NaN as above.");
  prometheus::Gauge& max_delay =
      gauge("twinspan_wal_max_delay_seconds", "Older WAL than this should be in a repository; NaN as above.");
  prometheus::Counter& renewals =
      counter("twinspan_lease_renewals_total", "Attempts to renew the lease.", {{"result", "success"}});
  prometheus::Counter& failed_renewals =
      counter("twinspan_lease_renewals_total", "Attempts to renew the lease.", {{"result", "error"}});
  prometheus::Counter& deaths =
      counter("twinspan_postgres_deaths_total", "How often PostgreSQL ended without being asked to.", {});
};

namespace {
constexpr std::optional<double> kNotMeasured;

double or_nan(const auto& value) {
  return value ? static_cast<double>(*value) : std::numeric_limits<double>::quiet_NaN();
}
}  // namespace

Metrics::Metrics(const Identity& identity)
    : impl_(std::make_unique<Impl>(
          Impl::Labels{{"link", identity.link}, {"namespace", identity.ns}, {"endpoint", identity.endpoint}})) {
  for (prometheus::Gauge* gauge :
       {&impl_->lag_seconds, &impl_->lag_bytes, &impl_->volume_size, &impl_->volume_free, &impl_->position,
        &impl_->timeline, &impl_->unsafe_seconds, &impl_->unsafe_bytes, &impl_->max_delay})
    gauge->Set(or_nan(kNotMeasured));
}
Metrics::~Metrics() = default;

void Metrics::report(const MemberReport& report) {
  const bool replica = report.role == Role::kReplica;
  impl_->up.Set(report.sql_healthy.value_or(false) ? 1 : 0);
  impl_->primary.Set(report.role == Role::kPrimary && report.state == MemberState::kRunning ? 1 : 0);
  impl_->holds_lease.Set(report.holds_lease ? 1 : 0);
  impl_->epoch.Set(static_cast<double>(report.epoch.value));
  impl_->lag_seconds.Set(or_nan(report.lag_seconds));
  impl_->lag_bytes.Set(or_nan(report.lag_bytes));
  impl_->streaming.Set(replica && report.state == MemberState::kStreaming ? 1 : 0);
  impl_->position.Set(report.received ? static_cast<double>(report.received->value) : or_nan(kNotMeasured));
  impl_->timeline.Set(or_nan(report.timeline));
  impl_->downstreams.Set(
      static_cast<double>(std::count_if(report.downstreams.begin(), report.downstreams.end(),
                                        [](const auto& downstream) { return downstream.second.streams(); })));
  impl_->volume_size.Set(report.volume ? static_cast<double>(report.volume->total_bytes) : or_nan(kNotMeasured));
  impl_->volume_free.Set(report.volume ? static_cast<double>(report.volume->free_bytes) : or_nan(kNotMeasured));
  impl_->restart_pending.Set(report.restart_pending ? 1 : 0);
  const auto stored = backup_report_of(report.details).continuous;
  impl_->unsafe_seconds.Set(or_nan(stored ? stored->unsafe_seconds : std::nullopt));
  impl_->unsafe_bytes.Set(or_nan(stored ? std::optional(stored->unsafe_bytes) : std::nullopt));
  impl_->max_delay.Set(or_nan(stored ? std::optional(stored->max_delay_seconds) : std::nullopt));
}

void Metrics::renewal(bool succeeded) { (succeeded ? impl_->renewals : impl_->failed_renewals).Increment(); }
void Metrics::database_died() { impl_->deaths.Increment(); }

void Metrics::action(const std::string& name, bool succeeded) {
  impl_
      ->counter("twinspan_agent_actions_total", "Actions of the agent.",
                {{"action", name}, {"result", succeeded ? "success" : "error"}})
      .Increment();
}

namespace {

using prometheus::MetricType;

// Families of what PostgreSQL counts itself: as they are read, not added up here.
class Read {
 public:
  explicit Read(const std::map<std::string, std::string>& labels) {
    for (const auto& [name, value] : labels) labels_.push_back({name, value});
  }

  void family(const std::string& name, MetricType type, const std::string& help) {
    families_.push_back({name, help, type, {}});
  }
  void sample(double value, const std::map<std::string, std::string>& more = {}) {
    prometheus::ClientMetric metric;
    metric.label = labels_;
    for (const auto& [name, text] : more) metric.label.push_back({name, text});
    (families_.back().type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    families_.back().metric.push_back(std::move(metric));
  }
  std::vector<prometheus::MetricFamily> take() { return std::move(families_); }

 private:
  std::vector<prometheus::ClientMetric::Label> labels_;
  std::vector<prometheus::MetricFamily> families_;
};

void add_instance(Read& read, const postgres::Statistics& seen) {
  read.family("twinspan_postgres_connections", MetricType::Gauge, "Connections of clients, by state.");
  for (const auto& [state, count] : seen.connections) read.sample(static_cast<double>(count), {{"state", state}});
  const auto one = [&](const char* name, MetricType type, const char* help, auto value) {
    read.family(name, type, help);
    read.sample(static_cast<double>(value));
  };
  one("twinspan_postgres_connections_max", MetricType::Gauge, "max_connections.", seen.max_connections);
  one("twinspan_postgres_clients_waiting_for_locks", MetricType::Gauge, "Clients that wait for a lock.",
      seen.waiting_for_locks);
  one("twinspan_postgres_oldest_transaction_seconds", MetricType::Gauge, "Age of a client's oldest open transaction.",
      seen.oldest_transaction_seconds);
  one("twinspan_postgres_oldest_prepared_transaction_seconds", MetricType::Gauge,
      "Age of the oldest prepared transaction.", seen.oldest_prepared_seconds);
  one("twinspan_postgres_wal_directory_bytes", MetricType::Gauge, "Size of the WAL that is on the volume.",
      seen.wal_directory_bytes);
  if (seen.wal_written_bytes)
    one("twinspan_postgres_wal_written_bytes_total", MetricType::Counter, "WAL written here.", *seen.wal_written_bytes);
  read.family("twinspan_postgres_checkpoints_total", MetricType::Counter, "Checkpoints, by what caused them.");
  read.sample(static_cast<double>(seen.checkpoints_timed), {{"cause", "time"}});
  read.sample(static_cast<double>(seen.checkpoints_requested), {{"cause", "request"}});
}

void add_databases(Read& read, const postgres::Statistics& seen) {
  const auto each = [&](const char* name, MetricType type, const char* help, auto member) {
    read.family(name, type, help);
    for (const auto& one : seen.databases) read.sample(static_cast<double>(one.*member), {{"database", one.name}});
  };
  using Database = postgres::Statistics::Database;
  each("twinspan_postgres_database_size_bytes", MetricType::Gauge, "Size of a database.", &Database::size_bytes);
  each("twinspan_postgres_database_xid_age", MetricType::Gauge,
       "Transactions since the oldest that is not frozen; writes stop at 2^31.", &Database::xid_age);
  each("twinspan_postgres_database_multixact_age", MetricType::Gauge,
       "Multixacts since the oldest that is not frozen; writes stop at 2^31.", &Database::multixact_age);
  each("twinspan_postgres_commits_total", MetricType::Counter, "Transactions committed.", &Database::commits);
  each("twinspan_postgres_rollbacks_total", MetricType::Counter, "Transactions rolled back.", &Database::rollbacks);
  each("twinspan_postgres_deadlocks_total", MetricType::Counter, "Deadlocks.", &Database::deadlocks);
  each("twinspan_postgres_recovery_conflicts_total", MetricType::Counter,
       "Queries of a replica that recovery cancelled.", &Database::conflicts);
  each("twinspan_postgres_temporary_bytes_total", MetricType::Counter, "Written to temporary files.",
       &Database::temporary_bytes);
  each("twinspan_postgres_blocks_read_total", MetricType::Counter, "Blocks that were not in shared buffers.",
       &Database::blocks_read);
  each("twinspan_postgres_blocks_hit_total", MetricType::Counter, "Blocks found in shared buffers.",
       &Database::blocks_hit);
}

void add_slots(Read& read, const postgres::Statistics& seen) {
  read.family("twinspan_postgres_slot_active", MetricType::Gauge, "1 while a replication slot is in use.");
  for (const auto& slot : seen.slots) read.sample(slot.active ? 1 : 0, {{"slot", slot.name}});
  read.family("twinspan_postgres_slot_kept_bytes", MetricType::Gauge, "WAL that is kept for a replication slot.");
  for (const auto& slot : seen.slots) read.sample(static_cast<double>(slot.kept_bytes), {{"slot", slot.name}});
}

// One that fails has no values: what it answered before is no longer so.
void add_custom(Read& read, const std::vector<CustomAnswer>& answers) {
  for (const CustomAnswer& answer : answers) {
    const api::CustomQuery& query = answer.query;
    for (size_t i = 0; i < query.values.size(); ++i) {
      const api::CustomQueryValue& value = query.values[i];
      const MetricType type = value.type == api::MetricType::kCounter ? MetricType::Counter : MetricType::Gauge;
      read.family("twinspan_custom_" + query.name + "_" + value.column, type,
                  one_line(value.help.value_or(value.column + " of the query " + query.name), 200));
      for (const postgres::CustomRow& row : answer.rows) {
        if (!row.values[i]) continue;
        std::map<std::string, std::string> labels;
        for (size_t l = 0; l < query.labels.size(); ++l) labels[query.labels[l]] = row.labels[l];
        read.sample(*row.values[i], labels);
      }
    }
  }
  read.family("twinspan_custom_query_failed", MetricType::Gauge, "1 where a query for metrics was not answered.");
  for (const CustomAnswer& answer : answers) read.sample(answer.error.empty() ? 0 : 1, {{"query", answer.query.name}});
}

}  // namespace

std::string Metrics::text(const std::optional<postgres::Statistics>& statistics,
                          std::optional<double> certificate_ends_at, const std::vector<CustomAnswer>& custom) const {
  auto families = impl_->registry.Collect();
  Read read(impl_->labels);
  if (statistics) {
    add_instance(read, *statistics);
    add_databases(read, *statistics);
    add_slots(read, *statistics);
  }
  if (certificate_ends_at) {
    read.family("twinspan_certificate_ends_timestamp_seconds", MetricType::Gauge,
                "When the certificate that PostgreSQL was given last ends.");
    read.sample(*certificate_ends_at);
  }
  add_custom(read, custom);
  for (auto& family : read.take())
    if (!family.metric.empty()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace twinspan::worker
