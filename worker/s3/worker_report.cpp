#include "worker/s3/worker_report.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace twinspan::worker_s3 {
namespace {

api::EndpointStatus target_row(const TargetSnapshot& seen, const std::string& source) {
  api::EndpointStatus row;
  row.name = seen.name;
  row.role = "Replica";
  row.state = to_string(seen.state);
  row.upstream = source;
  if (!seen.message.empty()) row.message = seen.message;
  if (seen.lag_seconds) row.lag_seconds = std::round(*seen.lag_seconds);
  row.queue_length = static_cast<int64_t>(seen.queued);
  row.active_transfers = seen.active;
  return row;
}

// Whether the source answers is what any of the targets' runs found out.
api::EndpointStatus source_row(const std::string& name, const std::vector<TargetSnapshot>& targets) {
  api::EndpointStatus row;
  row.name = name;
  row.role = "Primary";
  row.state = to_string(targets.empty() ? MemberState::kStopped : MemberState::kRunning);
  for (const TargetSnapshot& seen : targets) {
    const bool of_source = seen.stall ? seen.stall->endpoint == name : seen.message.starts_with(name + ": ");
    if (!of_source || (seen.state != MemberState::kFailed && seen.state != MemberState::kDisconnected)) continue;
    row.state = to_string(seen.state);
    row.message = seen.message;
  }
  return row;
}

std::optional<api::SyncStatus> sync_of(const std::vector<TargetSnapshot>& targets) {
  std::optional<api::SyncStatus> sum;
  std::optional<WallTime> started, completed;
  bool running = false;
  for (const TargetSnapshot& seen : targets) {
    const s3::SyncProgress& one = seen.sync;
    if (one.started_at == WallTime{}) continue;
    if (!sum)
      sum = api::SyncStatus{.total = 0,
                            .replicated = 0,
                            .skipped = 0,
                            .failed = 0,
                            .deleted = 0,
                            .bytes = 0,
                            .started_at = {},
                            .completed_at = {}};
    *sum->total += static_cast<int64_t>(one.total);
    *sum->replicated += static_cast<int64_t>(one.replicated);
    *sum->skipped += static_cast<int64_t>(one.skipped);
    *sum->failed += static_cast<int64_t>(one.failed);
    *sum->deleted += static_cast<int64_t>(one.deleted);
    *sum->bytes += one.bytes;
    if (!started || one.started_at < *started) started = one.started_at;
    running = running || !one.completed_at || !one.complete;
    if (one.completed_at && (!completed || *one.completed_at > *completed)) completed = one.completed_at;
  }
  if (!sum) return std::nullopt;
  sum->started_at = to_rfc3339(*started);
  if (!running && completed) sum->completed_at = to_rfc3339(*completed);
  return sum;
}

// A line of HELP and TYPE, then a sample per target.
class Text {
 public:
  Text(const std::string& ns, const std::string& link)
      : labels_(fmt::format("namespace=\"{}\",link=\"{}\"", ns, link)) {}
  void family(const char* name, const char* type, const char* help) {
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  void sample(const char* name, const std::string& more, double value) {
    text_ += fmt::format("{}{{{}{}}} {}\n", name, labels_, more, std::isnan(value) ? "NaN" : fmt::format("{}", value));
  }
  std::string take() { return std::move(text_); }

 private:
  const std::string labels_;
  std::string text_;
};

}  // namespace

MemberReport worker_report(const ReportInput& input) {
  MemberReport report;
  report.endpoint = "s3";
  report.instance = input.instance;
  report.address = input.address;
  report.holds_lease = input.holds_lease;
  report.state = MemberState::kStarting;
  if (!input.link) {
    report.message = "the link is not known yet";
    return report;
  }
  const api::LinkSpec& spec = input.link->spec;
  report.generation = input.link->metadata.generation;
  Json details = {{"endpoints", Json::array()}};
  if (spec.paused) {
    report.state = MemberState::kStopped;
    for (const api::Endpoint& target : spec.targets) {
      TargetSnapshot paused;
      paused.name = target.name;
      paused.state = MemberState::kStopped;
      paused.message = "spec.paused is true";
      details["endpoints"].push_back(api::to_json(target_row(paused, spec.source.name)));
    }
  } else if (!input.holds_lease) {
    report.message = input.lease_holder.empty() ? "waits for the lease"
                                                : fmt::format("waits for the lease that {} holds", input.lease_holder);
  } else {
    report.state = MemberState::kRunning;
    for (const TargetSnapshot& seen : input.targets) {
      details["endpoints"].push_back(api::to_json(target_row(seen, spec.source.name)));
      if (!seen.stall || details.contains("stalled")) continue;
      details["stalled"] = {{"reason", seen.stall->reason}, {"message", seen.stall->message}};
      report.state = MemberState::kFailed;
    }
  }
  details["endpoints"].push_back(api::to_json(source_row(spec.source.name, input.targets)));
  if (const auto sync = sync_of(input.targets)) details["sync"] = api::to_json(*sync);
  report.details = std::move(details);
  return report;
}

std::string metrics_text(const std::string& ns, const std::string& link, const MemberReport& report,
                         const std::vector<TargetSnapshot>& targets) {
  Text text(ns, link);
  const auto each = [&](const char* name, const char* type, const char* help, auto value) {
    text.family(name, type, help);
    for (const TargetSnapshot& seen : targets)
      text.sample(name, fmt::format(",endpoint=\"{}\"", seen.name), static_cast<double>(value(seen)));
  };
  text.family("twinspan_lease_held", "gauge", "1 while this worker holds its lease.");
  text.sample("twinspan_lease_held", "", report.holds_lease);
  each("twinspan_replication_lag_seconds", "gauge", "Seconds behind the source; NaN while not measured.",
       [](const auto& seen) { return seen.lag_seconds.value_or(std::nan("")); });
  each("twinspan_s3_queue_length", "gauge", "Objects that wait to be copied.",
       [](const auto& seen) { return seen.queued; });
  each("twinspan_s3_active_transfers", "gauge", "Objects that are being copied.",
       [](const auto& seen) { return seen.active; });
  each("twinspan_s3_bytes_total", "counter", "Bytes copied.", [](const auto& seen) { return seen.bytes_total; });
  each("twinspan_s3_success_ratio", "gauge", "Objects copied of those tried, since the worker began; NaN before any.",
       [](const TargetSnapshot& seen) {
         const double tried = static_cast<double>(seen.replicated_total + seen.failed_total);
         return tried > 0 ? static_cast<double>(seen.replicated_total) / tried : std::nan("");
       });
  text.family("twinspan_s3_objects_total", "counter", "Objects by what came of them.");
  for (const TargetSnapshot& seen : targets)
    for (const auto& [result, count] : {std::pair{"replicated", seen.replicated_total},
                                        {"skipped", seen.skipped_total},
                                        {"failed", seen.failed_total}})
      text.sample("twinspan_s3_objects_total", fmt::format(",endpoint=\"{}\",result=\"{}\"", seen.name, result),
                  static_cast<double>(count));
  return text.take();
}

}  // namespace twinspan::worker_s3
