#include "api/patterns.hpp"
#include "api/validate.hpp"
#include "core/cron.hpp"

namespace twinspan::api {

namespace {

using Errors = std::vector<FieldError>;

bool has_endpoint(const ReplicationLink& link, const std::string& name) {
  return link.spec.source.name == name || std::any_of(link.spec.targets.begin(), link.spec.targets.end(),
                                                      [&](const Endpoint& target) { return target.name == name; });
}

std::string endpoints(const ReplicationLink& link) {
  std::string text = link.spec.source.name;
  for (const Endpoint& target : link.spec.targets) text += ", " + target.name;
  return text;
}

void check_services(const FailoverPolicy& policy, Errors& errors) {
  std::set<std::string_view> seen;
  for (size_t i = 0; i < policy.spec.services.size(); ++i) {
    const PolicyService& service = policy.spec.services[i];
    const std::string field = "spec.services[" + std::to_string(i) + "]";
    if (!seen.insert(service.name).second)
      errors.push_back({field + ".name", "\"" + service.name + "\" stands there twice"});
    if (service.max_lag_seconds && service.selects != Selects::kReplicas)
      errors.push_back({field + ".maxLagSeconds", "only for a Service that selects Replicas, leave it out"});
    if (!service.external_names.empty() && !service.selectors.empty())
      errors.push_back({field, "externalNames and selectors: one of the two, not both"});
  }
  std::set<std::string_view> maps;
  for (size_t i = 0; i < policy.spec.config_maps.size(); ++i)
    if (!maps.insert(policy.spec.config_maps[i].name).second)
      errors.push_back({"spec.configMaps[" + std::to_string(i) + "].name",
                        "\"" + policy.spec.config_maps[i].name + "\" stands there twice"});
}

// A Service of an S3 link says for every endpoint where it is; nothing else does.
template <class Value>
void check_places(const std::map<std::string, Value>& places, const std::string& field, const ReplicationLink& link,
                  Errors& errors) {
  for (const auto& [name, place] : places)
    if (!has_endpoint(link, name))
      errors.push_back(
          {field, "\"" + name + "\" is no endpoint of link " + link.metadata.name + " (" + endpoints(link) + ")"});
  const auto check = [&](const std::string& name) {
    if (!places.contains(name)) errors.push_back({field, "says nothing of endpoint " + name});
  };
  check(link.spec.source.name);
  for (const Endpoint& target : link.spec.targets) check(target.name);
  for (auto one = places.begin(); one != places.end(); ++one)
    for (auto other = places.begin(); other != one; ++other)
      if (one->second == other->second)
        errors.push_back({field, "says the same of " + other->first + " and " + one->first +
                                     ": a Service that points at both can't be flipped"});
}

void check_clients_of_s3(const FailoverPolicy& policy, const ReplicationLink& link, Errors& errors) {
  if (link.spec.topology != Topology::kActivePassive)
    errors.push_back({"spec.linkRef.name", "link " + link.metadata.name + " is of topology " +
                                               std::string(to_string(link.spec.topology)) +
                                               ": a primary that could move is only in ActivePassive"});
  const S3Settings& s3 = link.spec.s3;
  if (s3.compression != Compression::kNone || s3.client_encryption || s3.restore)
    errors.push_back({"spec.linkRef.name",
                      "link " + link.metadata.name + " has spec.s3." +
                          (s3.restore                             ? "restore"
                           : s3.compression != Compression::kNone ? "compression"
                                                                  : "clientEncryption") +
                          ": its copies are of another form than their originals, and clients could not use them as "
                          "they use the source"});
  if (s3.versions == ObjectVersions::kAll)
    errors.push_back({"spec.linkRef.name", "link " + link.metadata.name +
                                               " has spec.s3.versions All: what both sides have written can be "
                                               "reconciled by this version only where Latest is kept"});
  for (size_t i = 0; i < policy.spec.services.size(); ++i) {
    const PolicyService& service = policy.spec.services[i];
    const std::string field = "spec.services[" + std::to_string(i) + "]";
    if (service.selects != Selects::kPrimary)
      errors.push_back({field + ".selects", "must be Primary: Services of S3 links point at the primary"});
    if (service.external_names.empty() && service.selectors.empty())
      errors.push_back({field + ".externalNames", "or selectors must say where each endpoint of an S3 link is"});
    if (!service.external_names.empty()) check_places(service.external_names, field + ".externalNames", link, errors);
    if (!service.selectors.empty()) check_places(service.selectors, field + ".selectors", link, errors);
  }
}

void check_clients_of_postgres(const FailoverPolicy& policy, Errors& errors) {
  const std::string only = "only for policies of S3 links, leave it out";
  for (size_t i = 0; i < policy.spec.services.size(); ++i) {
    const std::string field = "spec.services[" + std::to_string(i) + "]";
    if (!policy.spec.services[i].external_names.empty()) errors.push_back({field + ".externalNames", only});
    if (!policy.spec.services[i].selectors.empty()) errors.push_back({field + ".selectors", only});
  }
  if (!policy.spec.config_maps.empty()) errors.push_back({"spec.configMaps", only});
  if (policy.spec.drill) errors.push_back({"spec.drill", only});
  if (policy.spec.candidates.max_missing_keys) errors.push_back({"spec.candidates.maxMissingKeys", only});
}

void check_link(const FailoverPolicy& policy, const ReplicationLink* link, Errors& errors) {
  if (!link) {
    errors.push_back({"spec.linkRef.name", "there is no ReplicationLink \"" + policy.spec.link_ref.name +
                                               "\" in namespace " + policy.metadata.ns});
    return;
  }
  if (link->spec.engine == Engine::kS3)
    check_clients_of_s3(policy, *link, errors);
  else
    check_clients_of_postgres(policy, errors);
  if (!policy.spec.desired_primary.empty() && !has_endpoint(*link, policy.spec.desired_primary))
    errors.push_back({"spec.desiredPrimary", "\"" + policy.spec.desired_primary + "\" is no endpoint of link " +
                                                 link->metadata.name + " (" + endpoints(*link) + ")"});
  for (size_t i = 0; i < policy.spec.candidates.prefer.size(); ++i)
    if (!has_endpoint(*link, policy.spec.candidates.prefer[i]))
      errors.push_back({"spec.candidates.prefer[" + std::to_string(i) + "]",
                        "\"" + policy.spec.candidates.prefer[i] + "\" is no endpoint of link " + link->metadata.name +
                            " (" + endpoints(*link) + ")"});
}

void check_others(const FailoverPolicy& policy, const std::vector<FailoverPolicy>& others, Errors& errors) {
  const auto age = [](const FailoverPolicy& p) { return std::tie(p.metadata.creation_timestamp, p.metadata.name); };
  for (const FailoverPolicy& other : others) {
    if (other.metadata.ns != policy.metadata.ns || other.metadata.name == policy.metadata.name) continue;
    if (other.metadata.deleting() || age(policy) < age(other)) continue;
    if (other.spec.link_ref.name == policy.spec.link_ref.name)
      errors.push_back({"spec.linkRef.name", "policy " + other.metadata.name + " already stands for link " +
                                                 policy.spec.link_ref.name + ": delete one of the two"});
    for (size_t i = 0; i < policy.spec.services.size(); ++i)
      for (const PolicyService& theirs : other.spec.services)
        if (theirs.name == policy.spec.services[i].name)
          errors.push_back({"spec.services[" + std::to_string(i) + "].name",
                            "policy " + other.metadata.name + " already flips Service " + theirs.name +
                                ": name it in one policy only"});
    for (size_t i = 0; i < policy.spec.config_maps.size(); ++i)
      for (const PolicyConfigMap& theirs : other.spec.config_maps)
        if (theirs.name == policy.spec.config_maps[i].name)
          errors.push_back({"spec.configMaps[" + std::to_string(i) + "].name",
                            "policy " + other.metadata.name + " already keeps ConfigMap " + theirs.name +
                                ": name it in one policy only"});
  }
}

}  // namespace

std::vector<FieldError> validate(const FailoverPolicy& policy) {
  Errors errors;
  const PolicySpec& spec = policy.spec;
  if (!is_object_name(policy.metadata.name)) errors.push_back({"metadata.name", "must be an object's name"});
  if (spec.drill) {
    if (const auto cron = parse_cron(spec.drill->schedule); !cron)
      errors.push_back({"spec.drill.schedule", cron.error().message});
    if (spec.drill->kind != DrillKind::kRehearsal || spec.drill->time_zone != "UTC")
      errors.push_back({"spec.drill", "only kind Rehearsal and timeZone UTC are supported by this version"});
  }
  if (!spec.notifications.empty())
    errors.push_back({"spec.notifications", "not supported by this version, leave it out"});
  if (spec.triggers.lag_seconds)
    errors.push_back({"spec.triggers.lagSeconds", "not supported by this version, leave it out"});
  if (spec.candidates.scoring)
    errors.push_back({"spec.candidates.scoring", "not supported by this version, leave it out"});
  if (spec.lease.renew_seconds >= spec.lease.duration_seconds - 1)
    errors.push_back({"spec.lease.renewSeconds",
                      "is " + std::to_string(spec.lease.renew_seconds) + ", must be less than durationSeconds - 1 (" +
                          std::to_string(spec.lease.duration_seconds - 1) + "), so that one renewal may fail"});
  if (spec.quorum.agree > spec.quorum.observers)
    errors.push_back(
        {"spec.quorum.agree", "must not exceed spec.quorum.observers (" + std::to_string(spec.quorum.observers) + ")"});
  check_services(policy, errors);
  return errors;
}

std::vector<FieldError> validate(const FailoverPolicy& policy, const ReplicationLink* link,
                                 const std::vector<FailoverPolicy>& others) {
  Errors errors = validate(policy);
  check_link(policy, link, errors);
  check_others(policy, others, errors);
  return errors;
}

std::vector<FieldError> validate_change(const FailoverPolicy& before, const FailoverPolicy& after) {
  if (before.spec.link_ref.name == after.spec.link_ref.name) return {};
  return {{"spec.linkRef.name", "is immutable, create another policy"}};
}

}  // namespace twinspan::api
