#include "controllers/link/link_status.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_conditions.hpp"

namespace twinspan::controllers {
namespace {

double rounded(double seconds) { return seconds < 10 ? std::round(seconds * 10) / 10 : std::round(seconds); }

std::string advice(const LinkSeen& seen, const MemberReport& report) {
  if (report.state != MemberState::kDiverged || seen.link->spec.postgres.diverged != api::Diverged::kHalt)
    return report.message;
  return fmt::format(
      "{}{}nothing is overwritten; to give up what only this instance has, set spec.postgres.diverged to Rewind or "
      "Clone",
      report.message, report.message.empty() ? "" : "; ");
}

// Replicas tell their primary once a second how far they are: below this its view of them says nothing.
constexpr double kTellingLagSeconds = 1.5;

// A replica measures its own lag best, except when it hears nothing and doesn't know: then the primary knows better.
std::optional<double> lag_of(const LinkSeen& seen, const MemberReport& report, const std::string& name) {
  const EndpointSeen* primary = seen.find(seen.primary());
  const MemberReport* upstream = primary ? primary->member.fresh() : nullptr;
  if (!report.lag_seconds || !upstream) return report.lag_seconds;
  const auto downstream = upstream->downstreams.find(name);
  if (downstream == upstream->downstreams.end()) return report.lag_seconds;
  const double known = downstream->second.lag_seconds.value_or(0);
  return known >= kTellingLagSeconds ? std::max(*report.lag_seconds, known) : report.lag_seconds;
}

void fill_heard(const LinkSeen& seen, const MemberReport& report, bool primary, api::EndpointStatus& row) {
  row.state = to_string(report.state);
  if (!primary && report.role == Role::kReplica) row.role = to_string(Role::kReplica);
  if (!report.instance.empty()) row.instance = report.instance;
  if (report.received) row.position = to_string(*report.received);
  if (report.timeline) row.timeline = *report.timeline;
  if (!primary) {
    if (report.lag_bytes) row.lag_bytes = static_cast<int64_t>(*report.lag_bytes);
    if (const auto lag = lag_of(seen, report, row.name)) row.lag_seconds = rounded(*lag);
    if (!report.upstream.empty()) row.upstream = report.upstream;
  }
  if (report.progress && report.progress->total_bytes > 0)
    row.progress_percent =
        static_cast<int64_t>(std::min<uint64_t>(100, 100 * report.progress->done_bytes / report.progress->total_bytes));
  if (std::string message = advice(seen, report); !message.empty()) row.message = std::move(message);
}

// The lag of the furthest replica; nullopt where any wanted one's is not measured.
std::optional<double> worst_lag(const LinkSeen& seen, const std::vector<api::EndpointStatus>& rows) {
  std::optional<double> worst = 0.0;
  bool any = false;
  for (const api::EndpointStatus& row : rows) {
    const EndpointSeen* endpoint = seen.find(row.name);
    if (!endpoint || !endpoint->spec || row.role == to_string(Role::kPrimary)) continue;
    if (!row.lag_seconds) return std::nullopt;
    any = true;
    worst = std::max(*worst, *row.lag_seconds);
  }
  return any ? worst : std::nullopt;
}

std::string replicas_text(const LinkSeen& seen, const std::vector<api::EndpointStatus>& rows) {
  size_t streaming = 0;
  for (const api::EndpointStatus& row : rows) {
    const EndpointSeen* endpoint = seen.find(row.name);
    streaming += endpoint && endpoint->spec && row.role == to_string(Role::kReplica) &&
                 row.state == to_string(MemberState::kStreaming);
  }
  return fmt::format("{}/{}", streaming, seen.link->spec.targets.size());
}

enum class Detail { kAll, kWithoutPositions, kStates };

api::LinkStatus reduced(api::LinkStatus status, Detail detail) {
  status.assignment.reset();
  status.rehearsal.reset();
  for (api::EndpointStatus& row : status.endpoints) {
    if (detail == Detail::kAll) continue;
    row.position.reset();
    row.lag_bytes.reset();
    row.queue_length.reset();
    row.active_transfers.reset();
    if (detail == Detail::kWithoutPositions) continue;
    row.lag_seconds.reset();
    row.progress_percent.reset();
    row.message.reset();
  }
  if (detail != Detail::kAll) status.sync.reset();
  if (detail == Detail::kStates)
    for (api::WorkerStatus& worker : status.workers) worker.message.reset();
  if (detail != Detail::kStates) return status;
  status.lag.reset();
  for (api::Condition& condition : status.conditions) condition.message.clear();
  return status;
}

}  // namespace

std::string why_unheard(const EndpointSeen& member, const std::string& pod) {
  if (!member.pod) return fmt::format("pod {} does not exist yet", pod);
  if (member.pod->terminating) return fmt::format("pod {} is stopping", pod);
  if (!member.pod->trouble.empty()) return fmt::format("pod {} does not run: {}", pod, member.pod->trouble);
  if (!member.member.error.empty()) return fmt::format("its agent does not answer: {}", member.member.error);
  return fmt::format("pod {} is starting", pod);
}

std::string lag_text(double seconds) {
  const double shown = rounded(seconds);
  return shown < 10 ? fmt::format("{:.1f}s", shown) : fmt::format("{:.0f}s", shown);
}

api::EndpointStatus endpoint_status(const LinkSeen& seen, const EndpointSeen& endpoint,
                                    const api::EndpointStatus* before) {
  api::EndpointStatus row;
  row.name = endpoint.name;
  row.role = to_string(Role::kNone);
  const bool primary = !endpoint.name.empty() && seen.primary() == endpoint.name;
  if (primary) row.role = to_string(Role::kPrimary);
  const std::string pod = pod_name(seen.link->metadata.name, endpoint.name);
  if (endpoint.pod) {
    row.pod = pod;
    if (!endpoint.pod->ip.empty()) row.address = endpoint.pod->ip;
  }
  if (const MemberReport* report = endpoint.member.fresh()) {
    fill_heard(seen, *report, primary, row);
  } else if (const bool same_pod = before && before->instance && row.address && before->address == row.address;
             same_pod && endpoint.member.pending() && (before->role == to_string(Role::kPrimary)) == primary) {
    return *before;
  } else {
    row.state = to_string(MemberState::kUnknown);
    row.message = why_unheard(endpoint, pod);
    if (before) {
      row.position = before->position;
      row.timeline = before->timeline;
    }
  }
  return row;
}

api::LinkStatus next_status(const LinkSeen& seen, const LinkPlan& plan) {
  const api::LinkStatus& before = seen.link->status;
  api::LinkStatus status;
  status.observed_generation = seen.link->metadata.generation;
  status.primary = seen.primary();
  status.epoch = seen.lease ? seen.lease->record.epoch.value : before.epoch.value_or(0);
  for (const EndpointSeen& endpoint : seen.endpoints) {
    // Removed endpoints show as long as they run.
    if (!endpoint.spec && !endpoint.pod) continue;
    const auto known = std::find_if(before.endpoints.begin(), before.endpoints.end(),
                                    [&](const api::EndpointStatus& row) { return row.name == endpoint.name; });
    status.endpoints.push_back(endpoint_status(seen, endpoint, known == before.endpoints.end() ? nullptr : &*known));
  }
  if (!seen.link->invalid) {
    status.replicas = replicas_text(seen, status.endpoints);
    if (const auto lag = worst_lag(seen, status.endpoints)) status.lag = lag_text(*lag);
  }
  status.conditions = link_conditions(seen, plan, status.endpoints);
  return status;
}

Urgency urgency_of(const api::LinkStatus& before, const api::LinkStatus& after) {
  // The most frequent answer first.
  if (reduced(before, Detail::kAll) == reduced(after, Detail::kAll)) return Urgency::kNone;
  if (reduced(before, Detail::kStates) != reduced(after, Detail::kStates)) return Urgency::kNow;
  if (reduced(before, Detail::kWithoutPositions) != reduced(after, Detail::kWithoutPositions)) return Urgency::kSoon;
  return Urgency::kLazy;
}

std::chrono::milliseconds pause_of(Urgency urgency) {
  switch (urgency) {
    case Urgency::kSoon: return std::chrono::milliseconds(1000);
    case Urgency::kLazy: return std::chrono::milliseconds(2000);
    case Urgency::kNow:
    case Urgency::kNone: break;
  }
  return std::chrono::milliseconds(0);
}

Json status_patch(const api::ObjectMeta& meta, const api::LinkStatus& after) {
  Json status = api::to_json(after);
  status.erase("assignment");
  status.erase("rehearsal");
  // What a merge patch does not name stays: absent fields are deleted by name. Lists are replaced whole.
  for (const char* key : {"replicas", "lag", "division", "workers", "sync", "verification", "conditions", "endpoints"})
    if (!status.contains(key)) status[key] = nullptr;
  return {{"metadata", {{"resourceVersion", meta.resource_version}}}, {"status", std::move(status)}};
}

}  // namespace twinspan::controllers
