#include "api/patterns.hpp"
#include "api/validate.hpp"

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
  }
}

void check_link(const FailoverPolicy& policy, const ReplicationLink* link, Errors& errors) {
  if (!link) {
    errors.push_back({"spec.linkRef.name", "there is no ReplicationLink \"" + policy.spec.link_ref.name +
                                               "\" in namespace " + policy.metadata.ns});
    return;
  }
  if (link->spec.engine != Engine::kPostgres)
    errors.push_back({"spec.linkRef.name", "link " + link->metadata.name + " is of engine " +
                                               std::string(to_string(link->spec.engine)) +
                                               ": this version fails over Postgres links only"});
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
  }
}

}  // namespace

std::vector<FieldError> validate(const FailoverPolicy& policy) {
  Errors errors;
  const PolicySpec& spec = policy.spec;
  if (!is_object_name(policy.metadata.name)) errors.push_back({"metadata.name", "must be an object's name"});
  if (spec.drill) errors.push_back({"spec.drill", "drills are not supported by this version, leave it out"});
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
