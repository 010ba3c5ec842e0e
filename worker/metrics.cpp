#include "worker/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <limits>

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
  prometheus::Gauge& position = gauge("twinspan_wal_position_bytes", "End of the WAL here, as a number of bytes.");
  prometheus::Gauge& timeline = gauge("twinspan_timeline", "Timeline of the WAL here.");
  prometheus::Gauge& downstreams = gauge("twinspan_replication_downstreams", "Replicas that stream from here.");
  prometheus::Gauge& restart_pending =
      gauge("twinspan_postgres_restart_pending", "1 while a parameter waits for a restart.");
  prometheus::Counter& renewals =
      counter("twinspan_lease_renewals_total", "Attempts to renew the lease.", {{"result", "success"}});
  prometheus::Counter& failed_renewals =
      counter("twinspan_lease_renewals_total", "Attempts to renew the lease.", {{"result", "error"}});
  prometheus::Counter& deaths =
      counter("twinspan_postgres_deaths_total", "How often PostgreSQL ended without being asked to.", {});
};

namespace {
double or_nan(const auto& value) {
  return value ? static_cast<double>(*value) : std::numeric_limits<double>::quiet_NaN();
}
}  // namespace

Metrics::Metrics(const Identity& identity)
    : impl_(std::make_unique<Impl>(
          Impl::Labels{{"link", identity.link}, {"namespace", identity.ns}, {"endpoint", identity.endpoint}})) {
  impl_->lag_seconds.Set(or_nan(std::optional<double>{}));
  impl_->lag_bytes.Set(or_nan(std::optional<double>{}));
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
  impl_->position.Set(report.received ? static_cast<double>(report.received->value) : 0);
  impl_->timeline.Set(report.timeline.value_or(0));
  impl_->downstreams.Set(static_cast<double>(
      std::count_if(report.downstreams.begin(), report.downstreams.end(),
                    [](const auto& downstream) { return downstream.second.state == "streaming"; })));
  impl_->restart_pending.Set(report.restart_pending ? 1 : 0);
}

void Metrics::renewal(bool succeeded) { (succeeded ? impl_->renewals : impl_->failed_renewals).Increment(); }
void Metrics::database_died() { impl_->deaths.Increment(); }

void Metrics::action(const std::string& name, bool succeeded) {
  impl_
      ->counter("twinspan_agent_actions_total", "Actions of the agent.",
                {{"action", name}, {"result", succeeded ? "success" : "error"}})
      .Increment();
}

std::string Metrics::text() const { return prometheus::TextSerializer().Serialize(impl_->registry.Collect()); }

}  // namespace twinspan::worker
