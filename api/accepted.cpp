#include "api/accepted.hpp"

#include <nlohmann/json.hpp>

#include "api/managed_defaults.hpp"
#include "api/validate.hpp"

namespace twinspan::api {

namespace {

Result<ObeyedLink> obeyed(ReplicationLink link) {
  ObeyedLink out;
  const std::optional<TrialStatus> trial = link.status.trial;
  static_cast<ReplicationLink&>(out) = std::move(link);
  if (!out.status.accepted) {
    out.refused = !validate(out).empty();
    return out;
  }
  auto spec = parse_link_spec(out.status.accepted->spec);
  if (!spec) return fail(Code::kInvalid, "status.accepted." + spec.error().message);
  if (trial && trial->generation == out.metadata.generation && !trial->message) out.tried = std::move(out.spec);
  out.spec = std::move(*spec);
  out.metadata.generation = out.status.accepted->generation;
  return out;
}

const ManagedPostgres* managed_of(const LinkSpec& spec, const std::string& endpoint) {
  const auto of = [&](const Endpoint& one) -> const ManagedPostgres* {
    return one.name == endpoint && one.postgres && one.postgres->managed ? &*one.postgres->managed : nullptr;
  };
  if (const ManagedPostgres* found = of(spec.source)) return found;
  for (const Endpoint& target : spec.targets)
    if (const ManagedPostgres* found = of(target)) return found;
  return nullptr;
}

}  // namespace

Result<ObeyedLink> parse_obeyed_link(const Json& json) {
  if (auto link = parse_replication_link(json)) return obeyed(std::move(*link));
  // A spec of a newer version, perhaps. What was accepted may be readable all the same.
  Json readable = json;
  if (const Json& accepted = member_of(member_of(json, "status"), "accepted"); accepted.is_object()) {
    readable["spec"] = member_of(accepted, "spec");
    readable["status"].erase("trial");
  }
  auto link = parse_replication_link(readable);
  if (!link) return std::unexpected(link.error());
  return obeyed(std::move(*link));
}

std::map<std::string, std::string> tried_parameters(const LinkSpec& accepted, const LinkSpec& newest,
                                                    const std::string& endpoint) {
  const auto changed = [&](const std::string& name) -> const ManagedPostgres* {
    const ManagedPostgres *before = managed_of(accepted, name), *after = managed_of(newest, name);
    return before && after && before->parameters != after->parameters ? after : nullptr;
  };
  if (const ManagedPostgres* own = changed(endpoint)) return own->parameters;
  if (const ManagedPostgres* source = changed(newest.source.name)) return source->parameters;
  for (const Endpoint& target : newest.targets)
    if (const ManagedPostgres* other = changed(target.name)) return other->parameters;
  const ManagedPostgres* own = managed_of(accepted, endpoint);
  return own ? own->parameters : std::map<std::string, std::string>{};
}

std::optional<PolicySpec> spec_in_force(const FailoverPolicy& policy) {
  if (!policy.status.accepted) return std::nullopt;
  if (policy.status.accepted->generation == policy.metadata.generation) return policy.spec;
  auto spec = parse_policy_spec(policy.status.accepted->spec);
  return spec ? std::optional(std::move(*spec)) : std::nullopt;
}

// As they are read, whatever the API server made of what was written.
bool is_accepted_as(const Json& accepted, const LinkSpec& spec) {
  const auto read = parse_link_spec(accepted);
  return read && without_managed_defaults(*read) == without_managed_defaults(spec);
}
bool is_accepted_as(const Json& accepted, const PolicySpec& spec) {
  const auto read = parse_policy_spec(accepted);
  return read && *read == spec;
}

std::string attempt_of(const TrialStatus& trial) { return std::to_string(trial.generation) + "@" + trial.started_at; }

AcceptedSpec accept(const LinkSpec& spec, int64_t generation) {
  return {generation, to_json(without_managed_defaults(spec))};
}
AcceptedSpec accept(const PolicySpec& spec, int64_t generation) { return {generation, to_json(spec)}; }

}  // namespace twinspan::api
