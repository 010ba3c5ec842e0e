#include "worker/s3/worker_report.hpp"

#include <fmt/format.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/text.hpp"

namespace twinspan::worker_s3 {
namespace {

constexpr size_t kSampleMax = 10;

api::EndpointStatus target_row(const TargetSnapshot& seen, const api::LinkSpec& spec, const std::string& primary) {
  const bool both_ways = spec.topology == api::Topology::kActiveActive;
  api::EndpointStatus row;
  row.name = seen.name;
  row.role = both_ways ? "Primary" : "Replica";
  row.state = to_string(seen.state);
  row.upstream = primary;
  if (!seen.message.empty()) row.message = seen.message;
  if (!seen.engine) return row;
  if (seen.engine->lag_seconds) row.lag_seconds = std::round(*seen.engine->lag_seconds);
  row.queue_length = static_cast<int64_t>(seen.engine->queue_length);
  row.active_transfers = seen.engine->active_transfers;
  return row;
}

// Whether the source answers is what any of the targets' runs found out.
api::EndpointStatus source_row(const std::string& name, const std::vector<TargetSnapshot>& targets) {
  api::EndpointStatus row;
  row.name = name;
  row.role = "Primary";
  row.state = to_string(targets.empty() ? MemberState::kStopped : MemberState::kRunning);
  for (const TargetSnapshot& seen : targets) {
    if (seen.at_fault != name) continue;
    row.state = to_string(seen.state);
    row.message = seen.message;
  }
  return row;
}

std::optional<api::SyncStatus> sync_of(const std::vector<TargetSnapshot>& targets, bool both_ways) {
  std::optional<api::SyncStatus> sum;
  std::optional<WallTime> started, completed;
  bool running = false;
  for (const TargetSnapshot& seen : targets) {
    if (!seen.engine || seen.engine->sync.started_at == WallTime{}) continue;
    const s3::SyncProgress& one = seen.engine->sync;
    if (!sum)
      sum = api::SyncStatus{.total = 0,
                            .replicated = 0,
                            .skipped = 0,
                            .failed = 0,
                            .failed_sample = {},
                            .archived = {},
                            .deleted = 0,
                            .conflicts = {},
                            .bytes = 0,
                            .started_at = {},
                            .completed_at = {}};
    *sum->total += static_cast<int64_t>(one.total);
    *sum->replicated += static_cast<int64_t>(one.replicated);
    *sum->skipped += static_cast<int64_t>(one.skipped);
    *sum->failed += static_cast<int64_t>(one.failed);
    *sum->deleted += static_cast<int64_t>(one.deleted);
    if (one.archived > 0) sum->archived = sum->archived.value_or(0) + static_cast<int64_t>(one.archived);
    if (both_ways) sum->conflicts = sum->conflicts.value_or(0) + static_cast<int64_t>(one.conflicts);
    *sum->bytes += one.bytes;
    const std::string before = targets.size() > 1 ? seen.name + ": " : "";
    for (const s3::DeadLetter& letter : seen.engine->dead_letters)
      if (sum->failed_sample.size() < kSampleMax)
        sum->failed_sample.push_back({before + one_line(letter.key, 1000), one_line(letter.error, 250)});
    if (!started || one.started_at < *started) started = one.started_at;
    running = running || !one.completed_at || !one.complete;
    if (one.completed_at && (!completed || *one.completed_at > *completed)) completed = one.completed_at;
  }
  if (!sum) return std::nullopt;
  sum->started_at = to_rfc3339(*started);
  if (!running && completed) sum->completed_at = to_rfc3339(*completed);
  return sum;
}

// Result of several targets: their sums, and samples with the target's name where there are several.
std::optional<api::VerificationStatus> verification_of(const ReportInput& input) {
  const auto finished = verified_at(input.targets);
  if (!finished) return std::nullopt;
  api::VerificationStatus sum;
  sum.consistent = true;
  int64_t checked = 0, missing = 0, different = 0, extra = 0;
  std::optional<WallTime> started;
  for (const TargetSnapshot& seen : input.targets) {
    const s3::VerificationReport& one = *seen.engine->verification;
    sum.consistent = sum.consistent && one.consistent;
    checked += static_cast<int64_t>(one.checked);
    missing += static_cast<int64_t>(one.missing);
    different += static_cast<int64_t>(one.different);
    extra += static_cast<int64_t>(one.extra);
    if (!started || one.started_at < *started) started = one.started_at;
    const std::string before = input.link->spec.targets.size() > 1 ? seen.name + ": " : "";
    for (const auto& [from, to] : {std::pair{&one.missing_sample, &sum.missing_sample},
                                   {&one.different_sample, &sum.different_sample},
                                   {&one.extra_sample, &sum.extra_sample}})
      for (const std::string& key : *from)
        if (to->size() < kSampleMax) to->push_back(before + one_line(key, 980));
  }
  sum.checked = checked;
  sum.missing = missing;
  sum.different = different;
  sum.extra = extra;
  for (const TargetSnapshot& seen : input.targets)
    sum.reports.push_back(
        {seen.name, s3::verification_key(state_name(input.link->metadata.ns, input.link->metadata.name, seen.name),
                                         {seen.share, input.division.shares, input.division.generation})});
  if (!input.verify_request.empty()) sum.request = input.verify_request;
  sum.started_at = to_rfc3339(*started);
  sum.finished_at = to_rfc3339(*finished);
  return sum;
}

// Families of one kind of number each, with a sample per target.
class Families {
 public:
  Families(const std::string& ns, const std::string& link) : labels_{{"namespace", ns}, {"link", link}} {}
  void family(const char* name, prometheus::MetricType type, const char* help) {
    families_.push_back({name, help, type, {}});
  }
  void sample(const std::vector<prometheus::ClientMetric::Label>& more, double value) {
    prometheus::ClientMetric& metric = families_.back().metric.emplace_back();
    metric.label = labels_;
    metric.label.insert(metric.label.end(), more.begin(), more.end());
    metric.gauge.value = metric.counter.value = value;  // as the family's type says
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

 private:
  const std::vector<prometheus::ClientMetric::Label> labels_;
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace

std::optional<WallTime> verified_at(const std::vector<TargetSnapshot>& targets) {
  std::optional<WallTime> earliest;
  for (const TargetSnapshot& seen : targets) {
    if (!seen.engine || !seen.engine->verification) return std::nullopt;
    const s3::VerificationReport& one = *seen.engine->verification;
    if (!one.finished_at || !one.complete) return std::nullopt;
    if (!earliest || *one.finished_at < *earliest) earliest = *one.finished_at;
  }
  return earliest;
}

MemberReport worker_report(const ReportInput& input) {
  MemberReport report;
  report.endpoint = input.endpoint;
  report.instance = input.instance;
  report.address = input.address;
  report.holds_lease = input.holds_lease;
  report.state = MemberState::kStarting;
  if (!input.link) {
    report.message = input.unreadable.empty() ? "the link is not known yet" : input.unreadable;
    return report;
  }
  const api::LinkSpec& spec = input.link->spec;
  report.generation = input.link->metadata.generation;
  Json details = {{"division", {{"generation", input.division.generation}, {"shares", input.division.shares}}},
                  {"shares", input.shares},
                  {"endpoints", Json::array()}};
  const std::string primary = direction_of(*input.link).primary;
  if (spec.paused) {
    report.state = MemberState::kStopped;
    for (const api::Endpoint& target : endpoints_of(spec)) {
      if (target.name == primary) continue;
      TargetSnapshot paused;
      paused.name = target.name;
      paused.state = MemberState::kStopped;
      paused.message = "spec.paused is true";
      details["endpoints"].push_back(api::to_json(target_row(paused, spec, primary)));
    }
  } else if (!input.holds_lease) {
    report.message = input.lease_holder.empty() ? "waits for the lease"
                                                : fmt::format("waits for the lease that {} holds", input.lease_holder);
  } else if (input.shares.empty()) {
    report.message = "waits until no worker copies as the keys were divided before";
  } else {
    report.state = MemberState::kRunning;
    for (const TargetSnapshot& seen : input.targets) {
      details["endpoints"].push_back(api::to_json(target_row(seen, spec, primary)));
      if (!seen.stall || details.contains("stalled")) continue;
      details["stalled"] = {{"reason", seen.stall->reason}, {"message", seen.stall->message}};
      report.state = MemberState::kFailed;
    }
  }
  if (!endpoint_of(spec, primary)) {
    details["stalled"] = {{"reason", "PrimaryNotInLink"},
                          {"message", fmt::format("{} is primary, and the link has no such endpoint any more: nothing "
                                                  "is replicated until it is back",
                                                  primary)}};
    report.state = MemberState::kFailed;
  }
  details["endpoints"].push_back(api::to_json(source_row(primary, input.targets)));
  if (const auto sync = sync_of(input.targets, spec.topology == api::Topology::kActiveActive))
    details["sync"] = api::to_json(*sync);
  if (const auto verification = verification_of(input)) details["verification"] = api::to_json(*verification);
  report.details = std::move(details);
  return report;
}

std::string metrics_text(const std::string& ns, const std::string& link, const MemberReport& report,
                         const std::vector<TargetSnapshot>& targets) {
  constexpr auto kGauge = prometheus::MetricType::Gauge, kCounter = prometheus::MetricType::Counter;
  Families families(ns, link);
  const auto each = [&](const char* name, prometheus::MetricType type, const char* help, auto value) {
    families.family(name, type, help);
    for (const TargetSnapshot& seen : targets)
      if (seen.engine)
        families.sample({{"endpoint", seen.name}, {"share", std::to_string(seen.share)}},
                        static_cast<double>(value(*seen.engine)));
  };
  families.family("twinspan_lease_held", kGauge, "1 while this worker holds its lease.");
  families.sample({}, report.holds_lease);
  each("twinspan_replication_lag_seconds", kGauge, "Seconds behind the source; NaN while not measured.",
       [](const auto& engine) { return engine.lag_seconds.value_or(std::nan("")); });
  each("twinspan_s3_queue_length", kGauge, "Objects that wait to be copied.",
       [](const auto& engine) { return engine.queue_length; });
  each("twinspan_s3_active_transfers", kGauge, "Objects that are being copied.",
       [](const auto& engine) { return engine.active_transfers; });
  each("twinspan_s3_objects_total", kCounter, "Objects copied since the worker began.",
       [](const auto& engine) { return engine.objects_total; });
  each("twinspan_s3_failures_total", kCounter, "Objects given up since the worker began.",
       [](const auto& engine) { return engine.failures_total; });
  each("twinspan_s3_failed_objects", kGauge, "Objects that could not be copied and wait for the next full sync.",
       [](const s3::ReplicationStatus& engine) {
         return std::max<uint64_t>(engine.sync.failed, engine.dead_letters.size());
       });
  each("twinspan_s3_verification_consistent", kGauge,
       "Whether the verification that finished last found both sides the same; NaN before any.",
       [](const s3::ReplicationStatus& engine) {
         const bool known = engine.verification && engine.verification->finished_at;
         return known ? (engine.verification->consistent ? 1.0 : 0.0) : std::nan("");
       });
  each("twinspan_s3_bytes_total", kCounter, "Bytes copied since the worker began.",
       [](const auto& engine) { return engine.bytes_total; });
  each("twinspan_s3_conflicts_total", kCounter, "Keys that both sides had written, since the worker began.",
       [](const auto& engine) { return engine.conflicts_total; });
  each("twinspan_s3_versions_total", kCounter, "Versions and delete markers carried since the worker began.",
       [](const auto& engine) { return engine.versions_total; });
  each("twinspan_s3_unaligned_total", kCounter, "Keys whose target did not end with a version of the source.",
       [](const auto& engine) { return engine.unaligned_total; });
  each("twinspan_s3_success_ratio", kGauge, "Objects copied of those tried; NaN before any.",
       [](const s3::ReplicationStatus& engine) {
         const double tried = static_cast<double>(engine.objects_total + engine.failures_total);
         return tried > 0 ? static_cast<double>(engine.objects_total) / tried : std::nan("");
       });
  return families.text();
}

}  // namespace twinspan::worker_s3
