#include "controllers/failover/failover_writes.hpp"

#include <nlohmann/json.hpp>

namespace twinspan::controllers {
namespace {

// A merge patch that turns `before` into `after`, nulls for what went away; arrays are replaced whole.
Json difference(const Json& before, const Json& after) {
  Json patch = Json::object();
  for (const auto& [key, value] : before.items())
    if (!after.contains(key)) patch[key] = nullptr;
  for (const auto& [key, value] : after.items()) {
    const auto old = before.find(key);
    if (old == before.end()) {
      patch[key] = value;
    } else if (*old != value) {
      patch[key] = old->is_object() && value.is_object() ? difference(*old, value) : value;
    }
  }
  return patch;
}

Status patch_link_status(kube::Client& client, Cluster& cluster, const CachedLink& link, Json status,
                         const std::stop_token& stop) {
  const Json patch = {{"metadata", {{"resourceVersion", link.metadata.resource_version}}},
                      {"status", std::move(status)}};
  auto written = client.merge_patch(kube::kReplicationLinks, {link.metadata.ns, link.metadata.name}, patch,
                                    kube::Subresource::kStatus, stop);
  if (!written) return std::unexpected(written.error());
  cluster.wrote(kube::kReplicationLinks, *written);
  return {};
}

}  // namespace

kube::ObjectRef reference_to(const api::FailoverPolicy& policy) {
  return {"twinspan.dev/v1alpha1", "FailoverPolicy", policy.metadata.ns, policy.metadata.name, policy.metadata.uid};
}

Status write_policy_status(kube::Client& client, Cluster& cluster, const api::FailoverPolicy& policy,
                           const api::PolicyStatus& status, const std::stop_token& stop) {
  Json patch = {{"metadata", {{"resourceVersion", policy.metadata.resource_version}}},
                {"status", difference(api::to_json(policy.status), api::to_json(status))}};
  auto written = client.merge_patch(kube::kFailoverPolicies, {policy.metadata.ns, policy.metadata.name}, patch,
                                    kube::Subresource::kStatus, stop);
  if (!written) return std::unexpected(written.error());
  cluster.wrote(kube::kFailoverPolicies, *written);
  return {};
}

Status write_assignment(kube::Client& client, Cluster& cluster, const CachedLink& link, const Json& assignment,
                        const std::stop_token& stop) {
  return patch_link_status(client, cluster, link, {{"assignment", assignment}}, stop);
}

Status write_rehearsal(kube::Client& client, Cluster& cluster, const CachedLink& link, const std::string& requested_at,
                       const std::stop_token& stop) {
  const Json rehearsal = requested_at.empty() ? Json() : Json{{"requestedAt", requested_at}};
  return patch_link_status(client, cluster, link, {{"rehearsal", rehearsal}}, stop);
}

}  // namespace twinspan::controllers
