#include "worker/desired.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/validate.hpp"
#include "worker/options.hpp"

namespace twinspan::worker {
namespace {

DivergedRule rule_of(api::Diverged diverged) {
  switch (diverged) {
    case api::Diverged::kHalt: return DivergedRule::kHalt;
    case api::Diverged::kRewind: return DivergedRule::kRewind;
    case api::Diverged::kClone: return DivergedRule::kClone;
  }
  return DivergedRule::kHalt;
}

// Whether `from`, and whoever that follows, leads to the primary without passing `endpoint`.
bool leads_to_primary(const Desired& desired, const std::string& endpoint, std::string from,
                      const std::string& primary) {
  std::set<std::string> passed{endpoint};
  while (from != primary) {
    const auto next = desired.froms.find(from);
    if (next == desired.froms.end() || !passed.insert(from).second) return false;
    if (next->second.empty()) return true;  // follows the primary, whichever it is
    from = next->second;
  }
  return true;
}

}  // namespace

Result<Desired> desired_from(const api::ReplicationLink& link, const std::string& endpoint, const std::string& address,
                             int port) {
  const api::LinkSpec& spec = link.spec;
  Desired desired;
  desired.generation = link.metadata.generation;
  desired.paused = spec.paused;
  desired.database = spec.postgres.database;
  desired.diverged = rule_of(spec.postgres.diverged);
  desired.warm = spec.postgres.standby == api::Standby::kWarm;
  desired.lag_bytes_max = static_cast<uint64_t>(spec.lag_threshold.bytes.value_or(0));
  desired.lag_seconds_max = static_cast<double>(api::lag_threshold_seconds(spec));
  if (const auto& assignment = link.status.assignment) {
    const auto cause = parse_cause(assignment->cause);
    if (!cause)
      return fail(Code::kInvalid, fmt::format("status.assignment.cause: \"{}\" is no cause", assignment->cause));
    desired.assignment = Assignment{{assignment->epoch}, assignment->primary, assignment->previous, *cause};
    if (assignment->lease_duration_seconds && assignment->lease_renew_seconds)
      desired.lease = lease_timing(std::chrono::seconds(*assignment->lease_duration_seconds),
                                   std::chrono::seconds(*assignment->lease_renew_seconds));
  }

  const api::Endpoint* self = nullptr;
  std::vector<std::string> names;
  const auto add = [&](const api::Endpoint& one) {
    names.push_back(one.name);
    // The first primary, once it is none, follows whoever is.
    desired.froms[one.name] = one.from.value_or("");
    if (desired.froms[one.name] == spec.source.name) desired.froms[one.name].clear();
    if (one.name == endpoint) self = &one;
  };
  add(spec.source);
  for (const api::Endpoint& target : spec.targets) add(target);
  if (self == nullptr) return fail(Code::kInvalid, fmt::format("endpoint \"{}\" is no part of the link", endpoint));
  if (!self->postgres || !self->postgres->managed)
    return fail(Code::kInvalid, fmt::format("endpoint \"{}\": expected postgres.managed", endpoint));

  for (const api::EndpointStatus& status : link.status.endpoints) {
    desired.streams[status.name] = status.state == to_string(MemberState::kStreaming) ||
                                   status.state == to_string(MemberState::kCatchingUp) ||
                                   status.state == to_string(MemberState::kRunning);
    if (status.name == endpoint || !status.address || status.address->empty()) continue;
    if (std::find(names.begin(), names.end(), status.name) == names.end()) continue;
    desired.members[status.name] = {status.name, fmt::format("{}-{}-0", link.metadata.name, status.name),
                                    *status.address, port};
  }

  postgres::Settings& settings = desired.settings;
  settings.endpoint = endpoint;
  settings.address = address;
  settings.port = port;
  settings.parameters = self->postgres->managed->parameters;
  if (spec.postgres.durability.mode == api::DurabilityMode::kSync) {
    // Those that would stream directly from here if this endpoint were primary. In force before it is promoted.
    for (const std::string& name : names)
      if (name != endpoint && (desired.froms[name].empty() || desired.froms[name] == endpoint))
        settings.sync_candidates.push_back(name);
    settings.sync_replicas = spec.postgres.durability.replicas;
  }
  return desired;
}

std::string upstream_of(const Desired& desired, const std::string& endpoint, const std::string& primary) {
  if (primary.empty() || endpoint == primary) return "";
  const auto found = desired.froms.find(endpoint);
  const std::string from = found == desired.froms.end() ? "" : found->second;
  if (from.empty() || from == endpoint || from == primary || !leads_to_primary(desired, endpoint, from, primary))
    return primary;
  const auto streams = desired.streams.find(from);
  return streams != desired.streams.end() && streams->second ? from : primary;
}

std::vector<std::string> downstreams_of(const Desired& desired, const std::string& endpoint,
                                        const std::string& primary) {
  std::vector<std::string> names;
  for (const auto& [name, from] : desired.froms)
    if (name != endpoint && upstream_of(desired, name, primary) == endpoint) names.push_back(name);
  return names;
}

}  // namespace twinspan::worker
