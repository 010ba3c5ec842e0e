#include "controllers/policy/failover_writes.hpp"

#include <nlohmann/json.hpp>

#include "contract/assignment.hpp"
#include "core/merge_patch.hpp"

namespace twinspan::controllers {
namespace {

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

Status write_policy_status(kube::Client& client, Cluster& cluster, const api::FailoverPolicy& policy,
                           const api::PolicyStatus& status, const std::stop_token& stop) {
  Json patch = {{"metadata", {{"resourceVersion", policy.metadata.resource_version}}},
                {"status", merge_patch_between(api::to_json(policy.status), api::to_json(status))}};
  auto written = client.merge_patch(kube::kFailoverPolicies, {policy.metadata.ns, policy.metadata.name}, patch,
                                    kube::Subresource::kStatus, stop);
  if (!written) return std::unexpected(written.error());
  cluster.wrote(kube::kFailoverPolicies, *written);
  return {};
}

Status write_assignment(kube::Client& client, Cluster& cluster, const CachedLink& link,
                        const api::AssignmentStatus& assignment, const std::stop_token& stop) {
  return patch_link_status(client, cluster, link, {{"assignment", merge_patch_of(assignment)}}, stop);
}

Status write_rehearsal(kube::Client& client, Cluster& cluster, const CachedLink& link, const std::string& requested_at,
                       const std::stop_token& stop) {
  const Json rehearsal = requested_at.empty() ? Json() : Json{{"requestedAt", requested_at}};
  return patch_link_status(client, cluster, link, {{"rehearsal", rehearsal}}, stop);
}

}  // namespace twinspan::controllers
