#include "controllers/postgres/postgres_status.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "contract/rows.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/postgres/import_said.hpp"
#include "controllers/postgres/link_conditions.hpp"

namespace twinspan::controllers {
namespace {

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
  if (!report.version.empty()) row.version = report.version;
  if (report.received) row.position = to_string(*report.received);
  if (report.timeline) row.timeline = *report.timeline;
  if (!primary) {
    if (report.lag_bytes) row.lag_bytes = static_cast<int64_t>(*report.lag_bytes);
    if (const auto lag = lag_of(seen, report, row.name)) row.lag_seconds = rounded_lag(*lag);
    if (!report.upstream.empty()) row.upstream = report.upstream;
  }
  const EndpointSeen* upstream = primary ? nullptr : seen.find(report.upstream);
  const MemberReport* sender = upstream ? upstream->member.fresh() : nullptr;
  if (sender && report.state == MemberState::kStreaming)
    if (const auto known = sender->downstreams.find(row.name);
        known != sender->downstreams.end() && known->second.state == MemberReport::Downstream::kDeaf) {
      // It takes itself to be up to date because it hears nothing.
      row.state = to_string(MemberState::kDisconnected);
      row.message = fmt::format("it holds its connection to {} open and reads nothing: the connection is ended there",
                                report.upstream);
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
    if (!endpoint || !endpoint->spec || role_of(row) == Role::kPrimary) continue;
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
    streaming +=
        endpoint && endpoint->spec && role_of(row) == Role::kReplica && state_of(row) == MemberState::kStreaming;
  }
  return fmt::format("{}/{}", streaming, seen.link->spec.targets.size());
}

}  // namespace

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
             same_pod && endpoint.member.pending() && (role_of(*before) == Role::kPrimary) == primary) {
    return *before;
  } else {
    row.state = to_string(MemberState::kUnknown);
    row.message = why_unheard(endpoint, pod);
    // How far it was: by what it said last, whatever was written of it so far.
    if (const auto& last = endpoint.member.report; last && last->received) {
      row.position = to_string(*last->received);
      row.timeline = last->timeline;
    } else if (before) {
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
  status.accepted = plan.acceptance ? plan.acceptance->accepted : next_accepted(*seen.link);
  if (plan.acceptance) status.trial = plan.acceptance->trial;
  status.update = plan.update;
  if (seen.link->actionable) {
    status.replicas = replicas_text(seen, status.endpoints);
    if (const auto lag = worst_lag(seen, status.endpoints)) status.lag = lag_text(*lag);
  }
  status.import_ = next_import(seen);
  status.conditions = link_conditions(seen, plan, status.endpoints);
  return status;
}

}  // namespace twinspan::controllers
