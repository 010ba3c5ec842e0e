#include "controllers/postgres/postgres_gatherer.hpp"

#include <algorithm>

#include "api/accepted.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"

namespace twinspan::controllers {
namespace {

std::vector<EndpointSeen> wanted(const CachedLink& link) {
  std::vector<EndpointSeen> out;
  const auto add = [&](const api::Endpoint& endpoint) {
    EndpointSeen seen;
    seen.name = endpoint.name;
    seen.spec = &endpoint;
    out.push_back(std::move(seen));
  };
  if (!link.actionable) return out;
  add(link.spec.source);
  for (const api::Endpoint& target : link.spec.targets) add(target);
  return out;
}

}  // namespace

std::optional<api::PolicyService> primary_service(const api::FailoverPolicy& policy) {
  const auto spec = api::spec_in_force(policy);
  if (!spec) return std::nullopt;
  const auto found = std::ranges::find(spec->services, api::Selects::kPrimary, &api::PolicyService::selects);
  return found == spec->services.end() ? std::nullopt : std::optional(*found);
}

LinkSeen gather_link(const std::shared_ptr<const CachedLink>& link, const Cluster& cluster,
                     const WorkerReports& reports, const Clock& clock) {
  const kube::Key key = key_of(link->metadata);
  const std::string& name = key.name;
  const auto object = [&](std::string object_name) { return kube::Key{key.ns, std::move(object_name)}; };
  const BootTime now = clock.boot_now();
  LinkSeen seen;
  seen.link = link;
  gather_common(seen, cluster, clock);
  seen.endpoints = wanted(*link);
  for (const std::string& known : cluster.endpoints.names(key))
    if (!seen.find(known)) {
      seen.endpoints.emplace_back();
      seen.endpoints.back().name = known;
    }
  for (EndpointSeen& endpoint : seen.endpoints) {
    endpoint.pod = cluster.pods.find(object(pod_name(name, endpoint.name)));
    endpoint.claim = cluster.claims.find(object(claim_name(name, endpoint.name)));
    endpoint.tls = cluster.secrets.find(object(tls_secret_name(name, endpoint.name)));
    endpoint.member = view_of(reports.latest(key, endpoint.name), endpoint.pod.get(), now);
  }
  seen.ca_bundle = cluster.config_maps.find(object(ca_bundle_name(name)));
  seen.owner = cluster.secrets.find(object(owner_secret_name(*link)));
  seen.lease = cluster.leases.find(object(lease_name(name)));
  seen.holdup = cluster.holdups.find(key);
  if (seen.lease)
    seen.lease_unchanged_for = std::chrono::duration_cast<std::chrono::milliseconds>(now - seen.lease->seen_at);
  for (const std::string& policy : cluster.policies_of_links.names(key)) {
    const auto found = cluster.policies.find(object(policy));
    if (!found || found->metadata.deleting()) continue;
    if (const auto spec = api::spec_in_force(*found); spec && spec->mode == api::FailoverMode::kAutomatic)
      seen.fails_over = true;
    if (const auto service = primary_service(*found); service && seen.primary_service.empty()) {
      seen.primary_service = service->name;
      seen.primary_port = service->port;
    }
    // As they are asked for and, while that is refused, as they are: a name more in a certificate harms nobody.
    for (const api::PolicyService& service : found->spec.services) seen.services.push_back(service.name);
    if (found->status.accepted)
      for (const Json& service : member_of(found->status.accepted->spec, "services"))
        seen.services.push_back(text_of(service, "name"));
  }
  std::sort(seen.services.begin(), seen.services.end());
  seen.services.erase(std::unique(seen.services.begin(), seen.services.end()), seen.services.end());
  seen.doubt_unheard();
  seen.set_foreign_aside();
  return seen;
}

LinkSeen pretend_link(const std::shared_ptr<const CachedLink>& link, const Clock& clock) {
  LinkSeen seen;
  seen.link = link;
  seen.now = clock.wall_now();
  seen.endpoints = wanted(*link);
  auto lease = std::make_shared<Lease>();
  lease->record.holder_endpoint = link->spec.source.name;
  lease->record.epoch = {1};
  lease->record.promoted = true;
  lease->duration = std::chrono::seconds(5);
  seen.lease = std::move(lease);
  for (EndpointSeen& endpoint : seen.endpoints) {
    const bool primary = &endpoint == &seen.endpoints.front();
    MemberReport report;
    report.endpoint = endpoint.name;
    report.role = primary ? Role::kPrimary : Role::kReplica;
    report.state = primary ? MemberState::kRunning : MemberState::kStreaming;
    report.lag_seconds = primary ? std::nullopt : std::optional(0.0);
    report.generation = link->metadata.generation;
    report.sql_healthy = true;
    endpoint.member.report = std::move(report);
  }
  return seen;
}

}  // namespace twinspan::controllers
