#include "worker/postgres/desired.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/accepted.hpp"
#include "api/validate.hpp"
#include "contract/assignment.hpp"
#include "contract/names.hpp"
#include "contract/rows.hpp"
#include "worker/postgres/options.hpp"

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

void add_members(Desired& desired, const api::ReplicationLink& link, const std::vector<std::string>& names,
                 const std::string& self, int port) {
  for (const api::EndpointStatus& status : link.status.endpoints) {
    const MemberState state = state_of(status);
    desired.streams[status.name] =
        state == MemberState::kStreaming || state == MemberState::kCatchingUp || state == MemberState::kRunning;
    if (status.name == self || !status.address || status.address->empty()) continue;
    if (std::find(names.begin(), names.end(), status.name) == names.end()) continue;
    desired.members[status.name] = {status.name, pod_name(link.metadata.name, status.name), *status.address, port};
  }
}

// Those in force here: of the accepted spec, or of the one that is tried here.
void add_parameters(Desired& desired, const api::Endpoint& self, const api::ReplicationLink& link,
                    const api::LinkSpec* tried) {
  api::Parameters asked = self.postgres->managed->parameters;
  if (tried && link.status.trial && link.status.trial->endpoint == self.name) {
    asked = api::tried_parameters(link.spec, *tried, self.name);
    desired.attempt = api::attempt_of(*link.status.trial);
  }
  desired.settings.parameters = api::peoples_parameters(asked);
}

// Those that would stream directly from here if this endpoint were primary. In force before it is promoted.
void add_standbys(Desired& desired, const api::LinkSpec& spec, const std::vector<std::string>& names) {
  if (spec.postgres.durability.mode != api::DurabilityMode::kSync) return;
  const std::string& self = desired.settings.endpoint;
  for (const std::string& name : names)
    if (name != self && (desired.froms[name].empty() || desired.froms[name] == self))
      desired.settings.sync_candidates.push_back(name);
  desired.settings.sync_replicas = spec.postgres.durability.replicas;
}

}  // namespace

Result<Desired> desired_from(const api::ReplicationLink& link, const std::string& endpoint, const std::string& address,
                             int port, const api::LinkSpec* tried) {
  const api::LinkSpec& spec = link.spec;
  Desired desired;
  desired.generation = link.metadata.generation;
  desired.paused = spec.paused;
  desired.database = spec.postgres.database;
  const api::InitdbSettings& initdb = spec.postgres.initdb;
  desired.cluster = {std::string(to_string(initdb.encoding)), initdb.locale,
                     initdb.locale_provider == api::LocaleProvider::kIcu ? initdb.icu_locale : std::nullopt};
  desired.objects = objects_from(spec.postgres);
  desired.hba = spec.postgres.hba;
  if (spec.postgres.metrics) desired.queries = spec.postgres.metrics->queries;
  for (api::CustomQuery& query : desired.queries)
    if (!query.database) query.database = spec.postgres.database;
  desired.diverged = rule_of(spec.postgres.diverged);
  desired.warm = spec.postgres.standby == api::Standby::kWarm;
  desired.lag_bytes_max = static_cast<uint64_t>(spec.lag_threshold.bytes.value_or(0));
  desired.lag_seconds_max = static_cast<double>(api::lag_threshold_seconds(spec));
  const auto assignment = assignment_of(link.status);
  if (!assignment) return std::unexpected(assignment.error());
  desired.assignment = *assignment;
  if (const auto& said = link.status.assignment; said && said->lease_duration_seconds && said->lease_renew_seconds)
    desired.lease = lease_timing(std::chrono::seconds(*said->lease_duration_seconds),
                                 std::chrono::seconds(*said->lease_renew_seconds));

  // Brought along with a status, as tools restore objects, it speaks of another link's repository: until the operator
  // has looked nothing is stored there, and nothing is let go.
  if (const auto& backup = link.status.backup) {
    if (backup->stanza.starts_with(stanza_prefix(link.metadata.name, link.metadata.uid)))
      desired.backup = backup;
    else
      desired.backup_of_another = true;
  }
  desired.restore = link.status.restore;
  // Nor do data give way to what another link was to get.
  if (const auto& order = desired.restore;
      order && order->in_place && !order->stanza.starts_with(stanza_prefix(link.metadata.name, link.metadata.uid)))
    desired.restore.reset();
  if (const auto made = link.metadata.annotations.find(std::string(kRestoreAnnotation));
      made != link.metadata.annotations.end())
    desired.restored_by = made->second;
  if (spec.postgres.bootstrap) desired.import_ = spec.postgres.bootstrap->import_;
  desired.import_completed = link.status.import_ && link.status.import_->phase == api::ImportPhase::kCompleted;
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

  add_members(desired, link, names, endpoint, port);
  desired.settings.endpoint = endpoint;
  desired.settings.address = address;
  desired.settings.port = port;
  desired.bounds = {spec.postgres.durability.mode, static_cast<int64_t>(names.size())};
  add_parameters(desired, *self, link, tried);
  add_standbys(desired, spec, names);
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
