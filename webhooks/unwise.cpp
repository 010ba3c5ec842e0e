#include "webhooks/unwise.hpp"

#include "api/engine_rules.hpp"

namespace twinspan::webhooks {

std::vector<std::string> unwise(const api::ReplicationLink& link) {
  std::vector<std::string> out;
  if (const api::EngineRules* rules = api::engine_rules(link.spec.engine)) rules->warn_link(link, out);
  if (link.spec.deletion_policy == api::DeletionPolicy::kDelete)
    out.push_back("spec.deletionPolicy: Delete: whoever deletes this link, or an endpoint of it, deletes its data");
  return out;
}

std::vector<std::string> unwise(const api::FailoverPolicy& policy, const api::ReplicationLink* link) {
  std::vector<std::string> out;
  if (link != nullptr)
    if (const api::EngineRules* rules = api::engine_rules(link->spec.engine)) rules->warn_policy(policy, *link, out);
  if (policy.spec.services.empty() && policy.spec.config_maps.empty())
    out.push_back("spec.services: empty: nothing tells clients where the primary is after a failover");
  return out;
}

}  // namespace twinspan::webhooks
