#include "controllers/kafka/kafka_status.hpp"

#include <fmt/format.h>

#include "controllers/cluster/names.hpp"
#include "controllers/kafka/kafka_conditions.hpp"
#include "controllers/kafka/kafka_groups.hpp"
#include "controllers/kafka/kafka_said.hpp"
#include "controllers/link/link_status.hpp"

namespace twinspan::controllers {
namespace {

const api::EndpointStatus* row_of(const std::vector<api::EndpointStatus>& rows, const std::string& name) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

api::EndpointStatus next_row(const KafkaSeen& seen, const KafkaSaid& said, const std::string& name, Role role) {
  const auto& pod = seen.worker().pod;
  const api::EndpointStatus* before = row_of(seen.link().status.endpoints, name);
  // This operator has only just begun to ask: what an earlier one wrote still stands.
  if (before && seen.worker().member.pending() && pod && before->address == pod->ip) return *before;
  api::EndpointStatus out;
  if (const api::EndpointStatus* row = row_of(said.endpoints, name)) {
    out = *row;
    out.instance = said.report->instance;
  } else {
    out.name = name;
    out.state = to_string(MemberState::kUnknown);
    out.message = said.report ? fmt::format("pod {} does not know of it yet", seen.pod()) : said.why_not;
  }
  out.role = to_string(role);
  if (role == Role::kReplica) out.upstream = seen.link().spec.source.name;
  if (!pod) return out;
  out.pod = seen.pod();
  if (!pod->ip.empty()) out.address = pod->ip;
  return out;
}

}  // namespace

api::LinkStatus next_kafka_status(const KafkaSeen& seen, const LinkPlan& plan) {
  const CachedLink& link = seen.link();
  api::LinkStatus status;
  status.observed_generation = link.metadata.generation;
  status.accepted = next_accepted(link);
  const KafkaSaid said = said_by_worker(seen);
  status.endpoints = link.status.endpoints;
  status.kafka = said.kafka ? said.kafka : link.status.kafka;
  if (status.kafka && !groups_may_stand(seen, said)) status.kafka->groups.reset();
  status.primary = link.status.primary;
  if (link.actionable) {
    status.primary = link.spec.source.name;
    const api::Endpoint& target = link.spec.targets.front();
    status.endpoints = {next_row(seen, said, link.spec.source.name, Role::kPrimary),
                        next_row(seen, said, target.name, Role::kReplica)};
    const api::EndpointStatus& row = status.endpoints.back();
    status.replicas = mirror_follows(seen, row) ? "1/1" : "0/1";
    if (row.lag_seconds) status.lag = lag_text(*row.lag_seconds);
  }
  status.conditions = kafka_conditions(seen, said, plan, status);
  return status;
}

}  // namespace twinspan::controllers
