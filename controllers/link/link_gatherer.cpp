#include "controllers/link/link_gatherer.hpp"

#include "controllers/cluster/names.hpp"

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
  if (link.invalid) return out;
  add(link.spec.source);
  for (const api::Endpoint& target : link.spec.targets) add(target);
  return out;
}

}  // namespace

MemberView view_of(const std::optional<Seen>& seen, BootTime now) {
  MemberView view;
  if (!seen) return view;
  view.report = seen->report;
  view.age = std::chrono::duration_cast<std::chrono::milliseconds>(now - seen->received_at);
  view.failures = seen->failures;
  view.error = seen->error;
  return view;
}

void gather_common(LinkSeen& seen, const Cluster& cluster, const Clock& clock) {
  const kube::Key key = key_of(seen.link->metadata);
  const auto object = [&](std::string name) { return kube::Key{key.ns, std::move(name)}; };
  seen.now = clock.wall_now();
  seen.ca = cluster.secrets.find(object(ca_secret_name(key.name)));
  seen.account = cluster.accounts.find(object(worker_account_name(key.name)));
  seen.role = cluster.roles.find(object(worker_account_name(key.name)));
  seen.binding = cluster.bindings.find(object(worker_account_name(key.name)));
  seen.budget = cluster.budgets.find(object(budget_name(key.name)));
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
    endpoint.member = view_of(reports.latest(key, endpoint.name), now);
  }
  seen.owner = cluster.secrets.find(object(owner_secret_name(*link)));
  seen.lease = cluster.leases.find(object(lease_name(name)));
  if (seen.lease)
    seen.lease_unchanged_for = std::chrono::duration_cast<std::chrono::milliseconds>(now - seen.lease->seen_at);
  for (const std::string& policy : cluster.policies_of_links.names(key)) {
    const auto found = cluster.policies.find(object(policy));
    seen.fails_over =
        seen.fails_over || (found && found->spec.mode == api::FailoverMode::kAutomatic && !found->metadata.deleting());
  }
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
    endpoint.member.report = std::move(report);
  }
  return seen;
}

}  // namespace twinspan::controllers
