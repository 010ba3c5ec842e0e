#include "controllers/link/link_gatherer.hpp"

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {

MemberView view_of(const std::optional<Seen>& seen, BootTime now) {
  MemberView view;
  if (!seen) return view;
  view.report = seen->report;
  view.age = std::chrono::duration_cast<std::chrono::milliseconds>(now - seen->received_at);
  view.failures = seen->failures;
  view.error = seen->error;
  return view;
}

MemberView view_of(const std::optional<Seen>& seen, const Pod* pod, BootTime now) {
  MemberView view = view_of(seen, now);
  if (!may_be_asked(pod)) view.age = std::max(view.age, MemberView::kTrustedUnasked);
  return view;
}

bool may_be_asked(const Pod* pod) { return pod && !pod->ip.empty() && !pod->finished(); }

void gather_common(LinkSeen& seen, const Cluster& cluster, const Clock& clock) {
  const kube::Key key = key_of(seen.link->metadata);
  const auto object = [&](std::string name) { return kube::Key{key.ns, std::move(name)}; };
  seen.now = clock.wall_now();
  seen.ca = cluster.secrets.find(object(ca_secret_name(key.name)));
  seen.account = cluster.accounts.find(object(worker_account_name(key.name)));
  seen.role = cluster.roles.find(object(worker_account_name(key.name)));
  seen.binding = cluster.bindings.find(object(worker_account_name(key.name)));
  seen.budget = cluster.budgets.find(object(budget_name(key.name)));
  seen.network_policy = cluster.network_policies.find(object(network_policy_name(key.name)));
}

}  // namespace twinspan::controllers
