#include <arpa/inet.h>

#include <charconv>

#include "api/endpoints.hpp"
#include "api/engine_rules.hpp"
#include "api/labels.hpp"
#include "api/patterns.hpp"
#include "api/validate.hpp"
#include "core/cron.hpp"

namespace twinspan::api {

namespace {

using Errors = std::vector<FieldError>;

// "10.0.0.0/8" or "fd00::/8", as the API server reads them.
bool is_cidr(const std::string& text) {
  const size_t slash = text.find('/');
  if (slash == std::string::npos) return false;
  const std::string address = text.substr(0, slash), bits = text.substr(slash + 1);
  unsigned char parsed[16];
  const bool four = inet_pton(AF_INET, address.c_str(), parsed) == 1;
  if (!four && inet_pton(AF_INET6, address.c_str(), parsed) != 1) return false;
  int length = 0;
  const auto [end, wrong] = std::from_chars(bits.data(), bits.data() + bits.size(), length);
  return wrong == std::errc() && end == bits.data() + bits.size() && length >= 0 && length <= (four ? 32 : 128);
}

void check_template(const PolicyService& service, const std::string& field, Errors& errors) {
  const ServiceTemplate& added = *service.template_;
  if (!service.external_names.empty()) errors.push_back({field, "means nothing with externalNames, leave it out"});
  const auto below = [&](const char* part) { return [=](const std::string&) { return field + part; }; };
  check_added_labels(added.labels, below(".labels"), errors);
  check_added_annotations(added.annotations, below(".annotations"), errors);
  const std::string only = "means nothing unless type is LoadBalancer, leave it out";
  const bool balanced = added.type == ServiceType::kLoadBalancer;
  if (added.load_balancer_class && !balanced) errors.push_back({field + ".loadBalancerClass", only});
  if (added.load_balancer_class && !is_qualified_name(*added.load_balancer_class))
    errors.push_back({field + ".loadBalancerClass", "is \"" + *added.load_balancer_class +
                                                        "\", must be a name such as internal or example.com/internal"});
  if (!added.load_balancer_source_ranges.empty() && !balanced)
    errors.push_back({field + ".loadBalancerSourceRanges", only});
  for (size_t i = 0; i < added.load_balancer_source_ranges.size(); ++i)
    if (const std::string& range = added.load_balancer_source_ranges[i]; !is_cidr(range))
      errors.push_back({field + ".loadBalancerSourceRanges[" + std::to_string(i) + "]",
                        "is \"" + range + "\", must be a CIDR block such as 10.0.0.0/8"});
  if (added.external_traffic_policy && added.type == ServiceType::kClusterIP)
    errors.push_back({field + ".externalTrafficPolicy", "means nothing where type is ClusterIP, leave it out"});
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
    if (service.template_) check_template(service, field + ".template", errors);
    if (!service.external_names.empty() && !service.selectors.empty())
      errors.push_back({field, "externalNames and selectors: one of the two, not both"});
  }
  std::set<std::string_view> maps;
  for (size_t i = 0; i < policy.spec.config_maps.size(); ++i)
    if (!maps.insert(policy.spec.config_maps[i].name).second)
      errors.push_back({"spec.configMaps[" + std::to_string(i) + "].name",
                        "\"" + policy.spec.config_maps[i].name + "\" stands there twice"});
}

void check_link(const FailoverPolicy& policy, const ReplicationLink* link, Errors& errors) {
  if (!link) {
    errors.push_back(missing_link(policy));
    return;
  }
  if (const EngineRules* rules = engine_rules(link->spec.engine)) rules->check_clients(policy, *link, errors);
  if (!policy.spec.desired_primary.empty() && !find_endpoint(link->spec, policy.spec.desired_primary))
    errors.push_back({"spec.desiredPrimary", "\"" + policy.spec.desired_primary + "\" is no endpoint of link " +
                                                 link->metadata.name + " (" + endpoint_list(*link) + ")"});
  for (size_t i = 0; i < policy.spec.candidates.prefer.size(); ++i)
    if (!find_endpoint(link->spec, policy.spec.candidates.prefer[i]))
      errors.push_back({"spec.candidates.prefer[" + std::to_string(i) + "]",
                        "\"" + policy.spec.candidates.prefer[i] + "\" is no endpoint of link " + link->metadata.name +
                            " (" + endpoint_list(*link) + ")"});
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
  check_services(policy, errors);
  return errors;
}

std::vector<FieldError> validate(const FailoverPolicy& policy, const ReplicationLink* link,
                                 const std::vector<FailoverPolicy>& others) {
  Errors errors = validate(policy);
  const Errors more = validate_beside(policy, link, others);
  errors.insert(errors.end(), more.begin(), more.end());
  return errors;
}

std::vector<FieldError> validate_beside(const FailoverPolicy& policy, const ReplicationLink* link,
                                        const std::vector<FailoverPolicy>& others) {
  Errors errors;
  check_link(policy, link, errors);
  check_others(policy, others, errors);
  return errors;
}

FieldError missing_link(const FailoverPolicy& policy) {
  return {"spec.linkRef.name",
          "there is no ReplicationLink \"" + policy.spec.link_ref.name + "\" in namespace " + policy.metadata.ns};
}

std::vector<FieldError> validate_change(const FailoverPolicy& before, const FailoverPolicy& after) {
  Errors errors;
  if (before.spec.link_ref.name != after.spec.link_ref.name)
    errors.push_back({"spec.linkRef.name", "is immutable, create another policy"});
  // Kubernetes refuses it. By way of another type it may.
  const auto balanced = [](const PolicyService& service) {
    return service.template_ && service.template_->type == ServiceType::kLoadBalancer;
  };
  for (size_t i = 0; i < after.spec.services.size(); ++i)
    for (const PolicyService& then : before.spec.services) {
      const PolicyService& now = after.spec.services[i];
      if (then.name == now.name && balanced(then) && balanced(now) &&
          then.template_->load_balancer_class != now.template_->load_balancer_class)
        errors.push_back({"spec.services[" + std::to_string(i) + "].template.loadBalancerClass",
                          "can't be changed while type is LoadBalancer: set type to ClusterIP first, which gives the "
                          "address up, or name another Service"});
    }
  return errors;
}

}  // namespace twinspan::api
